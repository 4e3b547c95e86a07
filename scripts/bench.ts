/**
 * `npm run bench [-- NAME...]`: runs the benches whose file name contains one of the names (all by default), each with
 * its floor in the same run, against a stack of its own. Prints a table, writes .volley/bench/<time>.json;
 * `--write-docs` makes docs/benchmarks.md from it. Against scripts/bench-baseline.json it tells what changed; with `--compare`
 * a regression is exit code 1. `--write-baseline` keeps what ran as the new baseline, and the other benches as they were.
 *
 * A bench is a program `bench/*.bench.ts`. It finds the stores in VOLLEY_TEST_* and prints, as its last line on stdout,
 * one JSON document: {"bench": "...", "rows": [{"name", "value", "unit", "floor"?, "note"?}]}. `floor` names another
 * row of the same document: the bare client or engine doing the same work.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { startStack } from '../apps/local-stack/src/index.ts';
import { type Baseline, compared, comparisonTable, written } from './bench-baseline.ts';
import { withRun } from './bench-docs.ts';
import { type BenchResult, type BenchRun, tableOf } from './bench-table.ts';
import { run } from './run.ts';

const root = join(import.meta.dirname, '..');
const args = process.argv.slice(2);
const OPTIONS = ['--write-docs', '--write-baseline', '--compare'];
const unknown = args.filter((a) => a.startsWith('--') && !OPTIONS.includes(a));
if (unknown.length > 0) {
  process.stderr.write(`bench: ${unknown.join(' ')}: usage: npm run bench [-- NAME… ${OPTIONS.join(' ')}]\n`);
  process.exit(2);
}
const names = args.filter((a) => !a.startsWith('--'));
const baselineFile = join(root, 'scripts', 'bench-baseline.json');
const baseline: Baseline = existsSync(baselineFile) ? JSON.parse(readFileSync(baselineFile, 'utf8')) : {};

const git = (...a: string[]): string => execFileSync('git', a, { cwd: root, encoding: 'utf8' }).trim();

function machine(): string {
  const processor = cpus()[0]?.model.trim() ?? 'unknown';
  return `${cpus().length} cores (${processor}), ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}, Node ${process.versions.node}; shared and noisy: compare within one run`;
}

const files = globSync(['packages/*/bench/*.bench.ts', 'services/*/bench/*.bench.ts', 'apps/*/bench/*.bench.ts'], {
  cwd: root,
})
  .filter((file) => names.length === 0 || names.some((n) => file.includes(n)))
  .sort();
if (files.length === 0) {
  process.stderr.write(`bench: no bench is called ${names.join(' or ')}\n`);
  process.exit(2);
}

const temp = mkdtempSync(join(tmpdir(), 'volley-bench-'));
const log = (line: string) => process.stderr.write(`${line}\n`);
const stack = await startStack({
  root: join(root, '.volley'),
  cacheDir: join(root, '.volley', 'cache'),
  dataDir: join(temp, 'data'),
  logDir: join(temp, 'logs'),
  anyPorts: true,
  log,
  onCrash: (component, tail) => log(`${component} died:\n${tail.join('\n')}`),
});
let stopped: Promise<void> | undefined;
const stop = () => {
  stopped ??= stack.stop().finally(() => rmSync(temp, { recursive: true, force: true }));
  return stopped;
};
for (const signal of ['SIGINT', 'SIGTERM', 'disconnect'] as const)
  process.once(signal, () => void stop().finally(() => process.exit(130)));

const results: BenchResult[] = [];
let failed = 0;
try {
  const env = {
    ...process.env,
    VOLLEY_TEST_KAFKA: stack.addresses.kafka,
    VOLLEY_TEST_REGISTRY: stack.addresses.registry,
    VOLLEY_TEST_POSTGRES: stack.addresses.postgres,
    VOLLEY_TEST_CLICKHOUSE: stack.addresses.clickhouse,
    VOLLEY_TEST_PIDS: JSON.stringify(stack.pids),
    VOLLEY_TEST_TEMP: temp,
  };
  for (const file of files) {
    log(`bench ${file}`);
    const { code, output } = await run('node', ['--disable-warning=TimeoutNegativeWarning', file], {
      cwd: root,
      env,
      onLine: (line) => line.startsWith('{') || log(`  ${line}`),
    });
    const last = output.trim().split('\n').at(-1) ?? '';
    if (code !== 0 || !last.startsWith('{')) {
      failed++;
      log(`bench ${file} failed with ${code}:\n${output.slice(-2_000)}`);
      continue;
    }
    results.push(JSON.parse(last) as BenchResult);
  }
} finally {
  await stop();
}

const document: BenchRun = {
  date: new Date().toISOString(),
  commit: git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') ? ' with local changes' : ''),
  machine: machine(),
  command: `npm run bench${args.length ? ` -- ${args.join(' ')}` : ''}`,
  results,
};
const tables = results.flatMap(tableOf);
const comparison = compared(baseline, results);
const judged = comparison.filter(({ verdict }) => verdict !== 'no floor');
process.stdout.write(`${[...tables, ...(judged.length > 0 ? comparisonTable(judged) : [])].join('\n')}\n`);
const folder = join(root, '.volley', 'bench');
mkdirSync(folder, { recursive: true });
const file = join(folder, `${document.date.replaceAll(':', '-')}.json`);
writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
log(`written: ${file}`);
if (args.includes('--write-docs')) {
  const page = join(root, 'docs', 'benchmarks.md');
  writeFileSync(page, withRun(readFileSync(page, 'utf8'), document));
  log('docs/benchmarks.md written');
}
if (args.includes('--write-baseline')) {
  writeFileSync(baselineFile, `${JSON.stringify(written(baseline, document), null, 2)}\n`);
  log('scripts/bench-baseline.json written');
}
const worse = judged.filter(({ verdict }) => verdict === 'regression' || verdict === 'gone');
for (const { bench, row, verdict } of worse) log(`${verdict}: ${row} (${bench})`);
const nothing = comparison.every((row) => row.worse === undefined);
if (args.includes('--compare') && nothing) log('the baseline has no row of what ran: nothing was compared');
process.exit(failed > 0 || (args.includes('--compare') && (nothing || worse.length > 0)) ? 1 : 0);
