/** An effect that another process is asked for: it says what came of it, and is repeated until that is ok. */
export type Effect = () => Promise<{ readonly ok: true } | { readonly ok: false; readonly error: string }>;

export interface Failure {
  readonly what: string;
  readonly error: string;
  /** Monotonic ms of the first of these failures in a row. */
  readonly sinceMs: number;
}

export interface Repeater {
  /** True: done. False: the signal aborted, and what was done counts for nobody here. `what` names it for people. */
  untilDone(what: string, signal: AbortSignal, effect: Effect): Promise<boolean>;
  /** What is failing now. */
  failing(): Failure[];
}

/** No failure of a store is a reason to give up an event: repeats for ever, and keeps the account of it. */
export function createRepeater(deps: {
  readonly monotonicMs: () => number;
  /** Ms before the n-th repeat, from 1. */
  readonly waitBefore: (attempt: number) => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly onFailure: (failure: Failure, attempt: number) => void;
}): Repeater {
  const failing = new Set<Failure>();
  return {
    async untilDone(what, signal, effect) {
      let failure: Failure | undefined;
      for (let attempt = 1; !signal.aborted; attempt++) {
        const answer = await effect();
        const sinceMs = failure?.sinceMs ?? deps.monotonicMs();
        if (failure) failing.delete(failure);
        if (answer.ok) return !signal.aborted;
        failure = { what, error: answer.error, sinceMs };
        failing.add(failure);
        deps.onFailure(failure, attempt);
        await deps.sleep(deps.waitBefore(attempt), signal);
      }
      if (failure) failing.delete(failure);
      return false;
    },
    failing: () => [...failing],
  };
}
