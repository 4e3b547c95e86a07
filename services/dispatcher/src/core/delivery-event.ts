import {
  type DeliveryEvent,
  type DeliveryKind,
  detailOf,
  type Message,
  type Reason,
  type SourceRecord,
} from '@volley/contract';
import { identityFromHeaders, MAX_RECIPIENT_CHARS } from './identity.ts';

/** What happened, beside what the message itself says. */
export interface Outcome {
  readonly kind: DeliveryKind;
  readonly occurredAtMs: number;
  /** From 1; 0 where no attempt was made. */
  readonly attempt: number;
  readonly deferrals: number;
  readonly channel: string;
  readonly provider: string;
  readonly providerMs: number;
  /** Where a deferred message waits; empty otherwise. */
  readonly tier: string;
  readonly reason: Reason | '';
  readonly detail: string;
}

export function eventOf(message: Message, outcome: Outcome): DeliveryEvent {
  return {
    message_id: message.message_id,
    run: message.run,
    tenant_id: message.tenant_id,
    campaign_id: message.campaign_id,
    ordinal: message.ordinal,
    recipient:
      message.recipient.length > MAX_RECIPIENT_CHARS
        ? message.recipient.slice(0, MAX_RECIPIENT_CHARS).toWellFormed()
        : message.recipient,
    kind: outcome.kind,
    previous_kind: null,
    attempt: outcome.attempt,
    deferrals: outcome.deferrals,
    tier: outcome.tier,
    lane: message.lane,
    channel: outcome.channel,
    provider: outcome.provider,
    reason: outcome.reason,
    detail: outcome.detail === '' ? '' : detailOf(outcome.detail),
    queued_at: message.queued_at,
    occurred_at: outcome.occurredAtMs,
    provider_ms: outcome.providerMs,
    e2e_ms: Math.max(0, outcome.occurredAtMs - message.queued_at),
    dlq_partition: null,
    dlq_offset: null,
  };
}

/**
 * The end of a record whose value says nothing, from its headers; undefined when they do not name a message either.
 * The log's own time stands for `queued_at`: it is what is known. `past` is what the ledger knows of the message.
 */
export function eventOfUnreadable(
  record: SourceRecord,
  reason: Reason,
  detail: string,
  occurredAtMs: number,
  past: { readonly run: number; readonly attempts: number; readonly deferrals: number } = {
    run: 0,
    attempts: 0,
    deferrals: 0,
  },
): DeliveryEvent | undefined {
  const identity = identityFromHeaders(record);
  if (identity === undefined) return undefined;
  const message: Message = {
    message_id: identity.messageId,
    run: past.run,
    tenant_id: identity.tenantId,
    campaign_id: identity.campaignId,
    campaign_version: 0,
    ordinal: identity.ordinal,
    recipient: '',
    vars: '{}',
    tags: [],
    lane: identity.lane,
    queued_at: Math.max(0, record.timestampMs),
    expires_at: null,
  };
  return eventOf(message, {
    kind: 'dead',
    occurredAtMs,
    attempt: past.attempts,
    deferrals: past.deferrals,
    channel: '',
    provider: '',
    providerMs: 0,
    tier: '',
    reason,
    detail,
  });
}

/** A dead letter's place, once it is acknowledged. */
export const withPlace = (event: DeliveryEvent, place: { partition: number; offset: number }): DeliveryEvent => ({
  ...event,
  dlq_partition: place.partition,
  dlq_offset: place.offset,
});
