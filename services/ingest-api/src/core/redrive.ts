import {
  type CampaignStatus,
  DEAD_LETTER_HEADERS,
  type Decoded,
  type DeliveryEvent,
  HEADERS,
  MAX_MESSAGE_BYTES,
  type Message,
  partitionOf,
  type SourceRecord,
  type Topics,
} from '@volley/contract';
import type { Campaign } from './campaign.ts';
import { type FrozenRow, type OutgoingMessage, varsOf } from './message.ts';

/** Which dead letters somebody means. Nothing given: all of them. */
export interface DeadLetterFilter {
  readonly campaign_id?: string;
  readonly reason?: string;
  readonly kind?: 'failed' | 'dead';
  readonly recipient?: string;
  readonly message_ids?: readonly string[];
  /** With a campaign: what of it expired as well, whatever else the filter says. It has no letter. */
  readonly expired?: boolean;
}

/** States that a message leaves by a redrive. */
export type RedrivenKind = 'failed' | 'dead' | 'expired';

/** A message that stands failed or dead, as the index has it. Times are epoch milliseconds. */
export interface DeadLetter {
  readonly message_id: string;
  readonly campaign_id: string;
  /** Run in which it failed. */
  readonly run: number;
  readonly ordinal: number;
  readonly recipient: string;
  readonly kind: 'failed' | 'dead';
  readonly reason: string;
  readonly detail: string;
  readonly attempts: number;
  readonly occurredAtMs: number;
  /** Where the letter lies in the log; undefined: its event names no place. */
  readonly place: LetterPlace | undefined;
}

/** The same of one that expired: `place` is undefined. */
export interface EndedMessage extends Omit<DeadLetter, 'kind'> {
  readonly kind: RedrivenKind;
}

/** A redrive or a purge: the row that says who asked for what, and how far it is. Times are epoch milliseconds. */
export interface RedriveJob {
  readonly redrive_id: string;
  readonly tenant_id: string;
  readonly action: 'redrive' | 'purge';
  readonly status: 'running' | 'done' | 'cancelled';
  readonly filter: DeadLetterFilter;
  readonly limit: number | null;
  readonly rate_per_second: number | null;
  readonly reason_text: string;
  /** Only what failed before is selected: what fails again while it runs is not sent a third time. */
  readonly createdAtMs: number;
  readonly finishedAtMs: number | null;
  /** As counted when it was asked for; `atLeast`: counting stopped there. */
  readonly matched: number;
  readonly matchedAtLeast: boolean;
  readonly selected: number;
  readonly redriven: number;
  readonly purged: number;
  readonly left: Readonly<Partial<Record<LeftCause, number>>>;
}
export type NewRedrive = Omit<RedriveJob, 'status' | 'finishedAtMs' | 'selected' | 'redriven' | 'purged' | 'left'>;

/** Where a walk through the index stands: after this message of this campaign. */
export interface LetterCursor {
  readonly campaign_id: string;
  readonly message_id: string;
}

export interface LetterPlace {
  readonly partition: number;
  readonly offset: number;
}
export const placeKey = ({ partition, offset }: LetterPlace): string => `${partition}/${offset}`;

/** A message that a redrive has taken; `run` is the one that it gets. */
export interface Mark {
  readonly message_id: string;
  readonly run: number;
  readonly campaign_id: string;
  readonly kind: RedrivenKind;
  readonly reason: string;
  readonly place: LetterPlace | undefined;
}

export const markOf = (letter: EndedMessage): Mark => ({
  message_id: letter.message_id,
  run: letter.run + 1,
  campaign_id: letter.campaign_id,
  kind: letter.kind,
  reason: letter.reason,
  place: letter.place,
});
export const markKey = (mark: { readonly message_id: string; readonly run: number }): string =>
  `${mark.message_id}/${mark.run}`;

/** Why a message is left as it stands. The first two are its campaign's, the others what is in the log. */
export type LeftCause =
  | 'campaign_over'
  | 'campaign_expired'
  | 'gone'
  | 'truncated'
  | 'undecodable'
  | 'foreign'
  | 'test'
  | 'too_large';
