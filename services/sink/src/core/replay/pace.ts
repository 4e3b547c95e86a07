/** How far each partition may be read by now, so that so many records a second are read over all of them. */
export interface Pace {
  /** By partition number; never falls, never above `ends`. */
  upTo(nowMs: number, ends: readonly number[]): readonly number[];
}

/** Of a pause nothing is made up for beyond this: a rate is also a bound on what comes at once. */
const MOST_AT_ONCE_MS = 1_000;

/** `starts`: what was read before. null: as fast as it goes. */
export function createPace(ratePerSecond: number | null, starts: readonly number[], nowMs: number): Pace {
  const at = [...starts];
  let sinceMs = nowMs;
  let owed = 0;

  /** In equal parts to those that have something left, what does not divide to the first ones. */
  function grant(records: number, ends: readonly number[]): void {
    let left = records;
    while (left > 0) {
      const open = [...at.keys()].filter((p) => (at[p] as number) < (ends[p] as number));
      if (open.length === 0) return;
      const part = Math.max(1, Math.floor(left / open.length));
      for (const p of open) {
        const step = Math.min(part, left, (ends[p] as number) - (at[p] as number));
        at[p] = (at[p] as number) + step;
        left -= step;
      }
    }
  }

  return {
    upTo(now, ends) {
      if (ratePerSecond === null) return ends;
      owed += (Math.min(MOST_AT_ONCE_MS, Math.max(0, now - sinceMs)) / 1_000) * ratePerSecond;
      sinceMs = now;
      const whole = Math.floor(owed);
      owed -= whole;
      grant(whole, ends);
      return [...at];
    },
  };
}
