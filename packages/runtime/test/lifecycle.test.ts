import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test from 'ava';

interface Run {
  readonly child: ChildProcess;
  readonly lines: string[];
  /** Resolves when a line starts with this. */
  saw(start: string): Promise<void>;
  readonly exit: Promise<number | null>;
}

function start(...args: string[]): Run {
  const child = fork(join(import.meta.dirname, '_lifecycle-main.ts'), args, { silent: true });
  const lines: string[] = [];
  let rest = '';
  child.stdout?.on('data', (chunk) => {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    child.emit('lines');
  });
  // Not `close`: it does not come for a child whose channel was disconnected.
  const ended = once(child.stdout as NodeJS.ReadableStream, 'end');
  const exit = once(child, 'exit').then(async ([code]) => {
    await ended;
    return code as number | null;
  });
  const saw = async (text: string) => {
    while (!lines.some((l) => l.startsWith(text))) await once(child, 'lines');
  };
  return { child, lines, saw, exit };
}

/** Log lines are JSON: what the parts said is the rest. */
const said = (run: Run) => run.lines.filter((l) => !l.startsWith('{'));
const logged = (run: Run) => run.lines.filter((l) => l.startsWith('{')).map((l) => JSON.parse(l));
/** By text and not by place: a line that found the pipe busy is written at exit, after later ones. */
const logOf = (run: Run, msg: string) => logged(run).find((l) => l.msg === msg);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} stops the parts in reverse order and exits 0`, async (t) => {
    const run = start();
    await run.saw('ready');
    run.child.kill(signal);
    t.is(await run.exit, 0);
    t.deepEqual(said(run), ['ready, stopping: false', 'second stops', 'first stops, stopping: true']);
    t.is(logOf(run, 'stopping').why, signal);
    t.truthy(logOf(run, 'stopped'));
  });
}

test('a second signal within a second is the same one: the stop goes on', async (t) => {
  const run = start('slow');
  await run.saw('ready');
  run.child.kill('SIGINT');
  await run.saw('second stops');
  run.child.kill('SIGTERM');
  t.is(await run.exit, 0);
  t.is(said(run).at(-1), 'first stops, stopping: true');
});

test('a signal that comes later means now: exit 1 without the rest of the stop', async (t) => {
  const run = start('hangs', '60000');
  await run.saw('ready');
  const startMs = performance.now();
  run.child.kill('SIGTERM');
  await run.saw('second stops');
  const repeat = setInterval(() => run.child.kill('SIGTERM'), 100);
  t.is(await run.exit, 1);
  clearInterval(repeat);
  const tookMs = performance.now() - startMs;
  t.true(tookMs >= 999 && tookMs < 30_000, `${tookMs} ms`);
  t.notRegex(said(run).join(), /first stops/);
});

test('a stop that takes longer than the grace ends with 1', async (t) => {
  const run = start('hangs', '200');
  await run.saw('ready');
  run.child.kill('SIGTERM');
  t.is(await run.exit, 1);
  t.is(logOf(run, 'stop took too long').graceMs, 200);
});

test('a part that fails to stop is named, the others still stop, and the exit code says so', async (t) => {
  const run = start('fails');
  await run.saw('ready');
  run.child.kill('SIGTERM');
  t.is(await run.exit, 1);
  t.is(said(run).at(-1), 'first stops, stopping: true');
  t.like(logOf(run, 'part did not stop cleanly'), { level: 'error', part: 'second' });
});

test('a parent that is gone counts as a signal', async (t) => {
  const run = start();
  await run.saw('ready');
  run.child.disconnect();
  t.is(await run.exit, 0);
  t.is(logOf(run, 'stopping').why, 'parent is gone');
  t.is(said(run).at(-1), 'first stops, stopping: true');
});

for (const [behaviour, message] of [
  ['throws', /JSON/],
  ['rejects', /unheard/],
  ['fatal', /cannot go on/],
] as const) {
  test(`a process that ${behaviour} ends with 1 at once, says why, and stops nothing in order`, async (t) => {
    const run = start(behaviour);
    t.is(await run.exit, 1);
    const last = logOf(run, 'fatal: the process ends');
    t.is(last.level, 'fatal');
    t.regex(last.err.message, message);
    t.notRegex(said(run).join(), /stops/);
  });
}
