import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { createFailpoints, FailpointError } from '../src/failpoints.ts';

const run = (spec: string) => {
  const { signal, status, stdout } = spawnSync(process.execPath, [join(import.meta.dirname, '_failpoint-main.ts')], {
    env: { VOLLEY_FAILPOINTS: spec },
    encoding: 'utf8',
  });
  return { signal, status, effects: stdout.split('\n').filter(Boolean).length };
};

for (const [spec, effects] of [
  ['test.effect:kill', 0],
  ['test.effect:kill:3', 2],
  [' test.effect:kill:2 ,other:throw', 1],
] as const) {
  test(`${spec.trim()} kills the process after ${effects} effects, with nothing run after it`, (t) => {
    t.deepEqual(run(spec), { signal: 'SIGKILL', status: null, effects });
  });
}

test('without a match, or without the setting, the process does all its work', (t) => {
  t.deepEqual(run('other.place:kill'), { signal: null, status: 0, effects: 3 });
  t.deepEqual(run(''), { signal: null, status: 0, effects: 3 });
});

test('inert unless configured: hit answers nothing, around is the effect', async (t) => {
  for (const spec of [undefined, '']) {
    const failpoints = createFailpoints(spec);
    t.is(failpoints.hit('a'), undefined);
    t.is(await failpoints.around('a', async () => 7), 7);
  }
});

test('throw fails before the effect, once', async (t) => {
  const failpoints = createFailpoints('a:throw');
  let done = 0;
  const effect = async () => ++done;
  await t.throwsAsync(failpoints.around('a', effect), { instanceOf: FailpointError });
  t.is(done, 0);
  t.is(await failpoints.around('a', effect), 1);
});

test('execute-then-throw: the effect happened, and the caller is told that it failed', async (t) => {
  const failpoints = createFailpoints('a:execute-then-throw');
  let done = 0;
  await t.throwsAsync(
    failpoints.around('a', async () => ++done),
    { instanceOf: FailpointError, message: 'a' },
  );
  t.is(done, 1);
});

test('an effect that fails by itself fails with its own error', async (t) => {
  const failpoints = createFailpoints('a:execute-then-throw');
  const own = new Error('own');
  t.is(await t.throwsAsync(failpoints.around('a', () => Promise.reject(own))), own);
});

test('the n-th hit, counted for each name', (t) => {
  const failpoints = createFailpoints('a:throw:3,b:throw');
  t.notThrows(() => failpoints.hit('a'));
  t.throws(() => failpoints.hit('b'), { instanceOf: FailpointError });
  t.notThrows(() => failpoints.hit('a'));
  t.throws(() => failpoints.hit('a'), { instanceOf: FailpointError });
  t.notThrows(() => failpoints.hit('a'));
});

test('hang never goes on', async (t) => {
  const failpoints = createFailpoints('a:hang');
  const went = await Promise.race([
    Promise.resolve(failpoints.hit('a')).then(() => 'went on'),
    new Promise((resolve) => setImmediate(() => resolve('hangs'))),
  ]);
  t.is(went, 'hangs');
});

for (const spec of ['a', 'a:', ':kill', 'a:explode', 'a:throw:0', 'a:throw:x', 'a:throw:-1', 'a:throw:1.5']) {
  test(`a spec that cannot be read is refused: ${spec}`, (t) => {
    t.throws(() => createFailpoints(spec), { message: /VOLLEY_FAILPOINTS: cannot read/ });
  });
}
