export interface PacerClock {
  /** Monotonic, milliseconds. */
  nowMs(): number;
  /** Resolves after this time, or a little later. */
  wait(ms: number): Promise<void>;
}

export interface Pace {
  readonly clock: PacerClock;
  /** By `clock`: what arrival times are counted from. */
  readonly startMs: number;
  readonly arrivals: number;
  /** From `startMs`. */
  atMs(arrival: number): number;
  /** This generator's share: first, first + every, … */
  readonly first: number;
  readonly every: number;
  fire(arrival: number, atMs: number): void;
  stopped(): boolean;
}

/** A wait this long is looked up from, to see whether it was told to stop. */
const LONGEST_WAIT_MS = 100;

/**
 * The open loop: fires each arrival at its own time and never waits for an answer. What was missed while this process did
 * not run is fired at once, each under the time that it was meant for. Answers how many were fired.
 */
export async function pace({ clock, startMs, arrivals, atMs, first, every, fire, stopped }: Pace): Promise<number> {
  let next = first;
  let fired = 0;
  while (next < arrivals && !stopped()) {
    const nowMs = clock.nowMs() - startMs;
    let dueMs = atMs(next);
    while (next < arrivals && dueMs <= nowMs) {
      fire(next, dueMs);
      fired += 1;
      next += every;
      dueMs = atMs(next);
    }
    if (next < arrivals) await clock.wait(Math.min(LONGEST_WAIT_MS, Math.max(0, dueMs - (clock.nowMs() - startMs))));
  }
  return fired;
}
