import type { ReplayRange } from '@volley/contract/replays';

/** One topic as the log had it at one moment, by partition number. */
export interface LogFacts {
  readonly topic: string;
  readonly bounds: readonly { readonly start: number; readonly end: number }[];
  /** Offset of the first record taken at this time or later; absent: no time was asked for. */
  readonly fromAt?: readonly number[];
  readonly toAt?: readonly number[];
}

export interface Gap {
  readonly topic: string;
  readonly partition: number;
  readonly starts_at: number;
}

export interface Ranges {
  readonly ranges: readonly ReplayRange[];
  readonly total: number;
  /** Where something of what was asked for may have been before the log's first record. */
  readonly gaps: readonly Gap[];
}

/**
 * Times as offsets, frozen. Every partition has a range, also one in which there is nothing to read (`only`: what may hold
 * something). There is a gap where the log does not start at 0 and its first record already belongs to what is asked for:
 * what was before it is gone, and its time with it.
 */
export function rangesOf(facts: readonly LogFacts[], only?: ReadonlySet<number>): Ranges {
  const ranges: ReplayRange[] = [];
  const gaps: Gap[] = [];
  for (const { topic, bounds, fromAt, toAt } of facts)
    for (const [partition, { start, end }] of bounds.entries()) {
      const to = Math.max(start, Math.min(end, toAt?.[partition] ?? end));
      const isRead = only === undefined || only.has(partition);
      const from = isRead ? Math.min(to, Math.max(start, fromAt?.[partition] ?? start)) : to;
      ranges.push({ topic, partition, from, to });
      if (isRead && start > 0 && Math.max(start, fromAt?.[partition] ?? start) === start)
        gaps.push({ topic, partition, starts_at: start });
    }
  return { ranges, gaps, total: ranges.reduce((sum, { from, to }) => sum + to - from, 0) };
}

/** A broker's clock and ours may differ; and nobody minds some records more. */
export const CLOCKS_MS = 3_600_000;

/**
 * A campaign that is younger than what the log keeps, and of which there are at least as many records as it has messages, is
 * there as a whole, wherever the log of its partitions starts: retention took what was older. Without this, every replay of
 * every campaign would be refused from the day on which retention takes its first record.
 */
export function isCampaignWhole(f: {
  readonly createdAtMs: number;
  readonly nowMs: number;
  readonly messages: number;
  readonly total: number;
  /** Of every topic read: how long it keeps records, -1 for ever; undefined: by bytes, or not known. */
  readonly keptMs: readonly (number | undefined)[];
}): boolean {
  const age = f.nowMs - f.createdAtMs + CLOCKS_MS;
  return (
    f.messages > 0 && f.total >= f.messages && f.keptMs.every((kept) => kept !== undefined && (kept < 0 || kept > age))
  );
}
