import type { Compared, PartitionFigure } from './audit.ts';

/* Of each partition of deliveries: what must be stored, what is, and what may be missing. */

export interface StoredPartition {
  readonly partition: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly rawRows: number;
  readonly logRecords: number;
}

export interface PartitionFacts {
  readonly partition: number;
  /** Of the sink's group, asked before ClickHouse; the log's bounds after it. */
  readonly committed: number;
  readonly logStart: number;
  readonly logEnd: number;
  /** undefined: no row of it is stored. */
  readonly stored: StoredPartition | undefined;
  /** Distinct offsets whose records became dead letters; undefined: too many to be read. */
  readonly letters: ReadonlySet<number> | undefined;
  /** What lies before the first row was appended so long ago that its rows may be deleted. */
  readonly headIsOld: boolean;
}

/** Offsets that must be stored or be dead letters: [from, to). Rows beyond what is committed are whole ranges as well. */
export function expectedRange(f: PartitionFacts): { from: number; to: number } {
  const { stored } = f;
  const committed = Math.max(0, f.committed);
  if (stored === undefined) return { from: f.headIsOld ? committed : f.logStart, to: committed };
  return {
    from: f.headIsOld ? stored.firstOffset : Math.min(stored.firstOffset, f.logStart),
    to: Math.min(Math.max(committed, stored.lastOffset + 1), Math.max(f.logEnd, committed)),
  };
}

/** The newest offset of the log before the first stored row, if there is one: is it too old to be stored still? */
export function headToDate(f: Pick<PartitionFacts, 'committed' | 'logStart' | 'stored'>): number | undefined {
  const head = f.stored === undefined ? Math.max(0, f.committed) : f.stored.firstOffset;
  return head > f.logStart ? head - 1 : undefined;
}

export function comparePartition(f: PartitionFacts): Compared<PartitionFigure>[] {
  const { from, to } = expectedRange(f);
  const records = f.stored?.logRecords ?? 0;
  const rows = f.stored?.rawRows ?? 0;
  const beyond = Math.max(0, (f.stored?.lastOffset ?? -1) + 1 - Math.max(f.logEnd, f.committed));
  let letters = 0;
  for (const offset of f.letters ?? []) if (offset >= from && offset < to) letters += 1;
  const expected = Math.max(0, to - from);
  const found = records - beyond + letters;
  const missing = Math.max(0, expected - found);
  return [
    {
      figure: 'gaps',
      expected,
      found: Math.max(0, found),
      // Letters that were not counted may explain what is missing.
      difference: missing > 0 && f.letters === undefined ? null : missing,
    },
    { figure: 'doubled_offsets', expected: records, found: rows, difference: rows - records },
    { figure: 'beyond_log', expected: 0, found: beyond, difference: beyond },
  ];
}

/** Ranges of neighbours, `from` to `to` both included, of rising offsets. */
export function rangesOf(offsets: readonly number[]): { from: number; to: number }[] {
  const ranges: { from: number; to: number }[] = [];
  for (const offset of offsets) {
    const last = ranges.at(-1);
    if (last !== undefined && last.to + 1 === offset) last.to = offset;
    else ranges.push({ from: offset, to: offset });
  }
  return ranges;
}

/** The offset that a dead letter of deliveries comes from: `topic/partition/offset/timestamp`, of this very partition. */
export function letterOffset(origin: string, topic: string, partition: number): number | undefined {
  const [of, number, offset] = origin.split('/');
  if (of !== topic || Number(number) !== partition || !/^\d{1,16}$/.test(offset ?? '')) return undefined;
  return Number(offset);
}
