import test from 'ava';
import { createBreakers } from '../../src/adapters/breakers.ts';
import type { Health } from '../../src/core/health.ts';

/** Breaker changes come by microtasks; this is after all of them. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

function setUp(ratio?: number) {
  const breakers = createBreakers({ random: () => 1, ...(ratio === undefined ? {} : { ratio }) });
  const changes: string[] = [];
  breakers.onChange((on) => changes.push(on));
  const call = async (key: string, health: Health, nowMs: number) => {
    const ticket = breakers.start(key, nowMs);
    breakers.end(key, ticket, health, nowMs);
    await settled();
  };
  const many = async (key: string, health: Health, count: number, nowMs: number) => {
    for (let i = 0; i < count; i++) await call(key, health, nowMs);
  };
  return { breakers, changes, call, many };
}

test('a key that never failed is closed and costs nothing', async (t) => {
  const { breakers, many } = setUp();
  await many('p', 'answered', 50, 0);
  t.is(breakers.openUntilMs('p', 0), 0);
  t.deepEqual(breakers.open(), []);
});

for (const health of ['silent', 'erring'] as const) {
  test(`calls that all end ${health} open it, for this key only`, async (t) => {
    const { breakers, changes, many } = setUp();
    await many('p', health, 10, 1_000);
    t.is(breakers.openUntilMs('p', 1_000), 2_000);
    t.is(breakers.openUntilMs('q', 1_000), 0);
    t.deepEqual(changes, ['breaker:p']);
    t.deepEqual(breakers.open(), [{ key: 'p', state: 'open', untilMs: 2_000 }]);
  });
}

for (const health of ['answered', 'throttled', 'none'] as const) {
  test(`calls that end ${health} never open it`, async (t) => {
    const { breakers, many } = setUp();
    await many('p', 'silent', 1, 0);
    await many('p', health, 100, 0);
    t.is(breakers.openUntilMs('p', 0), 0);
  });
}

test('one probe at a time; answered, it closes and says so', async (t) => {
  const { breakers, changes, many } = setUp();
  await many('p', 'silent', 10, 0);
  t.is(breakers.openUntilMs('p', 999), 1_000);
  t.is(breakers.openUntilMs('p', 1_000), 0);
  const probe = breakers.start('p', 1_000);
  t.is(breakers.openUntilMs('p', 1_000), Number.POSITIVE_INFINITY);
  t.is(breakers.open()[0]?.state, 'probing');
  changes.length = 0;
  breakers.end('p', probe, 'answered', 1_050);
  await settled();
  t.is(breakers.openUntilMs('p', 1_050), 0);
  t.deepEqual(changes, ['breaker:p']);
  t.deepEqual(breakers.open(), []);
});

test('a probe that is told to slow down has found somebody', async (t) => {
  const { breakers, call, many } = setUp();
  await many('p', 'silent', 10, 0);
  await call('p', 'throttled', 1_000);
  t.is(breakers.openUntilMs('p', 1_000), 0);
  t.deepEqual(breakers.open(), []);
});

test('failed probes wait longer each time, up to a minute; after it has closed, a second again', async (t) => {
  const { breakers, call, many } = setUp();
  await many('p', 'silent', 10, 0);
  const waits: number[] = [];
  let nowMs = 0;
  for (let i = 0; i < 9; i++) {
    const untilMs = breakers.openUntilMs('p', nowMs);
    waits.push((untilMs - nowMs) / 1_000);
    nowMs = untilMs;
    await call('p', 'erring', nowMs);
  }
  t.deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
  nowMs = breakers.openUntilMs('p', nowMs);
  await call('p', 'answered', nowMs);
  await many('p', 'silent', 30, nowMs + 1);
  t.is(breakers.openUntilMs('p', nowMs + 1), nowMs + 1_001);
});

test('a probe that was never called lets another one try', async (t) => {
  const { breakers, changes, call, many } = setUp();
  await many('p', 'silent', 10, 0);
  changes.length = 0;
  await call('p', 'none', 1_000);
  t.is(breakers.openUntilMs('p', 1_000), 0);
  t.deepEqual(changes, ['breaker:p']);
  await call('p', 'answered', 1_000);
  t.deepEqual(breakers.open(), []);
});

test('calls from before it opened decide nothing any more', async (t) => {
  const { breakers, many } = setUp();
  const early = Array.from({ length: 20 }, () => breakers.start('p', 0));
  const last = Array.from({ length: 20 }, () => breakers.start('p', 0));
  await many('p', 'silent', 10, 0);
  for (const ticket of early.slice(0, 10)) breakers.end('p', ticket, 'answered', 1_500);
  await settled();
  t.is(breakers.open()[0]?.state, 'open');
  const probe = breakers.start('p', 1_500);
  for (const ticket of early.slice(10)) breakers.end('p', ticket, 'silent', 1_600);
  await settled();
  t.is(breakers.open()[0]?.state, 'probing');
  breakers.end('p', probe, 'answered', 1_700);
  await settled();
  t.deepEqual(breakers.open(), []);
  for (const ticket of last) breakers.end('p', ticket, 'silent', 1_800);
  await settled();
  t.deepEqual(breakers.open(), []);
});

test('answers that come in the same moment open it once', async (t) => {
  const { breakers, changes } = setUp();
  const tickets = Array.from({ length: 40 }, () => breakers.start('p', 0));
  for (const ticket of tickets) breakers.end('p', ticket, 'silent', 8_000);
  await settled();
  t.is(breakers.openUntilMs('p', 8_000), 9_000);
  t.deepEqual(changes, ['breaker:p']);
});

test('a wall clock that goes back an hour keeps nothing open', async (t) => {
  const { breakers, call, many } = setUp();
  await many('p', 'silent', 10, 0);
  const { now } = Date;
  Date.now = () => now() - 3_600_000;
  try {
    await call('p', 'answered', 1_000);
  } finally {
    Date.now = now;
  }
  t.is(breakers.openUntilMs('p', 1_000), 0);
});

test('a ratio of one never opens', async (t) => {
  const { breakers, many } = setUp(1);
  await many('p', 'silent', 100, 0);
  t.is(breakers.openUntilMs('p', 0), 0);
});

test('what nobody has anything for any more is forgotten', async (t) => {
  const { breakers, call, many } = setUp();
  await many('dead', 'silent', 10, 0);
  t.is(breakers.open().length, 1);
  await call('other', 'silent', 700_000);
  t.deepEqual(breakers.open(), []);
  t.is(breakers.start('dead', 700_000), 0);
});
