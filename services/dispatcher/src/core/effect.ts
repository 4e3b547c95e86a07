import {
  type DeadLetterFacts,
  type DeliveryEvent,
  type DeliveryKind,
  type Message,
  type Past,
  pastOf,
  type Reason,
} from '@volley/contract';
import { eventOf, eventOfUnreadable } from './delivery-event.ts';
import { isTest, traceparentOf } from './identity.ts';
import type { Job, Tracked } from './job.ts';
import type { Destination } from './sources.ts';

/** How the record itself goes on: as a dead letter, or in a tier or held. It is written before anything else. */
export type Kept =
  | { readonly as: 'letter'; readonly facts: DeadLetterFacts }
  | { readonly as: 'moved'; readonly to: Destination; readonly past: Past; readonly campaignId: string };

/** What is still to be written and done for one record, carried from one acknowledgement to the next. */
export interface Effect {
  readonly tracked: Tracked;
  /** Absent for what could not be decoded: it never had a slot. */
  readonly job: Job | undefined;
  readonly kept: Kept | undefined;
  /** Absent when no message could be named, when the message had ended before, or when nothing has happened to it. */
  readonly event: DeliveryEvent | undefined;
  readonly traceparent: string | undefined;
  /** Monotonic; set when another attempt follows in memory. */
  readonly retryAtMs: number | undefined;
}

/** An effect of which the delivery event is to be written. */
export interface EventEffect extends Effect {
  readonly event: DeliveryEvent;
}

/** An effect of which the record is to be written first. */
export interface KeptEffect extends Effect {
  readonly kept: Kept;
}

/** How it went, at `nowMs` (epoch). `via` is absent where no provider was chosen. */
export interface HowItWent {
  readonly reason: Reason | '';
  readonly detail: string;
  readonly nowMs: number;
  readonly via?: { readonly kind: string; readonly name: string };
  readonly providerMs?: number;
  /** Where a deferred one waits. */
  readonly tier?: string;
}

/** An end that needs no dead letter: sent, cancelled, expired. */
export const ended = (job: Job, kind: DeliveryKind, how: HowItWent): EventEffect => ({
  tracked: job.tracked,
  job,
  kept: undefined,
  event: eventOf(job.message, {
    kind,
    reason: how.reason,
    detail: how.detail,
    occurredAtMs: how.nowMs,
    attempt: job.attempts,
    deferrals: job.deferrals,
    channel: how.via?.kind ?? '',
    provider: how.via?.name ?? '',
    providerMs: how.providerMs ?? 0,
    tier: how.tier ?? '',
  }),
  traceparent: traceparentOf(job.tracked.record),
  retryAtMs: undefined,
});

/** Another attempt follows in memory at `retryAtMs` (monotonic). */
export const deferred = (job: Job, how: HowItWent, retryAtMs: number): EventEffect => ({
  ...ended(job, 'deferred', { ...how, tier: 'memory' }),
  retryAtMs,
});

/** It goes on in a tier, not before `notBeforeMs` (epoch), or in held (0). */
export const moved = (job: Job, to: Destination, how: HowItWent, notBeforeMs: number): EventEffect & KeptEffect => ({
  ...ended(job, 'deferred', { ...how, tier: to.name }),
  kept: {
    as: 'moved',
    to,
    campaignId: job.message.campaign_id,
    past: {
      attempts: job.attempts,
      deferrals: job.deferrals + 1,
      firstFailedAtMs: job.firstFailedAtMs,
      notBeforeMs,
      origin: originOf(job.tracked),
    },
  },
});

const originOf = ({ record }: Tracked): string => pastOf(record)?.origin ?? '';

/** It is looked at and waits on: the same record again at the end of held. Nothing has happened to its message. */
export const keptBack = (tracked: Tracked, campaignId: string, to: Destination, past: Past): KeptEffect => ({
  tracked,
  job: undefined,
  kept: { as: 'moved', to, past, campaignId },
  event: undefined,
  traceparent: undefined,
  retryAtMs: undefined,
});

/** An end that keeps the record. */
export const buried = (job: Job, kind: 'failed' | 'dead', how: HowItWent & { reason: Reason }): KeptEffect => ({
  ...ended(job, kind, how),
  kept: {
    as: 'letter',
    facts: {
      reason: how.reason,
      attempts: job.attempts,
      firstFailedAtMs: job.firstFailedAtMs || how.nowMs,
      lastFailedAtMs: how.nowMs,
      error: how.detail,
    },
  },
});

/** The end of a record that is no message, or that nobody survives. */
export const unreadable = (
  tracked: Tracked,
  reason: Reason,
  detail: string,
  nowMs: number,
  past?: { readonly run: number; readonly attempts: number; readonly deferrals: number },
): KeptEffect => ({
  tracked,
  job: undefined,
  kept: {
    as: 'letter',
    facts: { reason, attempts: past?.attempts ?? 0, firstFailedAtMs: nowMs, lastFailedAtMs: nowMs, error: detail },
  },
  event: isTest(tracked.record) ? undefined : eventOfUnreadable(tracked.record, reason, detail, nowMs, past),
  traceparent: traceparentOf(tracked.record),
  retryAtMs: undefined,
});

/** The end of a record whose value can be read all the same: headers that name somebody else than it does name nobody. */
export function namedAlike(effect: KeptEffect, value: Message | undefined): KeptEffect {
  const { event } = effect;
  if (event === undefined || value === undefined) return effect;
  const isSame =
    event.message_id === value.message_id &&
    event.campaign_id === value.campaign_id &&
    event.tenant_id === value.tenant_id;
  return isSame ? effect : { ...effect, event: undefined };
}

/** Nothing is written for it: the message has ended before, goes on elsewhere, or is a test. */
export const unsaid = (job: Job): Effect => ({
  tracked: job.tracked,
  job,
  kept: undefined,
  event: undefined,
  traceparent: undefined,
  retryAtMs: undefined,
});
