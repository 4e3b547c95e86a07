import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import { StackError, type SuperviseOptions, superviseService } from '../src/index.ts';
import { logTail, openLog } from '../src/process/log-tail.ts';
import { endLeftover, writePidFile } from '../src/process/pid-file.ts';
import { tryLock, waitForLock } from '../src/process/process-lock.ts';
import { isAlive } from '../src/process/process-table.ts';
import { secretFile } from '../src/process/secret-file.ts';
import { ensureEntry } from '../src/setup/cache.ts';
import { until } from './support/stacks.ts';

const root = mkdtempSync(path.join(os.tmpdir(), 'volley-process-'));
test.after.always(() => rmSync(root, { recursive: true, force: true }));

let counter = 0;
const fresh = () => path.join(root, String(++counter));

/** A service that appends its pid to a file, then does what `then` says. */
function service(then: string, overrides: Partial<SuperviseOptions> = {}) {
  const file = fresh();
  const lines: string[] = [];
  const pids: number[] = [];
  const script = `require('fs').appendFileSync(${JSON.stringify(file)}, process.pid + '\\n'); ${then}`;
  const starts = () => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number) : []);
  const options: SuperviseOptions = {
    name: 'service',
    command: process.execPath,
    args: ['-e', script],
    env: { PATH: process.env.PATH, GONE: undefined },
    logFile: fresh(),
    cwd: root,
    ready: async () => starts().length > 0,
    restart: true,
    onPid: (pid) => pids.push(pid),
    log: (line) => lines.push(line),
    ...overrides,
  };
  return { options, starts, lines, pids };
}

test('a service that is killed starts again, with its new pid told and the reason said', async (t) => {
  const { options, starts, lines, pids } = service('setInterval(() => {}, 1000)');
  const running = await superviseService(options);
  t.is(running.pid(), starts()[0] as number);
  process.kill(running.pid(), 'SIGKILL');
  await until(() => starts().length === 2, 'the second start');
  t.deepEqual(pids, starts());
  t.is(running.pid(), pids[1] as number);
  t.deepEqual(lines, ['service ended by SIGKILL, starting it again in 0.2 s']);
  await running.stop();
  t.false(isAlive(pids[1] as number));
});

test('a service that keeps dying is started for ever, each time a little later, and stop ends that', async (t) => {
  const exits: (number | null)[] = [];
  const { options, starts, lines } = service(`console.log('last words'); process.exit(3)`, {
    onExit: (code) => exits.push(code),
  });
  const running = await superviseService(options);
  await until(() => starts().length >= 3, 'three starts');
  await running.stop();
  const count = starts().length;
  t.deepEqual(lines.slice(0, 2), [
    'service ended with code 3, starting it again in 0.2 s',
    'service ended with code 3, starting it again in 0.4 s',
  ]);
  t.deepEqual(new Set(exits), new Set([3]));
  t.true(readFileSync(options.logFile, 'utf8').includes('last words'));
  t.is(starts().length, count);
});

test('a service that must not be restarted fails its start with its last words', async (t) => {
  const { options, starts } = service(`console.error('bad config'); process.exit(1)`, {
    restart: false,
    ready: async () => false,
  });
  const error = await t.throwsAsync(superviseService(options), { instanceOf: StackError });
  t.regex(error?.message ?? '', /service ended with code 1.*bad config/s);
  t.is(starts().length, 1);
});

test('a service that is never ready fails its start, and is not left running', async (t) => {
  const { options, pids } = service('setInterval(() => {}, 1000)', { ready: async () => false, readyTimeoutMs: 300 });
  await t.throwsAsync(superviseService(options), {
    instanceOf: StackError,
    message: /service did not start: not ready/,
  });
  t.false(isAlive(pids[0] as number));
});

test('stop kills a service that does not listen to SIGTERM, after the grace', async (t) => {
  const { options } = service(`process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)`, { stopGraceMs: 200 });
  const running = await superviseService(options);
  await Promise.all([running.stop(), running.stop()]);
  t.false(isAlive(running.pid()));
});

test('a service has the environment it was given and no more', async (t) => {
  const file = fresh();
  const { options } = service(
    `require('fs').writeFileSync(${JSON.stringify(file)}, JSON.stringify(Object.keys(process.env))); setInterval(() => {}, 1000)`,
    {
      ready: async () => existsSync(file),
    },
  );
  const running = await superviseService(options);
  t.deepEqual(JSON.parse(readFileSync(file, 'utf8')), ['PATH']);
  await running.stop();
});

