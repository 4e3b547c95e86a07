import test from 'ava';
import { retryAfterMs } from '../../src/core/retry-after.ts';

const NOW = Date.UTC(1994, 10, 6, 8, 49, 7);

const rows: readonly [value: string | undefined, date: string | undefined, ms: number | undefined][] = [
  [undefined, undefined, undefined],
  ['', undefined, undefined],
  ['0', undefined, 0],
  ['120', undefined, 120_000],
  [' 7 ', undefined, 7_000],
  ['1.5', undefined, 1_500],
  ['-5', undefined, undefined],
  ['soon', undefined, undefined],
  ['1e3', undefined, undefined],
  ['99999999999999999999', undefined, undefined],
  ['1994', undefined, 1_994_000],
  ['1994-11-06', undefined, undefined],
  // The three forms of RFC 9110 5.6.7.
  ['Sun, 06 Nov 1994 08:49:37 GMT', undefined, 30_000],
  ['Sunday, 06-Nov-94 08:49:37 GMT', undefined, 30_000],
  ['Sun Nov  6 08:49:37 1994', undefined, 30_000],
  ['Sun, 06 Nov 1994 08:00:00 GMT', undefined, 0],
  // A provider whose clock is two hours ahead still means its own thirty seconds.
  ['Sun, 06 Nov 1994 10:49:37 GMT', 'Sun, 06 Nov 1994 10:49:07 GMT', 30_000],
  ['Sun, 06 Nov 1994 08:49:37 GMT', 'yesterday', 30_000],
  ['5', 'Sun, 06 Nov 1994 10:49:07 GMT', 5_000],
];
for (const [value, date, ms] of rows) {
  test(`Retry-After ${JSON.stringify(value)}${date === undefined ? '' : ` at ${date}`} is ${ms} ms`, (t) => {
    t.is(retryAfterMs(value, date, NOW), ms);
  });
}
