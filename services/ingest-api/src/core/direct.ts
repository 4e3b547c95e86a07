import {
  directMessageIdFrom,
  directMessageIdOf,
  HEADERS,
  type Lane,
  type Message,
  partitionOf,
} from '@volley/contract';
import { recipientProblem } from './address.ts';
import type { Campaign } from './campaign.ts';
import { attributesProblem, type LineErrorCode } from './contact.ts';
import type { FrozenRow, OutgoingMessage } from './message.ts';
import { varsOf } from './message.ts';

/** What a client says of one message. */
export interface DirectLine {
  readonly id?: string;
  readonly to: string;
  /** JSON text of an object. */
  readonly vars: string;
}

export const MAX_CLIENT_ID_CHARS = 256;

type Checked = { ok: true; message: DirectLine } | { ok: false; code: LineErrorCode; field: string; detail: string };
const no = (code: LineErrorCode, field: string, detail: string): Checked => ({ ok: false, code, field, detail });

/** A line's fields -> a message. Recipient and names of variables are held to what an import holds them to. */
export function directLineOf(fields: Readonly<Record<string, unknown>>): Checked {
  const { id, to, vars, ...others } = fields;
  for (const name in others)
    return no('unknown_field', name, `a message has id, to and vars, not ${JSON.stringify(name.slice(0, 64))}`);
  if (id !== undefined && id !== null) {
    if (typeof id !== 'string') return no('invalid_id', 'id', 'the id is not a string');
    if (id.length === 0 || id.length > MAX_CLIENT_ID_CHARS)
      return no('invalid_id', 'id', `an id has 1 to ${MAX_CLIENT_ID_CHARS} characters`);
  }
  if (to === undefined || to === null || to === '') return no('missing_recipient', 'to', 'the message has no to');
  if (typeof to !== 'string') return no('invalid_recipient', 'to', 'the recipient is not a string');
  const recipient = to.trim();
  const problem = recipientProblem(recipient);
  if (problem) return no('invalid_recipient', 'to', problem);
  if (vars !== undefined && vars !== null) {
    if (typeof vars !== 'object' || Array.isArray(vars)) return no('invalid_vars', 'vars', 'vars is not an object');
    const wrong = attributesProblem(vars as Record<string, unknown>);
    if (wrong) return no('invalid_vars', 'vars', wrong);
  }
  const message = { to: recipient, vars: vars ? JSON.stringify(vars) : '{}' };
  return { ok: true, message: typeof id === 'string' ? { id, ...message } : message };
}

/** What the id of a message is made from. `line` counts from 1. */
export interface Naming {
  /** The Idempotency-Key of the request. */
  readonly key?: string | undefined;
  random(bytes: number): Uint8Array;
}

/**
 * `named`: the same again for the same message, so that a repeat is recognised. A client's id and a line under a key never
 * meet: no id that a client gives can begin as the second form does, because JSON text holds no NUL here.
 */
export function directId(
  campaignId: string,
  message: DirectLine,
  line: number,
  naming: Naming,
): { messageId: string; named: boolean } {
  if (message.id !== undefined) return { messageId: directMessageIdOf(campaignId, message.id), named: true };
  if (naming.key !== undefined)
    return { messageId: directMessageIdOf(campaignId, `\0${naming.key}\0${line}`), named: true };
  return { messageId: directMessageIdFrom(campaignId, naming.random(8)), named: false };
}

/** A message of a request, ready to be written wherever it turns out that it belongs. */
export interface DirectRecord {
  readonly messageId: string;
  readonly named: boolean;
  readonly partition: number;
  readonly value: Buffer;
}

export function directRecord(
  campaign: Campaign,
  lane: Lane,
  id: { messageId: string; named: boolean },
  message: DirectLine,
  queuedAtMs: number,
  encode: (message: Message) => Buffer,
): DirectRecord {
  const { campaign_id, tenant_id, spread, partitions, sent_version, expires_at } = campaign;
  return {
    ...id,
    partition: partitionOf(campaign_id, message.to, spread, partitions),
    value: encode({
      message_id: id.messageId,
      run: 0,
      tenant_id,
      campaign_id,
      campaign_version: sent_version,
      ordinal: 0,
      recipient: message.to,
      vars: message.vars,
      tags: [],
      lane,
      queued_at: queuedAtMs,
      expires_at,
    }),
  };
}

/** What the log is given. */
export function outgoing(
  topic: string,
  of: { readonly campaignId: string; readonly tenantId: string; readonly lane: string },
  records: readonly Pick<DirectRecord, 'messageId' | 'partition' | 'value'>[],
): OutgoingMessage[] {
  const key = Buffer.from(of.campaignId);
  const tenant = Buffer.from(of.tenantId);
  const lane = Buffer.from(of.lane);
  return records.map(({ messageId, partition, value }) => ({
    topic,
    partition,
    key,
    value,
    headers: {
      [HEADERS.messageId]: messageId,
      [HEADERS.tenantId]: tenant,
      [HEADERS.campaignId]: key,
      [HEADERS.lane]: lane,
    },
  }));
}

/**
 * A message that shows what the campaign will look like: of its version as it is now, outside the statistics. A contact
 * with that address gives its variables.
 */
export function testMessage(
  topic: string,
  campaign: Campaign,
  partitions: number,
  to: string,
  contact: Omit<FrozenRow, 'ordinal'> | undefined,
  messageId: string,
  nowMs: number,
  encode: (message: Message) => Buffer,
): OutgoingMessage {
  const { campaign_id, tenant_id, version } = campaign;
  const lane: Lane = 'transactional';
  const value = encode({
    message_id: messageId,
    run: 0,
    tenant_id,
    campaign_id,
    campaign_version: version,
    ordinal: 0,
    recipient: to,
    vars: contact ? varsOf({ ...contact, ordinal: 0 }) : '{}',
    tags: contact?.tags ?? [],
    lane,
    queued_at: nowMs,
    expires_at: null,
  });
  const partition = partitionOf(campaign_id, '', 1, partitions);
  const [record] = outgoing(topic, { campaignId: campaign_id, tenantId: tenant_id, lane }, [
    { messageId, partition, value },
  ]);
  return { ...(record as OutgoingMessage), headers: { ...record?.headers, [HEADERS.test]: '1' } };
}

const ID_BYTES = 36;
const HEAD_BYTES = 4 + ID_BYTES + 4;

/** Records as one value of the store: for each, partition, message id, length and bytes. */
export function packRecords(records: readonly Pick<DirectRecord, 'messageId' | 'partition' | 'value'>[]): Buffer {
  let bytes = 0;
  for (const { value } of records) bytes += HEAD_BYTES + value.length;
  const out = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const { partition, messageId, value } of records) {
    out.writeUInt32BE(partition, at);
    out.write(messageId, at + 4, ID_BYTES, 'latin1');
    out.writeUInt32BE(value.length, at + 4 + ID_BYTES);
    value.copy(out, at + HEAD_BYTES);
    at += HEAD_BYTES + value.length;
  }
  return out;
}

export function unpackRecords(packed: Buffer): { partition: number; messageId: string; value: Buffer }[] {
  const out: { partition: number; messageId: string; value: Buffer }[] = [];
  for (let at = 0; at < packed.length; ) {
    const bytes = packed.readUInt32BE(at + 4 + ID_BYTES);
    out.push({
      partition: packed.readUInt32BE(at),
      messageId: packed.toString('latin1', at + 4, at + 4 + ID_BYTES),
      value: packed.subarray(at + HEAD_BYTES, at + HEAD_BYTES + bytes),
    });
    at += HEAD_BYTES + bytes;
  }
  return out;
}
