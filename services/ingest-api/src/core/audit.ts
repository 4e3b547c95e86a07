import { type CampaignStatus, isEnded, isTerminal, TERMINAL_KINDS, type TerminalKind } from '@volley/contract';
import type { CAMPAIGN_FIGURES, CampaignAuditView, PARTITION_FIGURES } from '@volley/contract/http';
import { endedOf, expectedOf, type Tally } from './progress.ts';

export type CampaignFigure = (typeof CAMPAIGN_FIGURES)[number];
export type PartitionFigure = (typeof PARTITION_FIGURES)[number];
export type AuditVerdict = CampaignAuditView['verdict'];

/* What an audit compares: facts of the control store, of the log and of ClickHouse in, figures and differences out. */

/** Of the control store, as of one moment: what progress has counted belongs to the offsets in `cut`. */
export interface CampaignFacts {
  readonly campaign_id: string;
  readonly tenant_id: string;
  readonly status: CampaignStatus;
  readonly sentAtMs: number;
  readonly expected: number;
  readonly accepted: number;
  /** Rows of the frozen audience. */
  readonly frozen: number;
  readonly tally: Tally;
  /** Next offset that progress counts, by partition number; 0 where it has counted nothing. */
  readonly cut: readonly number[];
  /** Partitions of which progress has counted something for this campaign. */
  readonly partitions: readonly number[];
  /** Another one after anything of the campaign has changed. */
  readonly seen: string;
}

/** Events of one kind in ClickHouse, each place in the log once, marked repeats left out. */
export interface KindCount {
  readonly kind: string;
  /** The state that a `redriven` event ends; else empty. */
  readonly previous: string;
  readonly counted: number;
  /** Below the cut, and of messages that the campaign can have: without an earlier deferral in the run, and with one. */
  readonly firstBelow: number;
  readonly laterBelow: number;
}

export interface StoredCampaign {
  readonly kinds: readonly KindCount[];
  readonly rawRows: number;
  readonly logRecords: number;
  readonly markedRepeats: number;
  readonly messages: number;
  readonly terminalEvents: number;
  readonly endedRuns: number;
  readonly redrivenEvents: number;
  readonly redrivenRuns: number;
  /** Below the cut: different ordinals, and direct messages, that have ended in some run. */
  readonly endedOrdinals: number;
  readonly endedDirect: number;
  readonly directMessages: number;
  readonly alienMessages: number;
  /** Every row lies below what the sink had committed before it was read, and none came while it was. */
  readonly quiet: boolean;
  readonly rollups: Readonly<Record<'minute_rollup' | 'hour_rollup' | 'campaign_rollup', RollupCount>>;
  /** Sent events in the buckets of latency. */
  readonly histogramEvents: number;
  /** Messages that a list must have, by the events, and those that it has. */
  readonly listableMessages: number;
  readonly listedMessages: number;
  /** Messages by state: of the public statistics, of the list, and of the list of failures. */
  readonly stats: ByState;
  readonly listed: ByState;
  readonly failures: ByState;
}
type ByState = Readonly<Partial<Record<string, number>>>;
export interface RollupCount {
  readonly events: number;
  /** Events by which its buckets differ from the rows, each way counted. */
  readonly inBuckets: number;
}

export type Named = CampaignAuditView['figures'][number]['ids'][number];
/** Before its ids were asked for. */
export interface Compared<F extends string = CampaignFigure> {
  readonly figure: F;
  readonly expected: number;
  readonly found: number;
  readonly difference: number | null;
}

const sum = (values: Iterable<number>): number => {
  let total = 0;
  for (const value of values) total += value;
  return total;
};
const apart = (a: number, b: number): number => Math.abs(a - b);

/** It has come to its end: each message must have one. A campaign that could not start has no messages. */
export const isOver = (c: Pick<CampaignFacts, 'status'>): boolean => isEnded(c.status) && c.status !== 'failed';

