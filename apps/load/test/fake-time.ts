import type { PacerClock } from '../src/pacer.ts';

export interface FakeTime {
  readonly clock: PacerClock;
  nowMs(): number;
  /** Resolves at this time; what waits for the same time goes in the order of asking. */
  at(ms: number): Promise<void>;
  /** Runs until this resolves; time jumps from one wait to the next. */
  until<T>(work: Promise<T>): Promise<T>;
}

/** A clock that only moves when everything waits for it. `slack`: a timer fires so much late. */
export function fakeTime(slack: (ms: number) => number = () => 0): FakeTime {
  let now = 0;
  let order = 0;
  const waiting: { dueMs: number; order: number; resolve: () => void }[] = [];
  const at = (ms: number) =>
    new Promise<void>((resolve) => void waiting.push({ dueMs: Math.max(now, ms), order: order++, resolve }));
  return {
    clock: { nowMs: () => now, wait: (ms) => at(now + ms + slack(now + ms)) },
    nowMs: () => now,
    at,
    async until(work) {
      let over = false;
      const done = work.finally(() => {
        over = true;
      });
      for (;;) {
        // Whatever can go on without time does so first.
        await new Promise(setImmediate);
        if (over) return done;
        waiting.sort((a, b) => a.dueMs - b.dueMs || a.order - b.order);
        const next = waiting.shift();
        if (next === undefined) throw new Error('everything waits, and nobody for time');
        now = next.dueMs;
        next.resolve();
      }
    },
  };
}
