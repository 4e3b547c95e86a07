import { isTerminal, type RepeatRule, TERMINAL_KINDS, type TerminalKind } from '@volley/contract';

/**
 * Messages of one campaign in one partition by the state in which they are now, each counted once. Times are epoch
 * milliseconds of the first and last end.
 */
export type Tally = Record<TerminalKind, number> & {
  /**
   * First deferrals less the ends of deferred messages. Below zero in one case: the process died between the record in
   * its tier and the event that tells of it, and the message then ended from there.
   */
  retrying: number;
  /** Messages that left a state by a redrive. */
  redriven: number;
  /** Events of messages that the campaign cannot have. */
  surplus: number;
  firstAtMs: number | null;
  lastAtMs: number | null;
};

export const emptyTally = (): Tally => ({
  sent: 0,
  failed: 0,
  dead: 0,
  suppressed: 0,
  cancelled: 0,
  expired: 0,
  retrying: 0,
  redriven: 0,
  surplus: 0,
  firstAtMs: null,
  lastAtMs: null,
});

export const endedOf = (t: Tally): number => TERMINAL_KINDS.reduce((sum, kind) => sum + t[kind], 0);

/** Ends and redrives counted so far. It only grows: of two tallies of one partition, the one with more is the newer. */
const countedOf = (t: Tally): number => endedOf(t) + 2 * t.redriven;

export function sumTallies(tallies: Iterable<Tally>): Tally {
  const sum = emptyTally();
  for (const t of tallies) {
    for (const kind of TERMINAL_KINDS) sum[kind] += t[kind];
    sum.retrying += t.retrying;
    sum.redriven += t.redriven;
    sum.surplus += t.surplus;
    if (t.firstAtMs !== null) sum.firstAtMs = Math.min(sum.firstAtMs ?? t.firstAtMs, t.firstAtMs);
    if (t.lastAtMs !== null) sum.lastAtMs = Math.max(sum.lastAtMs ?? t.lastAtMs, t.lastAtMs);
  }
  return sum;
}

/**
 * Memory is ahead of the store by up to a second, and holds only the partitions of which something was counted lately;
 * a process that lost a partition may be behind. So the newer of the two, for each partition.
 */
export function newestSum(saved: ReadonlyMap<number, Tally>, live: ReadonlyMap<number, Tally>): Tally {
  const newest = new Map(saved);
  for (const [partition, tally] of live) {
    const known = newest.get(partition);
    if (known === undefined || countedOf(known) <= countedOf(tally)) newest.set(partition, tally);
  }
  return sumTallies(newest.values());
}

/** What one partition knows of one campaign. */
export interface CampaignPart {
  /** Size of the frozen audience: its ordinals are 1 to this. */
  readonly audience: number;
  readonly tally: Tally;
  /** Changed since it was saved. */
  dirty: boolean;
}

export const campaignPart = (audience: number, tally: Tally): CampaignPart => ({ audience, tally, dirty: false });

export interface CountedEvent {
  /** Place in the audience; 0: a direct message. */
  readonly ordinal: number;
  readonly kind: string;
  readonly previousKind: string | null;
  /** Earlier deferrals in this run. */
  readonly deferrals: number;
  readonly occurredAtMs: number;
  /** By the repeat rule. */
  readonly repeat: boolean;
}

export type Counted = 'ended' | 'deferred' | 'redriven' | 'repeat' | 'surplus' | 'ignored';

/** Counts one event: an end puts the message into its state, a redrive takes it out again. */
export function count(part: CampaignPart, e: CountedEvent): Counted {
  const { tally } = part;
  const ended = isTerminal(e.kind);
  if (!ended && e.kind !== 'deferred' && e.kind !== 'redriven') return 'ignored';
  const leaves = e.kind === 'redriven' ? (e.previousKind ?? '') : '';
  if (!(e.ordinal >= 0 && e.ordinal <= part.audience) || (e.kind === 'redriven' && !isTerminal(leaves))) {
    tally.surplus += 1;
    part.dirty = true;
    return 'surplus';
  }
  if (e.repeat) return 'repeat';
  if (ended) {
    tally[e.kind as TerminalKind] += 1;
    if (e.deferrals > 0) tally.retrying -= 1;
    tally.firstAtMs = Math.min(tally.firstAtMs ?? e.occurredAtMs, e.occurredAtMs);
    tally.lastAtMs = Math.max(tally.lastAtMs ?? e.occurredAtMs, e.occurredAtMs);
  } else if (e.kind === 'redriven') {
    tally[leaves as TerminalKind] -= 1;
    tally.redriven += 1;
  } else if (e.deferrals > 0) return 'deferred';
  else tally.retrying += 1;
  part.dirty = true;
  return ended ? 'ended' : (e.kind as 'deferred' | 'redriven');
}

/** All parts of one partition of deliveries, as far as they were needed. */
export interface PartitionBook {
  readonly partition: number;
  /** Has been offered everything below `next`. */
  readonly rule: RepeatRule;
  /** As saved: what follows it has not survived yet. A save is refused when another owner has moved it. */
  saved: number;
  next: number;
  logEnd: number;
  eventAtMs: number | null;
  /** null: asked for, and there is no such campaign. */
  readonly parts: Map<string, CampaignPart | null>;
}

export const partitionBook = (partition: number, saved: number, rule: RepeatRule): PartitionBook => ({
  partition,
  rule,
  saved,
  next: saved,
  logEnd: saved,
  eventAtMs: null,
  parts: new Map(),
});

/** What a save writes; afterwards `markSaved`. */
export function changedParts(book: PartitionBook): { campaignId: string; part: CampaignPart }[] {
  const out: { campaignId: string; part: CampaignPart }[] = [];
  for (const [campaignId, part] of book.parts) if (part?.dirty) out.push({ campaignId, part });
  return out;
}

/** A part that nothing touched since the last save leaves memory: the next event of it loads it again. */
export function markSaved(book: PartitionBook): void {
  book.saved = book.next;
  for (const [campaignId, part] of book.parts) {
    if (!part?.dirty) book.parts.delete(campaignId);
    else part.dirty = false;
  }
}

/** Messages that a campaign has: its frozen audience, or the direct messages that were taken for it. */
export const expectedOf = (c: { readonly expected: number; readonly accepted: number }): number =>
  c.expected + c.accepted;

export interface CampaignTotals {
  readonly expected: number;
  readonly accepted: number;
  /** Takes direct messages: it may be complete for a moment and is not over. */
  readonly open: boolean;
}

/** More ended than there are: never complete, and somebody must look. While it is open more may have been taken since. */
export const hasSurplus = (c: CampaignTotals, sum: Tally): boolean =>
  sum.surplus > 0 || (!c.open && endedOf(sum) > expectedOf(c));

/** All messages have ended, as far as was counted. While a redrive is not counted yet, the store says that it holds it. */
export const isComplete = (c: CampaignTotals, sum: Tally): boolean =>
  !c.open && sum.surplus === 0 && endedOf(sum) === expectedOf(c);

export const hasFailures = (sum: Tally): boolean => sum.failed + sum.dead + sum.expired > 0;
