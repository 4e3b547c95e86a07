/**
 * Since when the group's coordinator may count silence. It begins with an answer that it gave, so the moment is the one at
 * which the question was sent: an answer may lie in a socket for as long as this process sleeps, and read after that it
 * would pass for new, while somebody else owns the partitions.
 */
export interface SessionClock {
  /** Of every request that was answered, before whoever asked goes on. `duration` in milliseconds, since it was sent. */
  requested(request: { readonly apiName: string; readonly duration: number }): void;
  /** The last heartbeat that was answered is good. */
  heartbeat(): void;
  /** A question sent at this time (monotonic) was answered to a member of the group. */
  answered(askedMs: number): void;
  atMs(): number;
}

export function createSessionClock(monotonicMs: () => number = () => performance.now()): SessionClock {
  let atMs = monotonicMs();
  let tookMs = 0;
  const answered = (askedMs: number) => {
    atMs = Math.max(atMs, askedMs);
  };
  return {
    requested({ apiName, duration }) {
      if (apiName === 'Heartbeat') tookMs = Math.max(0, duration);
    },
    heartbeat: () => answered(monotonicMs() - tookMs),
    answered,
    atMs: () => atMs,
  };
}
