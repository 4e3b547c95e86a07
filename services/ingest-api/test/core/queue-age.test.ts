import test from 'ava';
import fc from 'fast-check';
import { createQueueAge } from '../../src/core/queue-age.ts';

const LOOK_MS = 10_000;
const one = (log_end: number, next: number, age_ms: number | null = null, partition = 0) => ({
  partition,
  log_end,
  lag: log_end - next,
  age_ms,
});

test('nothing waits: 0; what the log told counts as it is', (t) => {
  const age = createQueueAge();
  t.is(age([one(10, 10, 0)], 0), 0);
  t.is(age([one(20, 10, 1_234)], 5), 1_234);
  t.is(age([], 5), undefined);
});

test('a first look at a queue that lags says nothing', (t) => {
  t.is(createQueueAge()([one(20, 10)], 0), undefined);
});

test('the oldest partition counts, and one that is not known is left out', (t) => {
  const age = createQueueAge();
  t.is(age([one(20, 10, 100, 0), one(20, 10, 900, 1), one(20, 10, null, 2)], 0), 900);
});

test('a queue that stands still grows older from look to look', (t) => {
  const age = createQueueAge();
  age([one(10, 10)], 0);
  for (const n of [1, 2, 3, 100]) t.is(age([one(10 + n, 10)], n * LOOK_MS), n * LOOK_MS);
});

test('it holds for hours in which nothing is settled', (t) => {
  const age = createQueueAge();
  age([one(10, 10)], 0);
  for (let n = 1; n <= 10_000; n++) age([one(10 + n, 10)], n * LOOK_MS);
  t.is(age([one(20_000, 10)], 10_001 * LOOK_MS), 10_001 * LOOK_MS);
});

test('the age is never too low, and too high by no more than the time between two looks', (t) => {
  const step = fc.record({ written: fc.nat(5), settled: fc.nat(8) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 2, maxLength: 60 }), (steps) => {
      const age = createQueueAge();
      /** When each record was written: somewhere between two looks. */
      const writtenAtMs: number[] = [];
      let next = 0;
      age([one(0, 0)], 0);
      steps.forEach(({ written, settled }, i) => {
        const nowMs = (i + 1) * LOOK_MS;
        for (let k = 0; k < written; k++) writtenAtMs.push(nowMs - LOOK_MS + ((k + 1) * LOOK_MS) / (written + 1));
        next = Math.min(writtenAtMs.length, next + settled);
        const told = age([one(writtenAtMs.length, next)], nowMs) as number;
        const oldest = writtenAtMs[next];
        const really = oldest === undefined ? 0 : nowMs - oldest;
        t.true(told >= really && told <= really + (oldest === undefined ? 0 : LOOK_MS), `${told} for ${really}`);
      });
    }),
  );
});
