import { isEnded, type Message, type Reason } from '@volley/contract';
import type { CampaignState } from './campaign-book.ts';
import type { Hold } from './scheduler.ts';
import type { Source, Sources } from './sources.ts';

/** What the campaign and the clock say about a message, before any limit is looked at. */
export type Verdict =
  /** Render and send it. */
  | { readonly go: 'send' }
  /** It ends here, without rendering and without a provider call. */
  | { readonly go: 'end'; readonly kind: 'expired' | 'cancelled' }
  /** Its campaign is complete, which it is only when each of its messages has ended: this is a repeat. */
  | { readonly go: 'repeat' }
  /** Ask again when the campaign changes, or at `untilMs` (epoch), when it expires. */
  | { readonly go: 'wait'; readonly why: WaitReason; readonly untilMs: number };

type WaitReason = 'campaign_unknown' | 'paused';

/** A message that has waited this long ends as expired, whatever it waited for. */
export const MAX_AGE_MS = 10 * 86_400_000;

const SEND: Verdict = { go: 'send' };
const EXPIRED: Verdict = { go: 'end', kind: 'expired' };
const CANCELLED: Verdict = { go: 'end', kind: 'cancelled' };
const REPEAT: Verdict = { go: 'repeat' };

/** Epoch milliseconds from which on the message is not sent any more. */
export function deadlineOf(message: Message, campaign: CampaignState | undefined): number {
  return Math.min(
    message.expires_at ?? Number.POSITIVE_INFINITY,
    campaign?.expiresAtMs ?? Number.POSITIVE_INFINITY,
    message.queued_at + MAX_AGE_MS,
  );
}

/** A campaign of this status neither sends nor ends its messages. */
export const isWaiting = (status: string): boolean =>
  status !== 'running' && status !== 'cancelling' && !isEnded(status);

export function verdictOf(
  message: Message,
  campaign: CampaignState | undefined,
  nowMs: number,
  isTest = false,
): Verdict {
  const known = campaign !== undefined && campaign.version >= message.campaign_version;
  if (isTest && known) return nowMs < deadlineOf(message, campaign) ? SEND : EXPIRED;
  if (known && isEnded(campaign.status)) return REPEAT;
  if (known && campaign.status === 'cancelling') return CANCELLED;
  const untilMs = deadlineOf(message, campaign);
  if (nowMs >= untilMs) return EXPIRED;
  if (!known) return { go: 'wait', why: 'campaign_unknown', untilMs };
  if (isWaiting(campaign.status)) return { go: 'wait', why: 'paused', untilMs };
  return SEND;
}

/** What happens to a message now. Only `send` needs a slot. */
export type Fate = Exclude<Verdict, { go: 'wait' }> | Move;

/** It cannot run here and now, and must not hold its partition: it moves on, with no attempt spent. */
export interface Move {
  readonly go: 'move';
  /** Index of a retry tier. */
  readonly to: number | 'held';
  readonly waitMs: number;
  readonly reason: Reason;
  readonly detail: string;
}

/** Why a limit lets nothing pass; `reason` is what a deferral because of it says. */
export interface LimitHold extends Hold {
  readonly reason: Reason;
}

export interface Standing {
  readonly message: Message;
  readonly source: Source;
  readonly isTest: boolean;
  /** Monotonic: when it came into memory. */
  readonly arrivedMs: number;
  readonly seat: {
    /** Monotonic: since when it is the next of its campaign and was refused; -1: it has not been. */
    readonly standingSinceMs: number;
  };
}

export interface Patience {
  /** Nothing that cannot run stands longer than this. */
  readonly standMs: number;
  /** What is in memory when its campaign is paused waits this long for it to be resumed. */
  readonly pauseGraceMs: number;
  /** First tier that waits at least this long, or the last one; and the delay of the first. */
  readonly tierFor: (waitMs: number) => number;
  readonly shortestTierMs: number;
}

const STAND_MS = 10_000;
const PAUSE_GRACE_MS = 1_000;

export const patienceOf = (sources: Sources, standMs = STAND_MS, pauseGraceMs = PAUSE_GRACE_MS): Patience => ({
  standMs,
  pauseGraceMs,
  tierFor: sources.tierFor,
  shortestTierMs: sources.tier(0).delayMs,
});

/**
 * Verdict and limits as one answer for the scheduler: what happens now, or what it waits for and until when. NOTHING STANDS
 * LONGER THAN `standMs`: its partition's watermark would stand with it, and with that the fan-out of every campaign in it.
 * What counts is how long a message has been the next one of its campaign: a campaign that leaves at its rate has a new
 * next one all the time, however long its queue is.
 */
export function fateOf<J extends Standing>(
  job: J,
  campaign: CampaignState | undefined,
  limitHold: (job: J, campaign: CampaignState, monotonicMs: number) => LimitHold | undefined,
  patience: Patience,
  nowMs: number,
  monotonicMs: number,
): Fate | Hold {
  const verdict = verdictOf(job.message, campaign, nowMs, job.isTest);
  if (verdict.go === 'wait') {
    const deadlineMs = monotonicMs + verdict.untilMs - nowMs;
    return verdict.why === 'paused'
      ? pausedFate(campaign?.sinceMs ?? 0, patience, deadlineMs, monotonicMs)
      : unknownFate(job, patience, deadlineMs, monotonicMs);
  }
  if (verdict.go !== 'send' || campaign === undefined) return verdict;
  const hold = limitHold(job, campaign, monotonicMs);
  if (hold === undefined) return verdict;
  const { standingSinceMs } = job.seat;
  const standsUntilMs = (standingSinceMs < 0 ? monotonicMs : standingSinceMs) + patience.standMs;
  const waitMs = hold.untilMs - monotonicMs;
  const isForever = hold.untilMs === Number.POSITIVE_INFINITY;
  if (monotonicMs >= standsUntilMs || (!isForever && waitMs > patience.standMs)) {
    const wait = Math.max(patience.shortestTierMs, isForever ? 0 : waitMs);
    return { go: 'move', to: patience.tierFor(wait), waitMs: wait, reason: hold.reason, detail: hold.on };
  }
  // No time for a whole campaign: some call ends within its own deadline and wakes it. Such holds come once a message, a
  // timer each would pile up.
  if (isForever && hold.scope !== 'message') return hold;
  const deadlineMs = monotonicMs + deadlineOf(job.message, campaign) - nowMs;
  return { ...hold, untilMs: Math.min(hold.untilMs, standsUntilMs, deadlineMs) };
}

const HELD: Move = { go: 'move', to: 'held', waitMs: 0, reason: 'paused', detail: '' };

function pausedFate(sinceMs: number, patience: Patience, deadlineMs: number, monotonicMs: number): Fate | Hold {
  const graceEndsMs = sinceMs + patience.pauseGraceMs;
  return monotonicMs >= graceEndsMs ? HELD : { on: 'paused', untilMs: Math.min(graceEndsMs, deadlineMs) };
}

/** A record of a tier has waited for its campaign before: it goes on to the next tier at once. */
function unknownFate(job: Standing, patience: Patience, deadlineMs: number, monotonicMs: number): Fate | Hold {
  const untilMs = job.arrivedMs + (job.source.kind === 'tier' ? 0 : patience.standMs);
  if (monotonicMs < untilMs) return { on: 'campaign_unknown', untilMs: Math.min(untilMs, deadlineMs) };
  const to = job.source.kind === 'tier' ? job.source.tier + 1 : 0;
  return { go: 'move', to, waitMs: Number.POSITIVE_INFINITY, reason: 'campaign_unknown', detail: '' };
}
