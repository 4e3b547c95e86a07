import test from 'ava';
import { formatAgo, formatBytes, formatDuration, formatRate, formatShare, formatUtc } from '../src/format.ts';

/** Of the shares only what must never be said wrongly: the reader's locale writes the rest. */
const SHARES: readonly [part: number, whole: number, says: RegExp][] = [
  [0, 0, /^–$/],
  [0, 100, /^0\D*%$/],
  [100, 100, /^100\D*%$/],
  [999_999, 1_000_000, /^99[.,]99\D*%$/],
  [9_999_999, 10_000_000, /^99[.,]99\D*%$/],
  [1, 10_000_000, /^< 0[.,]01\D*%$/],
  [97, 10_000, /^0[.,]97\D*%$/],
  [1, 3, /^33[.,]3\D*%$/],
];
for (const [part, whole, says] of SHARES)
  test(`${part} of ${whole} is ${says}`, (t) => {
    t.regex(formatShare(part, whole), says);
  });

const DURATIONS: readonly [ms: number | null, says: RegExp][] = [
  [null, /^–$/],
  [Number.POSITIVE_INFINITY, /^–$/],
  [0, /^0\D+$/],
  [999, /^999\D+$/],
  [1_000, /^1\D+$/],
  [59_990, /^59[.,]99\D+$/],
  [61_000, /^1\D+1\D+$/],
  [7_200_000, /^2\D+0\D+$/],
  [172_800_000, /^2\D+0\D+$/],
];
for (const [ms, says] of DURATIONS)
  test(`${ms} ms is ${says}`, (t) => {
    t.regex(formatDuration(ms), says);
  });

test('a rate keeps as many digits as say something', (t) => {
  t.regex(formatRate(0.456), /^0[.,]46$/);
  t.regex(formatRate(435.84), /^435[.,]8$/);
  t.regex(formatRate(12_345.6), /^12\D?346$/);
});

test('bytes in the unit that fits, also none', (t) => {
  t.regex(formatBytes(0), /^0\D+$/);
  t.regex(formatBytes(999), /^999\D+$/);
  t.regex(formatBytes(1_500_000), /^1[.,]5\D+$/);
  t.regex(formatBytes(5e12), /^5\D?000\D+$/);
});

test('an age is told in the largest unit that it fills', (t) => {
  const now = Date.parse('2026-11-22T12:00:00Z');
  t.regex(formatAgo('2026-11-22T11:59:30Z', now), /30/);
  t.regex(formatAgo('2026-11-22T11:55:00Z', now), /5/);
  t.regex(formatAgo('2026-11-20T11:00:00Z', now), /2/);
});

test('the tooltip of a time is UTC, to the millisecond', (t) => {
  t.is(formatUtc('2026-11-22T13:00:00.5+01:00'), '2026-11-22 12:00:00.500 UTC');
});
