/** Time as a dependency: `now` for what people read, `monotonicMs` for durations and deadlines (a wall clock may jump). */
export interface Clock {
  /** Epoch milliseconds, whole. */
  now(): number;
  /** Milliseconds that never go back. */
  monotonicMs(): number;
}

/**
 * `now` is the wall clock as it was when the process started, and what has passed since by the monotonic one: somebody who
 * sets the clock ahead makes no retry early, nobody who sets it back makes one wait. Both run at the pace that NTP gives.
 */
export const systemClock: Clock = {
  now: () => Math.floor(performance.timeOrigin + performance.now()),
  monotonicMs: () => performance.now(),
};
