export interface Latest<T> {
  readonly value: T;
  /** Asked for in vain, or the answer is not here yet: this is the one before. */
  readonly stale: boolean;
}

interface Entry<T> {
  known?: { readonly value: T };
  error?: unknown;
  underWay?: Promise<void>;
  startedMs: number;
  /** Until then the last answer is good enough, an error too. */
  nextMs: number;
}

/** However many readers there are, one question about one thing in this time. */
const LEAST_MS = 500;
/** A slow question is asked more rarely: it may take this part of the store's time and no more. */
const SHARE_OF_TIME = 10;
const MOST_MS = 2_000;
/** How long a reader waits for a question: less when there is something to show meanwhile. */
const PATIENCE_MS = 250;
const FIRST_PATIENCE_MS = 1_000;
const MOST_KEPT = 1_000;

/** The last answer of each, asked again when somebody wants to know; whoever asks is never held up for long. */
export function createLatest<T>(o: {
  monotonicMs: () => number;
  patienceMs?: number;
}): (key: string, ask: () => Promise<T>) => Promise<Latest<T>> {
  const entries = new Map<string, Entry<T>>();

  function refresh(entry: Entry<T>, ask: () => Promise<T>): void {
    entry.startedMs = o.monotonicMs();
    entry.underWay = ask()
      .then(
        (value) => {
          entry.known = { value };
          delete entry.error;
        },
        (error: unknown) => {
          entry.error = error;
        },
      )
      .then(() => {
        delete entry.underWay;
        const now = o.monotonicMs();
        entry.nextMs = now + Math.min(MOST_MS, Math.max(LEAST_MS, (now - entry.startedMs) * SHARE_OF_TIME));
      });
  }

  /** The longest not asked for goes first; what is being asked stays. */
  function makeRoom(): void {
    if (entries.size < MOST_KEPT) return;
    for (const [key, entry] of entries) {
      if (entry.underWay !== undefined) continue;
      entries.delete(key);
      return;
    }
  }

  return async (key, ask) => {
    let entry = entries.get(key);
    if (entry) entries.delete(key);
    else {
      makeRoom();
      entry = { startedMs: 0, nextMs: Number.NEGATIVE_INFINITY };
    }
    entries.set(key, entry);
    if (entry.underWay === undefined && o.monotonicMs() >= entry.nextMs) refresh(entry, ask);
    let late = false;
    if (entry.underWay !== undefined) {
      const patienceMs = o.patienceMs ?? (entry.known ? PATIENCE_MS : FIRST_PATIENCE_MS);
      // Counted from its start: the next reader of a store that hangs does not wait again.
      late = await passes(entry.underWay, entry.startedMs + patienceMs - o.monotonicMs());
    }
    if (!entry.known) throw entry.error ?? new Error('no answer yet');
    return { value: entry.known.value, stale: late || entry.error !== undefined };
  };
}

/** True: the time was over first. */
async function passes(work: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<true>((resolve) => {
    timer = setTimeout(() => resolve(true), Math.max(0, ms));
  });
  return Promise.race([work.then(() => false as const), over]).finally(() => clearTimeout(timer));
}
