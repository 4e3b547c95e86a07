import type { DirectWant, Ordinals, Range, StateFilter, Step, Steps } from '../../analytics-ports.ts';
import type { Limits } from './reader.ts';

/** All questions to the public views. Values are bound by name and type; nothing of a request is ever part of the text. */
export interface Sql {
  readonly sql: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly limits: Limits;
}

const CAMPAIGN = `tenant_id = 'default' AND campaign_id = {campaign:String}`;

/**
 * Rows by key: minutes of a campaign with their reasons are some tens of thousands. The bound is on rows of whole granules
 * in parts that are not merged yet, so it is far above that, and far below a scan of events.
 */
const FIGURES: Limits = { seconds: 3, megabytes: 256, rows: 20_000_000 };
/** A window of a list; its messages are read with all their states, the latest of which counts. */
const LISTS: Limits = { seconds: 5, megabytes: 512 };

/** Milliseconds since 1970, where the range is open: everything. */
const bounds = ({ fromMs, toMs }: Range) => ({ from: fromMs ?? 0, to: toMs ?? Date.UTC(2199, 0, 1) });
const between = (time: string, from = '') =>
  `${time} >= ${from}(fromUnixTimestamp64Milli({from:Int64}, 'UTC')) AND ${time} < fromUnixTimestamp64Milli({to:Int64}, 'UTC')`;

/**
 * As in campaign_stats, but of the rollup under it: a question that reads a dozen rows costs what planning it costs, and these
 * are asked for all the time (26.7.2, at the engine: 12 ms by that view, 5 so). Three nulls: nothing was sent.
 */
export const percentilesSql = (campaign: string): Sql => ({
  sql: `SELECT quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(e2e_ms) AS percentiles FROM delivery_by_campaign
    WHERE ${CAMPAIGN} AND kind = 'sent'`,
  params: { campaign },
  limits: { ...FIGURES, threads: 1 },
});

export const spanSql = (campaign: string): Sql => ({
  sql: `SELECT toUnixTimestamp64Milli(first_occurred_at) AS "firstMs", toUnixTimestamp64Milli(last_occurred_at) AS "lastMs"
    FROM campaign_stats WHERE ${CAMPAIGN}`,
  params: { campaign },
  limits: FIGURES,
});

const COUNTED = ['sent', 'failed', 'dead', 'suppressed', 'cancelled', 'expired', 'deferred', 'redriven'];
const LATENCIES = ['p50_ms', 'p95_ms', 'p99_ms', 'provider_p95_ms'];
const ROLLUP: Readonly<Record<Step, string>> = { '1m': 'minute', '1h': 'hour' };

/** A campaign has one provider, so of the latencies of a step at most one row has a value: nothing is merged here. */
export function seriesSql(campaign: string, { step, ...range }: Steps): Sql {
  const unit = ROLLUP[step];
  const where = `WHERE ${CAMPAIGN} AND ${between(unit)}`;
  return {
    sql: `SELECT toUnixTimestamp64Milli(c.at) AS "atMs", ${[...COUNTED, ...LATENCIES].join(', ')}
      FROM (SELECT ${unit} AS at, ${COUNTED.map((kind) => `sum(v.${kind}) AS ${kind}`).join(', ')}
        FROM throughput_per_${unit} AS v ${where} GROUP BY at) AS c
      LEFT JOIN (SELECT ${unit} AS at, ${LATENCIES.map((l) => `max(v.${l}) AS ${l}`).join(', ')}
        FROM latency_per_${unit} AS v ${where} GROUP BY at) AS l ON c.at = l.at
      ORDER BY c.at`,
    params: { campaign, ...bounds(range) },
    limits: FIGURES,
  };
}

const startOf: Readonly<Record<Step, string>> = { '1m': 'toStartOfMinute', '1h': 'toStartOfHour' };
/** A column with the begin of the step, where one is asked for. */
const stepColumn = (time: string, step: Step | undefined) =>
  step === undefined ? '' : `toUnixTimestamp(${startOf[step]}(${time})) AS at, `;

export const histogramSql = (campaign: string, range: Range, step?: Step): Sql => ({
  sql: `SELECT ${stepColumn('minute', step)}bucket_ms, sum(h.sent) AS count FROM latency_histogram_per_minute AS h
    WHERE ${CAMPAIGN} AND ${between('minute', startOf[step ?? '1m'])} GROUP BY ALL ORDER BY ALL`,
  params: { campaign, ...bounds(range) },
  limits: FIGURES,
});

/** Of messages as they stand, like the counts of the statistics: one that was sent again and went out is no failure. */
export const failuresSql = (campaign: string, range: Range, step?: Step): Sql => ({
  sql: `SELECT ${stepColumn('f.occurred_at', step)}reason, count() AS count,
      toUnixTimestamp64Milli(min(f.occurred_at)) AS "firstMs", toUnixTimestamp64Milli(max(f.occurred_at)) AS "lastMs",
      groupArraySorted(5)(message_id) AS sample_ids
    FROM undelivered_messages AS f WHERE ${CAMPAIGN} AND state IN ('failed', 'dead', 'expired')
      AND ${between('f.occurred_at', step && startOf[step])}
    GROUP BY ${step === undefined ? '' : 'at, '}reason ORDER BY ${step === undefined ? '' : 'at, '}count DESC, reason
    LIMIT 100000`,
  params: { campaign, ...bounds(range) },
  limits: LISTS,
});

