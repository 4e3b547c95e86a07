import type { Clock } from '@volley/runtime';
import type { PipelineDeps } from './pipeline.ts';
import type { RowStore } from './ports.ts';

/** An insert of the sinks may stand behind one of these: some 300 ms for the engine on two cores (docs/adr/0016). */
const ROWS = 10_000;
const LOOK_EVERY_MS = 1_000;
/** The sinks store what little comes every linger, which is longer than one look. */
const STILL_AFTER_MS = 4_000;
/** An insert that takes longer has itself waited for others: to rest for as long again would hardly ever end a replay under load. */
const LONGEST_REST_MS = 250;

export interface CourtesyDeps {
  readonly store: RowStore;
  readonly limits: PipelineDeps['limits'];
  /** By partition number: what the sinks have stored and committed. */
  readonly sinksAt: () => Promise<readonly number[]>;
  /** Asked again after an insert has waited for its turn. */
  readonly isMember: () => boolean;
  readonly clock: Clock;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Between the pipeline of a replay and its tables. */
export interface Courtesy {
  readonly store: RowStore;
  readonly limits: PipelineDeps['limits'];
  /** Makes way from now on whenever the sinks store something, until the signal. Once. */
  whileLive(signal: AbortSignal): void;
}

/**
 * A replay shares the store with the sinks, and what is live goes first: while their offsets move, the replay inserts few rows at a
 * time, one insert after the other, and rests after each for as long as it took. When they stand still it takes what there is.
 */
export function createCourtesy({ store, limits, sinksAt, isMember, clock, sleep }: CourtesyDeps): Courtesy {
  let asked = new AbortController().signal;
  /** By the last look, and not at every record: the pipeline asks for its limits at each. */
  let isLive = false;
  /** All inserts that have begun, and the rests after them. */
  let tail: Promise<unknown> = Promise.resolve();

  async function look(signal: AbortSignal): Promise<void> {
    let last: number | undefined;
    let movedAtMs = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      // Who cannot be asked may well be busy: NaN equals nothing.
      const sum = await sinksAt().then(
        (offsets) => offsets.reduce((total, offset) => total + offset, 0),
        () => Number.NaN,
      );
      if (last !== undefined && sum !== last) movedAtMs = clock.monotonicMs();
      last = sum;
      isLive = !signal.aborted && clock.monotonicMs() - movedAtMs < STILL_AFTER_MS;
      await sleep(LOOK_EVERY_MS, signal).catch(() => {});
    }
  }

  return {
    store: {
      ...store,
      async insert(range) {
        const before = tail;
        const own = Promise.withResolvers<void>();
        tail = Promise.all([before, own.promise]);
        let rest: Promise<void> | undefined;
        try {
          if (isLive) {
            await before;
            if (!isMember()) return { ok: false, error: 'the group has not answered for a session' };
          }
          const startedMs = clock.monotonicMs();
          const answer = await store.insert(range);
          if (isLive) rest = sleep(Math.min(clock.monotonicMs() - startedMs, LONGEST_REST_MS), asked);
          return answer;
        } finally {
          Promise.resolve(rest).then(own.resolve, () => own.resolve());
        }
      },
    },
    limits: {
      ...limits,
      get maxRows() {
        return isLive ? Math.min(ROWS, limits.maxRows) : limits.maxRows;
      },
    },
    whileLive(signal) {
      asked = signal;
      signal.addEventListener('abort', () => {
        isLive = false;
      });
      void look(signal);
    },
  };
}
