import type { Clock } from '@volley/runtime';
import type { PipelineDeps } from './pipeline.ts';
import type { RowStore } from './ports.ts';

/** What an insert of the sinks has to wait for is one of these at most: a quarter of a second. */
const ROWS = 10_000;
const LOOK_EVERY_MS = 1_000;
const LONGEST_PAUSE_MS = 2_000;

export interface CourtesyDeps {
  readonly store: RowStore;
  readonly limits: PipelineDeps['limits'];
  /** By partition number: what the sinks have stored and committed. */
  readonly sinksAt: () => Promise<readonly number[]>;
  readonly clock: Clock;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Between the pipeline of a replay and its tables. */
export interface Courtesy {
  readonly store: RowStore;
  readonly limits: PipelineDeps['limits'];
  /** Makes way from now on whenever the sinks store something, until the signal. */
  whileLive(signal: AbortSignal): void;
}

/**
 * A replay shares the store with the sinks, and what is live goes first: while their offsets move, the replay inserts few rows at a
 * time, one insert after the other, and rests after each for as long as it took. When they stand still it takes what there is.
 */
export function createCourtesy({ store, limits, sinksAt, clock, sleep }: CourtesyDeps): Courtesy {
  let isLive = false;
  let before: Promise<unknown> = Promise.resolve();
  let asked = new AbortController().signal;

  async function look(signal: AbortSignal): Promise<void> {
    let lastSum: number | undefined;
    while (!signal.aborted) {
      // Who cannot be asked may well be busy.
      const sum = await sinksAt().then(
        (offsets) => offsets.reduce((total, offset) => total + offset, 0),
        () => Number.NaN,
      );
      isLive = !signal.aborted && lastSum !== undefined && sum !== lastSum;
      lastSum = sum;
      await sleep(LOOK_EVERY_MS, signal).catch(() => {});
    }
    isLive = false;
  }

  async function insertAndRest(range: Parameters<RowStore['insert']>[0], settled: () => void) {
    const startedMs = clock.monotonicMs();
    const answer = await store.insert(range);
    const tookMs = clock.monotonicMs() - startedMs;
    if (isLive) void sleep(Math.min(tookMs, LONGEST_PAUSE_MS), asked).then(settled, settled);
    else settled();
    return answer;
  }

  return {
    store: {
      ...store,
      async insert(range) {
        const mine = before;
        let settled = () => {};
        before = new Promise<void>((resolve) => {
          settled = resolve;
        });
        if (isLive) await mine;
        return insertAndRest(range, settled);
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
      void look(signal);
    },
  };
}
