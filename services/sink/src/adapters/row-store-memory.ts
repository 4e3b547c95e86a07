import { COLUMNS } from '../core/to-row.ts';
import { FIRST_GENERATION } from '../core/token.ts';
import type { RowRange, RowStore, Unanswered } from '../ports.ts';

export interface MemoryRowStore extends RowStore {
  /** Every stored row, parsed, in the order of insertion. */
  rows(): unknown[][];
  /** Ranges that were stored, without those that a token kept out. */
  ranges(): RowRange[];
  /** While not available, an insert stores nothing and says so. */
  setAvailable(available: boolean): void;
  /** The next n inserts store their rows and then say that they failed, as a connection cut after the effect does. */
  loseAnswers(n: number): void;
}

const OFFSET = COLUMNS.indexOf('source_offset');

/** Keeps rows for the life of the process: tests, and a pipeline without analytics. Its window of tokens has no end. */
export function createMemoryRowStore(): MemoryRowStore {
  const stored: RowRange[] = [];
  const tokens = new Set<string>();
  let available = true;
  let answersToLose = 0;
  const generation = FIRST_GENERATION;
  const away: Unanswered = { ok: false, error: 'the store is away' };

  return {
    async insert(range) {
      await new Promise((resolve) => setImmediate(resolve));
      if (!available) return away;
      if (!tokens.has(range.token)) {
        tokens.add(range.token);
        stored.push(range);
      }
      if (answersToLose === 0) return { ok: true };
      answersToLose -= 1;
      return { ok: false, error: 'the answer was lost' };
    },
    async endOf(partition) {
      await new Promise((resolve) => setImmediate(resolve));
      if (!available) return away;
      return { ok: true, end: stored.reduce((end, r) => (r.partition === partition ? Math.max(end, r.to) : end), 0) };
    },
    async count({ partition, from, to }) {
      await new Promise((resolve) => setImmediate(resolve));
      if (!available) return away;
      const within = (offset: number) => offset >= from && offset < to;
      const rows = stored
        .filter((range) => range.partition === partition)
        .flatMap(({ rows }) => rows.lines())
        .filter((line) => within((JSON.parse(line) as number[])[OFFSET] as number)).length;
      return { ok: true, rows };
    },
    generation: async () => (available ? { ok: true, generation } : away),
    ping: async () => (available ? { ok: true } : away),
    close: async () => {},
    rows: () => stored.flatMap(({ rows }) => rows.lines().map((line) => JSON.parse(line) as unknown[])),
    ranges: () => [...stored],
    setAvailable: (now) => {
      available = now;
    },
    loseAnswers: (n) => {
      answersToLose = n;
    },
  };
}