/** Counters of progress, as the stored events of the same part of the log give them. */
export function talliesOf(kinds: readonly KindCount[]): Pick<Tally, TerminalKind | 'retrying' | 'redriven'> {
  const of = { sent: 0, failed: 0, dead: 0, suppressed: 0, cancelled: 0, expired: 0, retrying: 0, redriven: 0 };
  for (const { kind, previous, firstBelow, laterBelow } of kinds) {
    if (isTerminal(kind)) {
      of[kind] += firstBelow + laterBelow;
      of.retrying -= laterBelow;
    } else if (kind === 'deferred') of.retrying += firstBelow;
    else if (kind === 'redriven' && isTerminal(previous)) {
      of[previous] -= firstBelow + laterBelow;
      of.redriven += firstBelow + laterBelow;
    }
  }
  return of;
}

/** Messages by state, of everything that is stored. */
export function statesOf(kinds: readonly KindCount[]): Record<TerminalKind, number> {
  const states = { sent: 0, failed: 0, dead: 0, suppressed: 0, cancelled: 0, expired: 0 };
  for (const { kind, previous, counted } of kinds) {
    if (isTerminal(kind)) states[kind] += counted;
    else if (kind === 'redriven' && isTerminal(previous)) states[previous] -= counted;
  }
  return states;
}

export const COUNTERS = [...TERMINAL_KINDS, 'retrying', 'redriven'] as const;
/** Counters that differ: what progress has, and what the stored events give. */
export function differingCounters(facts: CampaignFacts, stored: Pick<StoredCampaign, 'kinds'>) {
  const found = talliesOf(stored.kinds);
  return COUNTERS.filter((name) => facts.tally[name] !== found[name]).map((name) => ({
    name,
    expected: facts.tally[name],
    found: found[name],
  }));
}

/** Of two counts by state, by how much they differ in the state in which they differ most. */
const mostApart = (a: ByState, b: ByState, kinds: readonly TerminalKind[] = TERMINAL_KINDS): number =>
  Math.max(...kinds.map((kind) => apart(a[kind] ?? 0, b[kind] ?? 0)));
const inStates = (of: ByState, kinds: readonly TerminalKind[] = TERMINAL_KINDS): number =>
  sum(kinds.map((kind) => of[kind] ?? 0));
const FAILURES = TERMINAL_KINDS.filter((kind) => kind !== 'sent');

/**
 * `stored`: the sink has stored all that progress has counted of this campaign. What cannot be compared yet has the
 * difference null; what cannot be caused by events that are on their way is told at once.
 */
export function compareCampaign(facts: CampaignFacts, read: StoredCampaign, stored: boolean): Compared[] {
  const total = expectedOf(facts);
  const ended = endedOf(facts.tally);
  const over = isOver(facts);
  const found = talliesOf(read.kinds);
  const counted = sum(read.kinds.map((k) => k.counted));
  const sentEvents = sum(read.kinds.filter((k) => k.kind === 'sent').map((k) => k.counted));
  const states = statesOf(read.kinds);
  const endedStored = read.endedOrdinals + read.endedDirect;
  const aliens = read.alienMessages + Math.max(0, read.directMessages - facts.accepted);
  const unmarked = read.terminalEvents - read.endedRuns + read.redrivenEvents - read.redrivenRuns;
  const inRollup = ({ events, inBuckets }: RollupCount) => Math.max(apart(counted, events), inBuckets);

  const is = (
    figure: CampaignFigure,
    expected: number,
    found: number,
    difference = apart(expected, found),
  ): Compared => ({
    figure,
    expected,
    found,
    difference,
  });
  const unless = (settled: boolean, compared: Compared): Compared =>
    settled || compared.difference === 0 ? compared : { ...compared, difference: null };
  const { minute_rollup, hour_rollup, campaign_rollup } = read.rollups;
  return [
    is('audience', facts.expected, facts.frozen),
    is('ended', total, ended, over ? apart(total, ended) : Math.max(0, ended - total)),
    unless(
      stored,
      is(
        'states',
        sum(COUNTERS.map((name) => Math.abs(facts.tally[name]))),
        sum(COUNTERS.map((name) => Math.abs(found[name]))),
        sum(differingCounters(facts, read).map((c) => apart(c.expected, c.found))),
      ),
    ),
    unless(stored, is('missing', over ? total : endedStored, endedStored, over ? Math.max(0, total - endedStored) : 0)),
    is('alien', 0, aliens),
    is('doubled', read.logRecords, read.rawRows),
    is('unmarked_repeats', 0, unmarked),
    unless(read.quiet, is('minute_rollup', counted, minute_rollup.events, inRollup(minute_rollup))),
    unless(read.quiet, is('hour_rollup', counted, hour_rollup.events, inRollup(hour_rollup))),
    unless(read.quiet, is('campaign_rollup', counted, campaign_rollup.events, inRollup(campaign_rollup))),
    unless(read.quiet, is('histogram', sentEvents, read.histogramEvents)),
    unless(read.quiet, is('stats', inStates(states), inStates(read.stats), mostApart(states, read.stats))),
    unless(
      read.quiet,
      is(
        'listed',
        read.listableMessages,
        read.listedMessages,
        Math.max(apart(read.listableMessages, read.listedMessages), mostApart(states, read.listed)),
      ),
    ),
    unless(
      read.quiet,
      is(
        'failures',
        inStates(states, FAILURES),
        inStates(read.failures, FAILURES),
        mostApart(states, read.failures, FAILURES),
      ),
    ),
  ];
}

