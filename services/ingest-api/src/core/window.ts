import { endedOf, expectedOf, type Tally } from './progress.ts';

/**
 * How much of a campaign may be in the log at once. A campaign of five million never stands in front of one of ten:
 * it has at most W messages outstanding, wherever they wait, and each partition has a mark that all of its campaigns share.
 */
export const WINDOW_SECONDS = 10;
export const MIN_WINDOW = 20;
/**
 * Without a rate, W is what the campaign has lately been ending in 2 s. More would only stand in the log in front of
 * others, where a dispatcher cannot take turns: it reads ahead 8 MiB, some 10,000 messages. Less would run dry, since
 * ends are seen up to 1.1 s late where progress runs in another process. The least lets a new campaign find its pace.
 */
export const UNLIMITED_SECONDS = 2;
export const UNLIMITED_LEAST = 5_000;
export const UNLIMITED_WINDOW = 50_000;

/** How fast the messages of a campaign end. */
export interface Pace {
  readonly atMs: number;
  readonly ended: number;
  readonly perSecond: number;
}
const PACE_EVERY_MS = 1_000;
/** A provider that hiccups, or a save of progress that is late, halves W only after three seconds. */
const PACE_KEPT = 0.8;

/** Followed up at once and down slowly; unchanged within a second of the last time. */
export function paceAfter(before: Pace | undefined, nowMs: number, ended: number): Pace {
  if (before === undefined) return { atMs: nowMs, ended, perSecond: 0 };
  const ms = nowMs - before.atMs;
  if (ms < PACE_EVERY_MS) return before;
  const measured = Math.max(0, ended - before.ended) / (ms / 1_000);
  return { atMs: nowMs, ended, perSecond: Math.max(measured, before.perSecond * PACE_KEPT) };
}

/** W: what the slower of campaign and provider sends in 10 s; without either, see above. */
export function windowOf(
  campaignPerSecond: number | null,
  providerPerSecond: number | undefined,
  endsPerSecond: number,
  unlimited = UNLIMITED_WINDOW,
): number {
  const rate = Math.min(campaignPerSecond ?? Number.POSITIVE_INFINITY, providerPerSecond ?? Number.POSITIVE_INFINITY);
  if (rate === Number.POSITIVE_INFINITY)
    return Math.min(unlimited, Math.max(UNLIMITED_LEAST, Math.ceil(endsPerSecond * UNLIMITED_SECONDS)));
  return Math.max(MIN_WINDOW, Math.ceil(rate * WINDOW_SECONDS));
}

/** Where the messages of one campaign are. */
export interface Standing {
  /** In the log and not ended, wherever they wait: what W bounds. */
  readonly outstanding: number;
  /** Those that stand in a lane, in front of other campaigns. Whoever waits in a tier or in held is in nobody's way. */
  readonly inLane: number;
}

/** `written`: rows of the audience in the log. Direct messages are there by definition. */
export function standingOf(c: { readonly accepted: number }, written: number, sum: Tally): Standing {
  const outstanding = Math.max(0, expectedOf({ expected: written, accepted: c.accepted }) - endedOf(sum));
  return { outstanding, inLane: Math.max(0, outstanding - Math.max(0, sum.retrying)) };
}

/** Messages in the lanes by partition, of all campaigns: each takes its share of the partitions that it uses. */
export function inLaneByPartition(
  campaigns: Iterable<{ readonly partitions: readonly number[]; readonly inLane: number }>,
): Map<number, number> {
  const sum = new Map<number, number>();
  for (const { partitions, inLane } of campaigns)
    for (const p of partitions) sum.set(p, (sum.get(p) ?? 0) + inLane / partitions.length);
  return sum;
}

export interface TurnFacts {
  readonly status: string;
  /** Frozen rows, and rows written to the log. */
  readonly expected: number;
  readonly written: number;
  readonly outstanding: number;
  readonly window: number;
  /** Messages of all campaigns in the fullest partition that this campaign uses, and their mark. */
  readonly backlog: number;
  readonly backlogMark: number;
  readonly maxBatch: number;
}

/** Rows that may be written in this turn. A campaign that is being cancelled goes on without W: its records only end. */
export function turnSize(f: TurnFacts): number {
  const left = f.expected - f.written;
  if (f.status === 'cancelling') return Math.min(left, f.maxBatch);
  if (f.status !== 'running') return 0;
  return Math.max(0, Math.min(left, f.maxBatch, f.window - f.outstanding, f.backlogMark - f.backlog));
}

/**
 * Partitions of a campaign. One keeps a small campaign out of everybody else's way and its whole audience in order; more
 * let several dispatchers work on a large one, and put less of it into each partition. A dispatcher sends some 12,000
 * messages a second (docs/benchmarks.md), so what a partition gets is done within seconds; half of P always stays free of
 * a campaign, however large. 1 up to 39,999 messages, then 2, 4, 8, … up to P/2.
 */
const MESSAGES_PER_PARTITION = 20_000;

export function spreadFor(expected: number, partitions: number): number {
  const wanted = 2 ** Math.floor(Math.log2(Math.max(1, expected / MESSAGES_PER_PARTITION)));
  return Math.min(wanted, directSpread(partitions));
}

/** Of a campaign fed by direct messages: nobody knows how many will come. */
export const directSpread = (partitions: number): number => Math.max(1, Math.floor(partitions / 2));
