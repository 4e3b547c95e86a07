/**
 * Up to when the analytics store is complete. Where the log ended was seen at some times, and a sink commits an offset
 * only after the row before it is stored: so once it has committed what the log's end then was, everything that the log
 * had at that time is stored. No clock but our own is asked, and no record is read.
 */
export interface Sighting {
  /** From before it was asked. */
  readonly atMs: number;
  /** Next offset of the log, by partition. */
  readonly ends: readonly number[];
}

/** Half of them are as fine as they came, the others as coarse as it needs to remember a sink that is far behind. */
const MOST = 120;

const covers = (stored: readonly number[], { ends }: Sighting, partitions?: readonly number[]): boolean =>
  (partitions ?? ends.map((_, p) => p)).every((p) => (stored[p] ?? 0) >= (ends[p] ?? 0));

/** In ascending order of time. A log that ends earlier than before was made anew: what was seen of the other is forgotten. */
export function withSighting(
  known: readonly Sighting[],
  seen: Sighting,
  stored: readonly number[],
): readonly Sighting[] {
  const last = known.at(-1);
  if (last?.ends.some((end, p) => (seen.ends[p] ?? 0) < end)) return [seen];
  const complete = known.findLastIndex((sighting) => covers(stored, sighting));
  const needed = [...known.slice(Math.max(0, complete)), seen];
  if (needed.length <= MOST) return needed;
  return needed.filter((_, i) => i === 0 || i % 2 === 1 || i >= MOST / 2);
}

/** How far a partition was counted. */
export interface CountedTo {
  /** Next offset. */
  readonly next: number;
  /** When the log took the last record below it; null: not known. */
  readonly eventAtMs: number | null;
}

/** By partition number. */
export const offsetsOf = (counted: ReadonlyMap<number, CountedTo>): number[] =>
  Array.from({ length: Math.max(-1, ...counted.keys()) + 1 }, (_, p) => counted.get(p)?.next ?? 0);

/** Of what is saved and what memory has: the further one, in each partition. */
export function furthest(
  saved: ReadonlyMap<number, CountedTo>,
  live: ReadonlyMap<number, CountedTo>,
): Map<number, CountedTo> {
  const all = new Map(saved);
  for (const [partition, to] of live) if (to.next > (all.get(partition)?.next ?? -1)) all.set(partition, to);
  return all;
}

/**
 * Up to when everything is counted. While no sighting is that old (this process has just started, and there is a backlog),
 * the last counted record says it of a partition in which more is waiting. null: not known.
 */
export function countedUntil(
  known: readonly Sighting[],
  counted: ReadonlyMap<number, CountedTo>,
  partitions: readonly number[],
): number | null {
  const next = offsetsOf(counted);
  const until = storedUntil(known, next, partitions);
  if (until !== null) return until;
  const last = known.at(-1);
  const waiting = partitions.filter((p) => last === undefined || (next[p] ?? 0) < (last.ends[p] ?? 0));
  const times = waiting.map((p) => counted.get(p)?.eventAtMs ?? null);
  return times.reduce((least, at) => (least === null || at === null ? null : Math.min(least, at)), times[0] ?? null);
}

/** Epoch milliseconds; null: not known. Without partitions: of all. */
export function storedUntil(
  known: readonly Sighting[],
  stored: readonly number[],
  partitions?: readonly number[],
): number | null {
  return known.findLast((sighting) => covers(stored, sighting, partitions))?.atMs ?? null;
}
