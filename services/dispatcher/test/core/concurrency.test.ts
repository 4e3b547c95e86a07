import test from 'ava';
import fc from 'fast-check';
import { createConcurrency } from '../../src/core/concurrency.ts';

/** Rounds of as many calls at once as are allowed; those beyond `capacity` meet congestion. */
function run(c: ReturnType<typeof createConcurrency>, ceiling: number, capacity: number, rounds: number): number[] {
  const limits: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const limit = c.limit(ceiling);
    limits.push(limit);
    const calls = Array.from({ length: limit }, () => c.started());
    calls.forEach((call, i) => {
      c.landed(call, i >= capacity, limit - i, ceiling);
    });
  }
  return limits;
}
const average = (values: number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;

test('all that is allowed, until something speaks against it', (t) => {
  const c = createConcurrency();
  t.is(c.limit(64), 64);
  run(c, 64, 64, 20);
  t.is(c.limit(64), 64);
  t.is(c.limit(9.7), 9);
  t.is(c.limit(0.2), 1);
});

for (const capacity of [5, 20, 100]) {
  test(`finds a provider that bears ${capacity} calls of 256 allowed, and stays near`, (t) => {
    const limits = run(createConcurrency(), 256, capacity, 400).slice(100);
    t.true(average(limits) > capacity * 0.7, `average ${average(limits)}`);
    t.true(average(limits) < capacity * 1.3 + 4, `average ${average(limits)}`);
  });
}

test('a provider that bears nothing is called one at a time, and never not at all', (t) => {
  const c = createConcurrency();
  run(c, 256, 0, 40);
  t.is(c.limit(256), 1);
});

test('when it bears all again, the ceiling is reached within a hundred rounds', (t) => {
  const c = createConcurrency();
  c.collapse();
  t.is(c.limit(512), 1);
  const limits = run(c, 512, 512, 100);
  t.is(limits.at(-1), 512);
  t.true(
    limits.every((limit, i) => limit - (limits[i - 1] ?? limit) <= 10),
    'in steps',
  );
});

test('one call in twenty that never answers is no congestion', (t) => {
  const c = createConcurrency();
  for (let i = 0; i < 2_000; i++) c.landed(c.started(), i % 20 === 0, 64, 64);
  t.is(c.limit(64), 64);
});

test('the calls of one moment count once', (t) => {
  const c = createConcurrency();
  const calls = Array.from({ length: 100 }, () => c.started());
  calls.forEach((call, i) => {
    c.landed(call, true, 100 - i, 100);
  });
  t.is(c.limit(100), 70);
});

test('a limit that nobody comes near does not grow', (t) => {
  const c = createConcurrency();
  run(c, 100, 0, 3);
  const low = c.limit(100);
  for (let i = 0; i < 1_000; i++) c.landed(c.started(), false, 1, 100);
  t.is(c.limit(100), low);
});

test('whatever happens, the limit lies between one and the ceiling', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ congested: fc.boolean(), inUse: fc.integer({ min: 1, max: 600 }), collapse: fc.boolean() }),
        ),
        fc.double({ min: 0.1, max: 600, noNaN: true }),
        (steps, ceiling) => {
          const c = createConcurrency();
          return steps.every(({ congested, inUse, collapse }) => {
            if (collapse) c.collapse();
            c.landed(c.started(), congested, inUse, ceiling);
            const limit = c.limit(ceiling);
            return Number.isInteger(limit) && limit >= 1 && limit <= Math.max(1, ceiling);
          });
        },
      ),
    ),
  );
});
