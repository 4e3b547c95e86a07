/**
 * Whether a stretch of calls was bad enough to stop calling. Either more than `ratio` of at least 20 calls failed, in thirty
 * seconds or in the last five: a fast provider that fails now is not excused by the thousands of calls that went well
 * before. Or all of a few failed: ten, or five over as many seconds, which is how a destination that never answers is
 * found out by a handful of calls.
 */
export interface FailureWindow {
  succeeded(nowMs: number): void;
  /** True: bad enough. */
  failed(nowMs: number): boolean;
  clear(): void;
}

const SECONDS = 30;
const SHORT_SECONDS = 5;
/** Of a provider that fails one call in ten, more than half of 20 fail once in 300,000 times. */
const ENOUGH = 20;
const ALL_OF = 10;
const ALL_OF_SLOW = 5;

export function createFailureWindow(ratio: number): FailureWindow {
  const good = new Array<number>(SECONDS).fill(0);
  const bad = new Array<number>(SECONDS).fill(0);
  let second = Number.NEGATIVE_INFINITY;

  /** Seconds that have passed since are empty. */
  const at = (nowMs: number): number => {
    const now = Math.max(second, Math.floor(nowMs / 1_000));
    const from = Math.max(second + 1, now - SECONDS + 1);
    for (let s = from; s <= now; s++) {
      good[slot(s)] = 0;
      bad[slot(s)] = 0;
    }
    second = now;
    return slot(now);
  };
  const slot = (s: number) => ((s % SECONDS) + SECONDS) % SECONDS;

  const sumOf = (seconds: number) => {
    const sum = { good: 0, bad: 0, firstBad: second };
    for (let s = second; s > second - seconds; s--) {
      sum.good += good[slot(s)] as number;
      sum.bad += bad[slot(s)] as number;
      if ((bad[slot(s)] as number) > 0) sum.firstBad = s;
    }
    return sum;
  };

  return {
    succeeded(nowMs) {
      const i = at(nowMs);
      good[i] = (good[i] as number) + 1;
    },
    failed(nowMs) {
      const i = at(nowMs);
      bad[i] = (bad[i] as number) + 1;
      const long = sumOf(SECONDS);
      if (long.good === 0 && ratio < 1) {
        if (long.bad >= ALL_OF || (long.bad >= ALL_OF_SLOW && long.firstBad <= second - SHORT_SECONDS)) return true;
      }
      return [long, sumOf(SHORT_SECONDS)].some((sum) => {
        const all = sum.good + sum.bad;
        return all >= ENOUGH && sum.bad > ratio * all;
      });
    },
    clear() {
      good.fill(0);
      bad.fill(0);
    },
  };
}