const onLinux = process.platform === 'linux' ? test : test.skip;
onLinux('a service is not in our process group: Ctrl-C does not reach it', async (t) => {
  const { options } = service('setInterval(() => {}, 1000)');
  const running = await superviseService(options);
  const group = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[2];
  t.is(group(running.pid()), String(running.pid()));
  await running.stop();
});

function sleeper(...args: string[]): ChildProcess & { pid: number } {
  return spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', ...args], {
    stdio: 'ignore',
  }) as ChildProcess & { pid: number };
}

test('a leftover that names our folder is ended', async (t) => {
  const child = sleeper('/some/data/kafka');
  const file = fresh();
  writePidFile(file, child.pid);
  t.true(await endLeftover(file, '/some/data', () => {}));
  t.false(isAlive(child.pid));
  t.false(existsSync(file));
});

test('a process that has come by an old pid is left alone', async (t) => {
  const child = sleeper('/other/data');
  const file = fresh();
  writePidFile(file, child.pid);
  t.false(await endLeftover(file, '/some/data', () => {}));
  t.true(isAlive(child.pid));
  child.kill('SIGKILL');
});

for (const [name, content] of [
  ['none', undefined],
  ['empty', ''],
  ['of no number', 'x'],
  ['of a process that is gone', '4194304'],
] as const) {
  test(`a pid file ${name} means no leftover`, async (t) => {
    const file = fresh();
    if (content !== undefined) writeFileSync(file, content);
    t.false(await endLeftover(file, '/', () => {}));
  });
}

test('a lock has one owner, who can be named, and is free again after release', async (t) => {
  const key = fresh();
  const first = await tryLock(key);
  t.true(first.held);
  t.deepEqual(await tryLock(key), { held: false, ownerPid: process.pid });
  if (first.held) await first.lock.release();
  const again = await tryLock(key);
  t.true(again.held);
  if (again.held) await again.lock.release();
});

test('a lock is free once its owner was killed', async (t) => {
  const key = fresh();
  const lockModule = JSON.stringify(new URL('../src/process/process-lock.ts', import.meta.url).href);
  const script = `const { waitForLock } = await import(${lockModule}); await waitForLock(${JSON.stringify(key)}, () => {}); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  const held = async () => {
    const result = await tryLock(key);
    if (result.held) await result.lock.release();
    return !result.held;
  };
  await until(held, 'the child holds the lock');
  child.kill('SIGKILL');
  const lock = await waitForLock(key, () => {});
  t.false((await tryLock(key)).held, 'it is ours now');
  await lock.release();
});

const context = (cacheDir: string) => ({ cacheDir, logFile: path.join(cacheDir, 'log'), log: () => {} });

test('a cache entry is made once, also when many ask at the same time', async (t) => {
  const cacheDir = fresh();
  let made = 0;
  const make = async (folder: string) => {
    made++;
    await new Promise((resolve) => setImmediate(resolve));
    writeFileSync(path.join(folder, 'file'), 'x');
  };
  const entries = await Promise.all(Array.from({ length: 5 }, () => ensureEntry(context(cacheDir), 'thing', make)));
  t.is(made, 1);
  t.deepEqual(new Set(entries), new Set([path.join(cacheDir, 'thing')]));
});

test('a cache entry that failed, or whose making was killed, is made anew and leaves nothing', async (t) => {
  const cacheDir = fresh();
  mkdirSync(path.join(cacheDir, '.making-thing-killed'), { recursive: true });
  await t.throwsAsync(
    ensureEntry(context(cacheDir), 'thing', async (folder) => {
      writeFileSync(path.join(folder, 'half'), '');
      throw new Error('no network');
    }),
    { message: 'no network' },
  );
  t.deepEqual(readdirSync(cacheDir), []);
  const entry = await ensureEntry(context(cacheDir), 'thing', async (folder) =>
    writeFileSync(path.join(folder, 'whole'), ''),
  );
  t.deepEqual(readdirSync(entry), ['whole']);
});

test('a secret is made once and differs between folders', (t) => {
  const [left, right] = [fresh(), fresh()];
  t.is(secretFile(left, 'postgres'), secretFile(left, 'postgres'));
  t.not(secretFile(left, 'postgres'), secretFile(right, 'postgres'));
  t.regex(secretFile(left, 'postgres'), /^[\w-]{20,}$/);
});

test('the tail of a log begins where this run began', (t) => {
  const file = fresh();
  writeFileSync(file, 'an older run\n');
  const { startOffset } = openLog(file);
  writeFileSync(file, 'one\n\ntwo\nthree\n', { flag: 'a' });
  t.deepEqual(logTail(file, startOffset, 2), ['two', 'three']);
  t.deepEqual(logTail(file, startOffset), ['one', 'two', 'three']);
  t.deepEqual(logTail(fresh(), 0), []);
});