const STATE = `SELECT ordinal, message_id, recipient, state, attempts, reason,
    toUnixTimestamp64Milli(queued_at) AS queued_ms, toUnixTimestamp64Milli(occurred_at) AS occurred_ms
  FROM message_list WHERE ${CAMPAIGN}`;
/**
 * The digits at the end of a message's id are its place; an event may claim another one. By the number and not as text: a
 * third of the time (of 800,000 messages 30 to 100 ms more instead of 100 to 300, 2026-11-22, as below).
 */
const OWN = `startsWith(message_id, substring({campaign:String}, 1, 28))
        AND reinterpretAsUInt32(reverse(unhex(substring(message_id, 29, 8)))) = ordinal`;
/** What the list calls it: a message that waits in a tier, and one that was put into its lane again, by their last event. */
const STATE_OF: Readonly<Record<string, string>> = { retrying: 'deferred', queued: 'redriven' };

function matching({ status, reason }: StateFilter, params: Record<string, unknown>): string {
  const and: string[] = [];
  if (status !== undefined) {
    and.push(' AND state = {state:String}');
    params.state = STATE_OF[status] ?? status;
  }
  if (reason !== undefined) {
    // Nothing is known of the run that begins with a redrive: the reason is the one of the run before.
    and.push(` AND reason = {reason:String} AND state != 'redriven'`);
    params.reason = reason;
  }
  return and.join('');
}

export function statesSql(campaign: string, want: Ordinals & StateFilter & { readonly limit: number }): Sql {
  const { after, last, limit, ...filter } = want;
  const params: Record<string, unknown> = { campaign, after, last, limit };
  return {
    sql: `${STATE} AND ordinal > {after:Int64} AND ordinal <= {last:Int64}${matching(filter, params)} AND ${OWN}
      ORDER BY ordinal, message_id LIMIT {limit:UInt32}`,
    params,
    limits: LISTS,
  };
}

/** Places of the audience that the list does not have, or has as redriven. */
export const queuedSql = (campaign: string, { after, last, limit }: Ordinals & { readonly limit: number }): Sql => ({
  sql: `SELECT number AS ordinal FROM numbers({first:UInt64}, {places:UInt64})
    WHERE number NOT IN (SELECT toUInt64(ordinal) FROM message_list WHERE ${CAMPAIGN}
      AND ordinal >= {first:Int64} AND ordinal <= {last:Int64} AND state != 'redriven' AND ${OWN})
    ORDER BY ordinal LIMIT {limit:UInt32}`,
  params: { campaign, first: after + 1, places: Math.max(0, last - after), last, limit },
  limits: LISTS,
});

export const directStateSql = (campaign: string, message: string): Sql => ({
  sql: `${STATE} AND ordinal = 0 AND message_id = {message:String}`,
  params: { campaign, message },
  limits: LISTS,
});

/** Where its record lies: dispatchers write what happened under the number of the partition that it came from. */
export const directPlacesSql = (campaign: string, message: string): Sql => ({
  sql: `SELECT lane, source_partition AS partition, toUnixTimestamp64Milli(max(e.queued_at)) AS "queuedAtMs"
    FROM delivery_events AS e WHERE ${CAMPAIGN} AND ordinal = 0 AND message_id = {message:String}
    GROUP BY lane, partition ORDER BY lane, partition LIMIT 4`,
  params: { campaign, message },
  limits: LISTS,
});

/**
 * Those that match, and the last one that was looked at: `last_id`, and how many of the window there were. Without a filter
 * all match, and the window is the page.
 */
export function directStatesSql(campaign: string, want: DirectWant, most: number): Sql & { window: number } {
  const { after, limit, recipient, ...filter } = want;
  const params: Record<string, unknown> = { campaign, after, limit: limit + 1 };
  let and = matching(filter, params);
  if (recipient !== undefined) {
    and += ' AND lowerUTF8(recipient) = lowerUTF8({recipient:String})';
    params.recipient = recipient;
  }
  const window = and === '' ? limit : most;
  return {
    sql: `SELECT * FROM (
        SELECT *, 1${and} AS matches, max(message_id) OVER () AS last_id, count() OVER () AS looked FROM (
          ${STATE} AND ordinal = 0 AND message_id > {after:String} ORDER BY message_id LIMIT ${window}))
      WHERE matches OR message_id = last_id ORDER BY message_id LIMIT {limit:UInt32}`,
    params,
    limits: LISTS,
    window,
  };
}

/**
 * The newest first. By the place in the audience, which an index has: by id alone all events of the campaign would be read.
 */
export const timelineSql = (campaign: string, message: string, ordinal: number, limit: number): Sql => ({
  sql: `SELECT kind, toUnixTimestamp64Milli(occurred_at) AS at, attempt, run, tier, channel, provider, reason, detail,
      provider_ms, e2e_ms, is_repeat
    FROM delivery_events WHERE ${CAMPAIGN} AND ordinal = {ordinal:Int64} AND message_id = {message:String}
    ORDER BY source_partition DESC, source_offset DESC LIMIT {limit:UInt32}`,
  params: { campaign, message, ordinal, limit },
  limits: LISTS,
});
