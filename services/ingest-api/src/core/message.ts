import { HEADERS, type Message, messageIdOf, ordinalIn, partitionOf } from '@volley/contract';
import type { Campaign } from './campaign.ts';

/** A frozen row. `attributes` is JSON text as the store gave it: it goes into the message without being parsed. */
export interface FrozenRow {
  readonly ordinal: number;
  readonly recipient: string;
  readonly name: string | null;
  readonly tags: readonly string[];
  readonly attributes: string;
}

/** Variables of the template as JSON text: the contact's attributes and, when it is known, the name. */
export function varsOf(row: FrozenRow): string {
  if (row.name === null) return row.attributes;
  const name = `"name":${JSON.stringify(row.name)}`;
  return row.attributes === '{}' ? `{${name}}` : `${row.attributes.slice(0, -1)},${name}}`;
}

export interface OutgoingMessage {
  readonly topic: string;
  readonly partition: number;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: Record<string, string | Buffer>;
}

/** What is the same for all messages of a campaign is made once; the rest is one record and one small object a row. */
export function messageWriter(campaign: Campaign, topic: string, encode: (message: Message) => Buffer) {
  const { campaign_id, tenant_id, lane, expires_at, spread, partitions, sent_version } = campaign;
  const key = Buffer.from(campaign_id);
  const tenant = Buffer.from(tenant_id);
  const laneHeader = Buffer.from(lane);
  const only = partitionOf(campaign_id, '', 1, partitions);
  return (row: FrozenRow, queuedAtMs: number): OutgoingMessage => {
    const message_id = messageIdOf(campaign_id, row.ordinal);
    return {
      topic,
      partition: spread > 1 ? partitionOf(campaign_id, row.recipient, spread, partitions) : only,
      key,
      value: encode({
        message_id,
        run: 0,
        tenant_id,
        campaign_id,
        campaign_version: sent_version,
        ordinal: row.ordinal,
        recipient: row.recipient,
        vars: varsOf(row),
        tags: row.tags,
        lane,
        queued_at: queuedAtMs,
        expires_at,
      }),
      headers: {
        [HEADERS.messageId]: message_id,
        [HEADERS.tenantId]: tenant,
        [HEADERS.campaignId]: key,
        [HEADERS.lane]: laneHeader,
      },
    };
  };
}

/** Ordinal of a record in the log if it is a message of this campaign, from its headers alone; else 0. */
export function ordinalInLog(headers: Readonly<Record<string, Buffer>>, campaignId: string): number {
  if (headers[HEADERS.campaignId]?.toString('latin1') !== campaignId) return 0;
  // Not the digits at the end: a direct message of the same campaign has such digits, and no place.
  return ordinalIn(headers[HEADERS.messageId]?.toString('latin1') ?? '', campaignId) ?? 0;
}
