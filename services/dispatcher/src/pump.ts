/**
 * Longest time that starting messages takes in one go. A render may take 150 ms and hundreds may be free to start: done in
 * one go they would starve the heartbeat of this process's group, and each restart would meet the same messages again.
 */
export const SLICE_MS = 30;
const MAX_TIMER_MS = 3_600_000; // setTimeout fires at once beyond 2^31

/** Starts what may start, in slices with room for everything else between them. */
export interface Pump {
  /** Whenever something may have become able to start. Cheap while the next slice is due anyway. */
  run(): void;
  /** Nothing more by itself. */
  stop(): void;
}

export function createPump(options: {
  readonly monotonicMs: () => number;
  readonly mayStart: () => boolean;
  /** Starts one; false if there is none that may. */
  readonly startNext: (nowMs: number) => boolean;
  /** When there is something to start although nobody calls `run`; Infinity if never. */
  readonly nextDueMs: () => number;
}): Pump {
  const { monotonicMs, mayStart, startNext } = options;
  let timer: NodeJS.Timeout | undefined;
  let next: NodeJS.Immediate | undefined;

  function run(): void {
    // Hundreds of answers may arrive between two slices: each of them starting one of its own would be no slice at all.
    if (next === undefined) slice();
  }

  function slice(): void {
    next = undefined;
    if (!mayStart()) return;
    let nowMs = monotonicMs();
    const untilMs = nowMs + SLICE_MS;
    while (startNext(nowMs)) {
      nowMs = monotonicMs();
      if (nowMs >= untilMs) {
        next = setImmediate(slice);
        return;
      }
    }
    clearTimeout(timer);
    const inMs = Math.ceil(options.nextDueMs() - nowMs);
    if (inMs !== Number.POSITIVE_INFINITY) timer = setTimeout(run, Math.min(MAX_TIMER_MS, Math.max(1, inMs)));
  }

  return {
    run,
    stop() {
      clearTimeout(timer);
      clearImmediate(next);
      next = undefined;
    },
  };
}
