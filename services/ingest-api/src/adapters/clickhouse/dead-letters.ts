import { directRange } from '@volley/contract';
import type { DeadLetter, DeadLetterFilter, DeadLetterIndex, EndedMessage } from '../../dead-letter-ports.ts';
import { createReader, type Limits, type ReaderOptions } from './reader.ts';

/** It looks through every failed message of a tenant: 0.5 s for two million, so a page of a large one may take a while. */
const LIMITS: Limits = { seconds: 30, megabytes: 2_048 };
/** Beside people, redrives ask: a page at a time each, and they can wait. */
const TURNS = { places: 4, queue: 64, waitMs: 10_000 };

interface Row {
  message_id: string;
  campaign_id: string;
  run: number;
  ordinal: string;
  recipient: string;
  kind: EndedMessage['kind'];
  reason: string;
  detail: string;
  attempts: number;
  at: string;
  dlq_partition: number | null;
  dlq_offset: string | null;
}

const COLUMNS = `message_id, campaign_id, run, toString(ordinal) AS ordinal, recipient, kind, reason, detail, attempts,
  toString(toUnixTimestamp64Milli(occurred_at)) AS at, dlq_partition, toString(dlq_offset) AS dlq_offset`;

const letterOf = (row: Row): EndedMessage => ({
  message_id: row.message_id,
  campaign_id: row.campaign_id,
  run: row.run,
  ordinal: Number(row.ordinal),
  recipient: row.recipient,
  kind: row.kind,
  reason: row.reason,
  detail: row.detail,
  attempts: row.attempts,
  occurredAtMs: Number(row.at),
  place:
    row.dlq_partition === null || row.dlq_offset === null
      ? undefined
      : { partition: row.dlq_partition, offset: Number(row.dlq_offset) },
});

/** Conditions and what they are bound to; nothing of a request is ever part of the text. */
function conditionsOf(filter: DeadLetterFilter, params: Record<string, unknown>): string[] {
  const where = ["tenant_id = 'default'"];
  const equal = (column: string, type: string, value: unknown) => {
    if (value === undefined) return;
    where.push(`${column} = {${column}:${type}}`);
    params[column] = value;
  };
  equal('campaign_id', 'String', filter.campaign_id);
  equal('reason', 'String', filter.reason);
  equal('kind', 'String', filter.kind);
  if (filter.recipient !== undefined) {
    where.push('lowerUTF8(recipient) = lowerUTF8({recipient:String})');
    params.recipient = filter.recipient;
  }
  if (filter.message_ids !== undefined) {
    where.push('message_id IN {ids:Array(String)}');
    params.ids = filter.message_ids;
  }
  return where;
}

/** Ends as expired that no redrive has taken the message out of. */
const EXPIRED = `SELECT message_id, campaign_id, run, toString(ordinal) AS ordinal, recipient, kind, reason, detail,
    attempt AS attempts, toString(toUnixTimestamp64Milli(occurred_at)) AS at, NULL AS dlq_partition, NULL AS dlq_offset
  FROM delivery_events WHERE tenant_id = 'default' AND campaign_id = {campaign:String} AND kind = 'expired' AND NOT is_repeat
    AND message_id > {after:String} AND occurred_at <= fromUnixTimestamp64Milli({before:Int64})
    AND (message_id, run + 1) NOT IN (SELECT message_id, run FROM delivery_events
      WHERE tenant_id = 'default' AND campaign_id = {campaign:String} AND kind = 'redriven' AND NOT is_repeat)
  ORDER BY message_id LIMIT {limit:UInt32}`;

/** The view dead_letters of the sink. */
export function createDeadLetterIndex(
  o: Pick<ReaderOptions, 'url' | 'database' | 'clientId' | 'metric'>,
): DeadLetterIndex & { close(): Promise<void> } {
  const reader = createReader({ ...o, turns: TURNS });
  const rows = async (sql: string, params: Record<string, unknown>): Promise<EndedMessage[]> =>
    (await reader.ask<Row>({ sql, params, limits: LIMITS })).value.map(letterOf);
  // The view has letters alone.
  const ask = async (...asked: Parameters<typeof rows>) => (await rows(...asked)) as DeadLetter[];

  return {
    async page({ filter, beforeMs, newestFirst, after, limit }) {
      const params: Record<string, unknown> = { limit };
      const where = conditionsOf(filter, params);
      if (beforeMs !== undefined) {
        where.push('occurred_at <= fromUnixTimestamp64Milli({before:Int64})');
        params.before = beforeMs;
      }
      if (newestFirst?.after !== undefined) {
        where.push('(occurred_at, message_id) < (fromUnixTimestamp64Milli({at:Int64}), {after:String})');
        params.at = newestFirst.after.occurredAtMs;
        params.after = newestFirst.after.message_id;
      }
      if (after !== undefined) {
        where.push('campaign_id >= {at_campaign:String}');
        where.push('(campaign_id, message_id) > ({at_campaign:String}, {after:String})');
        params.at_campaign = after.campaign_id;
        params.after = after.message_id;
      }
      const order = newestFirst === undefined ? 'campaign_id, message_id' : 'occurred_at DESC, message_id DESC';
      const sql = `SELECT ${COLUMNS} FROM dead_letters WHERE ${where.join(' AND ')} ORDER BY ${order} LIMIT {limit:UInt32}`;
      return ask(sql, params);
    },

    async find(messageId) {
      // The campaign is not in the id of a direct message, but a range of campaigns is: rows are found by it.
      const { from, to } = directRange(messageId);
      const sql = `SELECT ${COLUMNS} FROM dead_letters WHERE tenant_id = 'default' AND campaign_id >= {from:String}
        AND campaign_id <= {to:String} AND message_id = {id:String} LIMIT 1`;
      return (await ask(sql, { from, to, id: messageId }))[0];
    },

    expired: ({ campaignId, beforeMs, after = '', limit }) =>
      rows(EXPIRED, { campaign: campaignId, before: beforeMs, after, limit }),

    close: reader.close,
  };
}