/** A difference is told also while something else is not comparable yet. */
export function verdictOf(differences: Iterable<number | null>): AuditVerdict {
  let verdict: AuditVerdict = 'equal';
  for (const difference of differences) {
    if (difference === null) verdict = 'lagging';
    else if (difference !== 0) return 'different';
  }
  return verdict;
}

/** The states of all accepted messages, as progress counted them. */
export function shownStates(facts: CampaignFacts): CampaignAuditView['states'] {
  const { tally } = facts;
  const left = Math.max(0, expectedOf(facts) - endedOf(tally));
  const retrying = Math.max(0, Math.min(tally.retrying, left));
  const of = Object.fromEntries(TERMINAL_KINDS.map((kind) => [kind, Math.max(0, tally[kind])]));
  return { queued: left - retrying, retrying, ...(of as Record<TerminalKind, number>) };
}

/** Partitions of which more was counted than is stored. */
export const laggingPartitions = (facts: CampaignFacts, committed: readonly number[]) =>
  facts.partitions
    .map((partition) => ({
      partition,
      counted: facts.cut[partition] ?? 0,
      stored: Math.max(0, committed[partition] ?? 0),
    }))
    .filter(({ counted, stored }) => counted > stored);

// ---- the nightly run ----------------------------------------------------------------------------------------------

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** The last time before `nowMs` at which a run was due; hour in UTC. */
export function lastDueAtMs(nowMs: number, hour: number): number {
  const today = Math.floor(nowMs / DAY_MS) * DAY_MS + hour * HOUR_MS;
  return today <= nowMs ? today : today - DAY_MS;
}

/** A run that is not finished, none since the hour at which one is due, or one that failed in part an hour ago. */
export function isRunDue(
  run: { startedAtMs: number; finishedAtMs: number | null; failed: number; partitions: unknown } | undefined,
  nowMs: number,
  hour: number,
): boolean {
  if (run === undefined || run.finishedAtMs === null) return true;
  if (run.startedAtMs < lastDueAtMs(nowMs, hour)) return true;
  return (run.failed > 0 || run.partitions === null) && nowMs - run.finishedAtMs >= HOUR_MS;
}

/** Figures whose ids are messages, one for each difference. */
const BY_MESSAGE: ReadonlySet<CampaignFigure> = new Set<CampaignFigure>(['missing', 'alien', 'listed', 'failures']);
/** Differences that a list of ids does not name. */
export const restOf = (one: Compared, ids: number, limit: number): number =>
  BY_MESSAGE.has(one.figure) || ids >= limit ? Math.max(0, (one.difference ?? 0) - ids) : 0;

/** Differences by figure; what is equal is left out. */
export function totalsOf(figures: readonly { figure: string; difference: number | null }[]): Record<string, number> {
  const totals: Record<string, number> = {};
  for (const { figure, difference } of figures)
    if (difference !== null && difference > 0) totals[figure] = (totals[figure] ?? 0) + difference;
  return totals;
}
