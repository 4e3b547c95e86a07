/** Where a partition of a queue stands, as `GET /v1/pipeline` has it. */
interface Standing {
  readonly partition: number;
  readonly log_end: number;
  readonly lag: number;
  /** null: the time of the oldest record could not be read. */
  readonly age_ms: number | null;
}

/** Looks that are kept of a partition: enough for hours in which its log grows and nothing of it is settled. */
const MOST = 2_048;

/**
 * Age of the oldest record of a queue that is not settled. Its time is read from the log where that is quick enough, which it is
 * for a queue that stands still; in one that moves, another record is the oldest by then. So it also follows from looks: a record
 * beyond the end that the log had at some look came after that look. Then the age is too high by the time between two looks at most.
 */
export function createQueueAge(): (partitions: readonly Standing[], nowMs: number) => number | undefined {
  const looks = new Map<number, { end: number; atMs: number }[]>();

  function ageOf({ partition, log_end, lag, age_ms }: Standing, nowMs: number): number | undefined {
    const next = log_end - lag;
    let seen = looks.get(partition) ?? [];
    // Of the looks at or below what is settled, the last one says most.
    const last = seen.findLastIndex(({ end }) => end <= next);
    if (last > 0) seen = seen.slice(last);
    const [first] = seen;
    const newest = seen.at(-1);
    if (newest?.end === log_end) newest.atMs = nowMs;
    else seen.push({ end: log_end, atMs: nowMs });
    if (seen.length > MOST) seen = seen.filter((_, i) => i === 0 || i % 2 === 1 || i === seen.length - 1);
    looks.set(partition, seen);
    if (lag === 0) return 0;
    if (age_ms !== null) return age_ms;
    return first !== undefined && first.end <= next ? nowMs - first.atMs : undefined;
  }

  return (partitions, nowMs) => {
    const ages = partitions.flatMap((p) => ageOf(p, nowMs) ?? []);
    return ages.length === 0 ? undefined : Math.max(...ages);
  };
}
