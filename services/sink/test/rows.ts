import type { MemoryRowStore } from '../src/adapters/row-store-memory.ts';
import { COLUMNS } from '../src/core/to-row.ts';
import { encode, event, type Rig } from './support.ts';

export const limits = { maxRows: 100, maxBytes: 1_000_000, lingerMs: 5, maxInserts: 2, pressedBytes: 1e9 };

/** Encoded, of messages `from` and up. */
export const eventsOf = (n: number, from = 1) => Array.from({ length: n }, (_, i) => encode(event(from + i)));
export const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

export const columnOf = (row: readonly unknown[], column: (typeof COLUMNS)[number]) => row[COLUMNS.indexOf(column)];

/** Offsets of the stored rows, sorted, with everything that is there twice. */
export const offsetsIn = (store: MemoryRowStore, partition?: number) =>
  store
    .rows()
    .filter((row) => partition === undefined || columnOf(row, 'source_partition') === partition)
    .map((row) => columnOf(row, 'source_offset') as number)
    .sort((a, b) => a - b);

/** Offsets by partition; the others have none. */
export const committedBy =
  (rig: Rig, ...expected: number[]) =>
  async () =>
    (await rig.committed()).every((offset, i) => offset === (expected[i] ?? -1));