const SKIPPED: ReadonlySet<LeftCause> = new Set<LeftCause>(['campaign_over', 'campaign_expired', 'test']);
export const isSkipped = (cause: LeftCause): boolean => SKIPPED.has(cause);

const REDRIVABLE: ReadonlySet<CampaignStatus> = new Set<CampaignStatus>([
  'running',
  'paused',
  'completed',
  'completed_with_failures',
]);

/** Undefined: its messages may be sent again. One over its deadline would only turn `failed` into `expired`. */
export function campaignCause(campaign: Campaign | undefined, nowMs: number): LeftCause | undefined {
  if (campaign === undefined || campaign.deleted || !REDRIVABLE.has(campaign.status)) return 'campaign_over';
  if (campaign.expires_at !== null && campaign.expires_at <= nowMs) return 'campaign_expired';
  return undefined;
}

/** Key, headers and framing of a record beside its value: ours take less than 300 bytes. */
const RECORD_OVERHEAD_BYTES = 1_024;

export interface RedriveContext {
  readonly redriveId: string;
  readonly campaign: Campaign;
  /** Version of the event that opened the campaign for this redrive. */
  readonly version: number;
  readonly topics: Topics;
  readonly decode: (bytes: Buffer | null) => Decoded<Message>;
  readonly encode: (message: Message) => Buffer;
}

export type LetterPlan =
  | { readonly ok: true; readonly mark: Mark; readonly message: Message; readonly record: OutgoingMessage }
  | { readonly ok: false; readonly mark: Mark; readonly cause: LeftCause };

/** Pure: what becomes of one dead letter. Its schema has been loaded: an id that is still unknown is undecodable. */
export function planLetter(mark: Mark, letter: SourceRecord | undefined, c: RedriveContext, nowMs: number): LetterPlan {
  const left = (cause: LeftCause): LetterPlan => ({ ok: false, mark, cause });
  if (letter === undefined) return left('gone');
  if (letter.headers[DEAD_LETTER_HEADERS.truncated] !== undefined) return left('truncated');
  if (letter.headers[HEADERS.test] !== undefined) return left('test');
  const decoded = c.decode(letter.value);
  if (!decoded.ok) return left('undecodable');
  const before = decoded.value;
  // The place comes from an event, the bytes from another topic: what is sent must be the message that was asked for.
  if (before.message_id !== mark.message_id || before.campaign_id !== mark.campaign_id) return left('foreign');
  if (before.run >= mark.run || !(before.lane in c.topics.messages)) return left('foreign');
  return planOf(mark, before, letter.partition, letter.headers[HEADERS.traceparent], c, nowMs);
}

/**
 * What expired has no letter, but its row in the frozen audience: of that it is made anew, as fan-out made it. A direct
 * message has neither.
 */
export function planExpired(mark: Mark, row: FrozenRow | undefined, c: RedriveContext, nowMs: number): LetterPlan {
  if (row === undefined) return { ok: false, mark, cause: 'gone' };
  const { campaign_id, tenant_id, lane, spread, partitions } = c.campaign;
  const message: Message = {
    ...{ message_id: mark.message_id, run: 0, tenant_id, campaign_id, campaign_version: 0, lane },
    ...{ ordinal: row.ordinal, recipient: row.recipient, vars: varsOf(row), tags: row.tags },
    ...{ queued_at: nowMs, expires_at: null },
  };
  return planOf(mark, message, partitionOf(campaign_id, row.recipient, spread, partitions), undefined, c, nowMs);
}

