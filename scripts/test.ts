/**
 * `npm test`: check, unit tests, then integration and end-to-end tests against a stack of its own on free ports, with
 * its data in a temporary folder. The last line is `N passed, N failed[, N skipped]`.
 * `npm test -- PATTERN...` runs only the test files whose path contains one of the patterns (and no check).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningStack, startStack } from '../apps/local-stack/src/index.ts';
import { runChecks } from './check.ts';
import { run } from './run.ts';
import { leftovers, testFiles } from './test-files.ts';

const root = join(import.meta.dirname, '..');
const print = (line: string) => process.stdout.write(`${line}\n`);
const count = { passed: 0, failed: 0, skipped: 0 };

interface AvaOptions {
  /** Test files at once; default: as many as there are cores. */
  readonly concurrency?: number;
  readonly timeout?: string;
  /** Far above what a tier takes; AVA's own timeout does not end a worker that ignores SIGTERM. */
  readonly limitMinutes?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** How AVA begins the titles of a file's tests. */
const titleOf = (file: string) =>
  file
    .replace(/\.test\.ts$/, '')
    .split('/')
    .join(' › ');

async function ava(tier: string, files: readonly string[], options: AvaOptions = {}): Promise<void> {
  if (files.length === 0 || stopping) return;
  let inFailure = false;
  let seen = 0;
  const startedAt = performance.now();
  const args = [
    '--tap',
    '--timeout',
    options.timeout ?? '120s',
    ...(options.concurrency ? ['--concurrency', String(options.concurrency)] : []),
    ...files,
  ];
  const limitMinutes = options.limitMinutes ?? 10;
  const silent = new Set(files);
  const { code, output, tooLong } = await run('ava', args, {
    cwd: root,
    limitMs: limitMinutes * 60_000,
    env: {
      NODE_COMPILE_CACHE: join(root, '.volley', 'cache', 'compile'),
      ...process.env,
      ...options.env,
      NO_COLOR: '1',
      FORCE_COLOR: '0',
    },
    onLine(line) {
      const result = /^(ok|not ok) \d+ - (.*?)(?: # (SKIP|TODO).*)?$/.exec(line);
      if (result) {
        seen++;
        const kind = result[3] ? 'skipped' : result[1] === 'ok' ? 'passed' : 'failed';
        count[kind]++;
        inFailure = kind === 'failed';
        for (const file of silent) if (result[2]?.startsWith(titleOf(file))) silent.delete(file);
        print(`${{ passed: 'ok  ', failed: 'FAIL', skipped: 'skip' }[kind]} ${result[2]}`);
      } else if (inFailure) print(line);
    },
  });
  print(`     ${files.length} ${tier} test files took ${Math.round((performance.now() - startedAt) / 1_000)} s`);
  if (tooLong) {
    count.failed++;
    print(`FAIL ava was killed after ${limitMinutes} minutes. Its last lines, and the files without a result:`);
    print([...output.trim().split('\n').slice(-30), ...silent].join('\n'));
  } else if (seen === 0 || (code !== 0 && count.failed === 0)) {
    count.failed++;
    print(`FAIL ava ended with ${code}`);
    print(output.trim());
  }
}

const patterns = process.argv.slice(2);
const files = testFiles(root, patterns);
const temp = mkdtempSync(join(tmpdir(), 'volley-test-'));
let stack: Promise<RunningStack> | undefined;
let stopping = false;
const givenUp = new AbortController();

function startStores(): Promise<RunningStack> {
  return startStack({
    root: join(root, '.volley'),
    cacheDir: join(root, '.volley', 'cache'),
    dataDir: join(temp, 'data'),
    logDir: join(temp, 'logs'),
    anyPorts: true,
    signal: givenUp.signal,
    log: (line) => print(`     ${line}`),
    onCrash: (component, tail) => {
      if (!stopping) print(`     ${component} died by itself:\n${tail.join('\n')}`);
    },
  });
}

async function stopAll(): Promise<void> {
  stopping = true;
  givenUp.abort(new Error('interrupted'));
  // One that could not start has stopped itself.
  const started = await stack?.catch(() => undefined);
  await started?.stop();
  stack = undefined;
  rmSync(temp, { recursive: true, force: true });
}
for (const signal of ['SIGINT', 'SIGTERM', 'disconnect'] as const) {
  process.once(signal, () => void stopAll().finally(() => process.exit(130)));
}

try {
  // They are downloaded and start while the checks and the unit tests run, of which many wait.
  if (files.int.length + files.e2e.length > 0) {
    stack = startStores();
    stack.catch((error: Error) => print(`     the stores did not start: ${error.message}`));
  }
  if (patterns.length === 0) {
    const checked = await runChecks(print);
    count.passed += checked.passed;
    count.failed += checked.failed;
  }
  await ava('unit', files.unit, { concurrency: 4 });
  if (stack !== undefined) {
    const { kafka, registry, postgres, clickhouse } = (await stack).addresses;
    const env = {
      VOLLEY_TEST_KAFKA: kafka,
      VOLLEY_TEST_REGISTRY: registry,
      VOLLEY_TEST_POSTGRES: postgres,
      VOLLEY_TEST_CLICKHOUSE: clickhouse,
    };
    await ava('integration', files.int, { env, timeout: '180s', limitMinutes: 20 });
    // What a fault takes is told by time, so no more than two of them at once; and the command line takes the ports that a
    // user gets, as the demo does.
    const isApart = (file: string) => file.startsWith('test/faults/') || file.endsWith('/commands.e2e.test.ts');
    await ava(
      'end-to-end',
      files.e2e.filter((file) => !isApart(file)),
      { env, timeout: '300s' },
    );
    const twoAtOnce = { env, concurrency: 2, timeout: '300s', limitMinutes: 25 };
    await ava('command line and fault', files.e2e.filter(isApart), twoAtOnce);
    await stopAll();
    const left = leftovers(temp);
    if (left.length > 0) {
      count.failed++;
      print(`FAIL nothing is left running: ${left.join('; ')}`);
    } else count.passed++;
  }
} catch (error) {
  count.failed++;
  print(`FAIL ${(error as Error).stack ?? error}`);
} finally {
  await stopAll();
}
process.stdout.write(
  `${count.passed} passed, ${count.failed} failed${count.skipped ? `, ${count.skipped} skipped` : ''}\n`,
  () => process.exit(count.failed === 0 ? 0 : 1),
);
