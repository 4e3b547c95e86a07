import {
  HEADERS,
  isCampaignId,
  isMessageId,
  LANES,
  type Lane,
  type Message,
  ordinalIn,
  type SourceRecord,
} from '@volley/contract';

/** Longest recipient that is handled or repeated in an event: an address has at most 320 characters, a URL fits. */
export const MAX_RECIPIENT_CHARS = 2_048;
const MAX_TENANT_BYTES = 64;
/** Letters that ids have in the whole system; keeps line breaks and markup of a foreign writer out of events. */
const TENANT = /^[A-Za-z0-9._-]+$/;
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const lanes: ReadonlySet<string> = new Set(LANES);

/** A header that is there says the same. Absent is nothing: it is there for those who cannot read the value. */
function saysSame({ headers }: SourceRecord, name: string, value: string): boolean {
  const said = headers[name];
  return said === undefined || (said.length <= MAX_TENANT_BYTES && said.toString() === value);
}

/**
 * Why a record that decodes is still no message: another team may write to the topic. Undefined if it is one.
 * The key must name the same campaign, because partition and order follow it.
 */
export function flawOf(message: Message, record: SourceRecord): string | undefined {
  if (!isMessageId(message.message_id)) return 'message_id is not a message id';
  if (!isCampaignId(message.campaign_id)) return 'campaign_id is not a campaign id';
  const ordinal = ordinalIn(message.message_id, message.campaign_id);
  if (ordinal === undefined) return 'message_id is of another campaign';
  // Progress counts places, statistics count ids: one record must not end two messages. A direct message has place 0.
  if (ordinal !== message.ordinal) return 'message_id is of another ordinal';
  if (record.key !== null && record.key.toString() !== message.campaign_id) return 'the key names another campaign';
  if (message.tenant_id.length > MAX_TENANT_BYTES || !TENANT.test(message.tenant_id)) return 'tenant_id is not an id';
  // Whoever reads only headers (an unreadable value, a filter of dead letters) must not be told of somebody else.
  if (!saysSame(record, HEADERS.messageId, message.message_id)) return 'its header names another message';
  if (!saysSame(record, HEADERS.campaignId, message.campaign_id)) return 'its header names another campaign';
  if (!saysSame(record, HEADERS.tenantId, message.tenant_id)) return 'its header names another tenant';
  if (!lanes.has(message.lane)) return 'lane is not a lane';
  if (message.run < 0 || message.campaign_version < 0) return 'a count is negative';
  return undefined;
}

/** What the headers say of a record whose value cannot be read. */
export interface HeaderIdentity {
  readonly messageId: string;
  readonly campaignId: string;
  readonly tenantId: string;
  readonly ordinal: number;
  readonly lane: Lane;
}

const textOf = (record: SourceRecord, name: string, maxBytes: number): string | undefined => {
  const value = record.headers[name];
  return value !== undefined && value.length <= maxBytes ? value.toString('utf8') : undefined;
};

/** Undefined when the headers do not name a message beyond doubt: such a record can be kept, but not counted. */
export function identityFromHeaders(record: SourceRecord): HeaderIdentity | undefined {
  const messageId = textOf(record, HEADERS.messageId, 36);
  const campaignId = textOf(record, HEADERS.campaignId, 36);
  const tenantId = textOf(record, HEADERS.tenantId, MAX_TENANT_BYTES);
  const lane = textOf(record, HEADERS.lane, 16);
  if (messageId === undefined || campaignId === undefined || !isCampaignId(campaignId)) return undefined;
  const ordinal = ordinalIn(messageId, campaignId);
  if (ordinal === undefined) return undefined;
  if (record.key !== null && record.key.toString() !== campaignId) return undefined;
  if (tenantId === undefined || !TENANT.test(tenantId)) return undefined;
  if (lane === undefined || !lanes.has(lane)) return undefined;
  return { messageId, campaignId, tenantId, ordinal, lane: lane as Lane };
}

/** The W3C trace context of a record, if it is one. */
export function traceparentOf(record: SourceRecord): string | undefined {
  const value = textOf(record, HEADERS.traceparent, 55);
  return value !== undefined && TRACEPARENT.test(value) ? value : undefined;
}

/** A message of `POST …/test`: it is sent like any other, and outside the statistics. */
export const isTest = (record: SourceRecord): boolean => record.headers[HEADERS.test]?.toString('latin1') === '1';