function planOf(
  mark: Mark,
  before: Message,
  partition: number,
  traceparent: Buffer | undefined,
  c: RedriveContext,
  nowMs: number,
): LetterPlan {
  const message: Message = {
    ...before,
    run: mark.run,
    campaign_version: c.version,
    // From here on it is on its way again: its latency and its patience count from the redrive.
    queued_at: nowMs,
    expires_at: c.campaign.expires_at,
  };
  const value = c.encode(message);
  if (value.length + RECORD_OVERHEAD_BYTES > MAX_MESSAGE_BYTES) return { ok: false, mark, cause: 'too_large' };
  const headers: Record<string, string | Buffer> = {
    [HEADERS.messageId]: message.message_id,
    [HEADERS.tenantId]: message.tenant_id,
    [HEADERS.campaignId]: message.campaign_id,
    [HEADERS.lane]: message.lane,
    [HEADERS.redrive]: c.redriveId,
  };
  if (traceparent !== undefined && traceparent.length <= 64) headers[HEADERS.traceparent] = traceparent;
  const topic = c.topics.messages[message.lane as keyof Topics['messages']];
  const record = { topic, partition, key: Buffer.from(message.campaign_id), value, headers };
  return { ok: true, mark, message, record };
}

/** As dispatchers bound it in their events. */
const MAX_RECIPIENT_CHARS = 2_048;

/** The event that takes the message out of `failed` or `dead`: it carries the run that begins. */
export function redrivenEvent(message: Message, mark: Mark, campaign: Campaign): DeliveryEvent {
  return {
    message_id: message.message_id,
    run: mark.run,
    tenant_id: message.tenant_id,
    campaign_id: message.campaign_id,
    ordinal: message.ordinal,
    recipient: message.recipient.slice(0, MAX_RECIPIENT_CHARS).toWellFormed(),
    kind: 'redriven',
    previous_kind: mark.kind,
    attempt: 0,
    deferrals: 0,
    tier: '',
    lane: message.lane,
    channel: campaign.channel,
    provider: campaign.provider,
    reason: mark.reason,
    detail: '',
    queued_at: message.queued_at,
    occurred_at: message.queued_at,
    provider_ms: 0,
    e2e_ms: 0,
    dlq_partition: null,
    dlq_offset: null,
  };
}
/**
 * The log refused a message whose `redriven` event it has: the message goes back to where it stood, under its new run and
 * with its old letter, so that it is neither lost nor on its way for ever.
 */
export const refusedEvent = (redriven: DeliveryEvent, mark: Mark, detail: string): DeliveryEvent => ({
  ...redriven,
  kind: mark.kind,
  previous_kind: null,
  detail,
  dlq_partition: mark.place?.partition ?? null,
  dlq_offset: mark.place?.offset ?? null,
});

/** Places as ranges to read, in rounds of at most one range a partition; neighbours closer than `maxGap` share one. */
export function readRounds(
  places: readonly LetterPlace[],
  maxGap: number,
): { partition: number; from: number; to: number }[][] {
  const rounds: { partition: number; from: number; to: number }[][] = [];
  for (const [partition, own] of Map.groupBy(places, (p) => p.partition)) {
    const offsets = [...new Set(own.map((p) => p.offset))].sort((a, b) => a - b);
    let round = -1;
    let last: { partition: number; from: number; to: number } | undefined;
    for (const offset of offsets) {
      if (last !== undefined && offset - last.to < maxGap) {
        last.to = offset + 1;
        continue;
      }
      last = { partition, from: offset, to: offset + 1 };
      round += 1;
      rounds[round] ??= [];
      rounds[round]?.push(last);
    }
  }
  return rounds;
}

/** Messages a second: what was asked for, and never more than the campaign or its provider takes. */
export function paceOf(asked: number | null, campaign: number | null, provider: number | undefined): number {
  return Math.min(
    asked ?? Number.POSITIVE_INFINITY,
    campaign ?? Number.POSITIVE_INFINITY,
    provider ?? Number.POSITIVE_INFINITY,
  );
}

/** What is marked is written also when the job is cancelled: so a page is what the rate allows in this time. */
const PAGE_SECONDS = 5;

export function pageSize(asked: number | null, limit: number | null, selected: number, max: number): number {
  const inTime = asked === null ? max : Math.max(1, Math.ceil(asked * PAGE_SECONDS));
  return Math.max(0, Math.min(max, inTime, (limit ?? Number.POSITIVE_INFINITY) - selected));
}

/** Written at once: at most what may leave in a second. */
export const sliceSize = (asked: number | null, max: number): number =>
  asked === null ? max : Math.min(max, Math.max(1, Math.ceil(asked)));
