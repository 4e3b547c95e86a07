import test from 'ava';
import fc from 'fast-check';
import { backoffMs, sleep } from '../src/backoff.ts';

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const attempt = fc.integer({ min: 1, max: 2_000 });
const range = fc
  .integer({ min: 1, max: 60_000 })
  .chain((base) => fc.tuple(fc.constant(base), fc.integer({ min: base, max: 3_600_000 })));

const KNOWN: [attempt: number, random: number, expected: number][] = [
  [1, 0, 50],
  [1, 1, 100],
  [2, 1, 200],
  [3, 0.5, 300],
  [4, 1, 800],
  [5, 1, 1_000],
  [5_000, 1, 1_000],
];
for (const [n, r, expected] of KNOWN) {
  test(`attempt ${n} with chance ${r}: ${expected} ms of 100 to 1000`, (t) => {
    t.is(backoffMs(n, 100, 1_000, r), expected);
  });
}

test('never above the cap, never below half of the full delay, always a whole number', (t) => {
  fc.assert(
    fc.property(attempt, range, random, (n, [base, cap], r) => {
      const ms = backoffMs(n, base, cap, r);
      const full = Math.min(cap, base * 2 ** (n - 1));
      t.true(Number.isInteger(ms));
      t.true(ms >= Math.floor(full / 2) && ms <= full, `${ms} of ${full}`);
    }),
  );
});

test('grows with the attempt and with chance', (t) => {
  fc.assert(
    fc.property(attempt, range, random, random, (n, [base, cap], r, s) => {
      t.true(backoffMs(n + 1, base, cap, r) >= backoffMs(n, base, cap, r));
      t.true(backoffMs(n, base, cap, Math.max(r, s)) >= backoffMs(n, base, cap, Math.min(r, s)));
    }),
  );
});

test('an attempt below 1 counts as the first', (t) => {
  t.is(backoffMs(0, 100, 1_000, 0), backoffMs(1, 100, 1_000, 0));
  t.is(backoffMs(-5, 100, 1_000, 0), backoffMs(1, 100, 1_000, 0));
});

test('sleep ends at once when its signal aborts, before or meanwhile', async (t) => {
  const startMs = performance.now();
  await sleep(60_000, AbortSignal.abort());
  const controller = new AbortController();
  const waiting = sleep(60_000, controller.signal);
  controller.abort();
  await waiting;
  t.true(performance.now() - startMs < 5_000);
});

test('sleep lasts as long as it says', async (t) => {
  const startMs = performance.now();
  await sleep(30);
  t.true(performance.now() - startMs >= 29);
});
