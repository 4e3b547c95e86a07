import { TERMINAL_KINDS } from '@volley/contract';

/** The auditor's questions. Values are bound by name and type; nothing of a request is ever part of the text. */
const CAMPAIGN = 'tenant_id = {tenant:String} AND campaign_id = {campaign:String}';
const quoted = (names: readonly string[]) => names.map((name) => `'${name}'`).join(', ');
const TERMINAL = `kind IN (${quoted(TERMINAL_KINDS)})`;
const UNDELIVERED = TERMINAL_KINDS.filter((kind) => kind !== 'sent');
/** Kinds that have a column in the public throughput views. */
const KINDS = [...TERMINAL_KINDS, 'deferred', 'redriven', 'delivered', 'bounced', 'opened', 'clicked', 'complained'];

/** A place in the log as one number: a bitmap of places takes a fraction of the memory of a set of them. */
const PLACE = 'bitOr(bitShiftLeft(toUInt64(source_partition), 48), toUInt64(source_offset))';
/**
 * `ordinalIn` of the contract's ids: the digits at the end of an id that begins as its campaign's does, 0 for a direct
 * message, -1 for an id that is none of this campaign. The column `ordinal` is what the event says of itself.
 */
const ORDINAL = `multiIf(
    substring(message_id, 1, 28) = substring({campaign:String}, 1, 28),
      if(endsWith(message_id, '00000000'), -1, toInt64(reinterpretAsUInt32(reverse(unhex(substring(message_id, 29, 8)))))),
    substring(message_id, 1, 18) = substring({campaign:String}, 1, 18) AND substring(message_id, 20, 1) IN ('a', 'b'), 0,
    -1)`;
const OWN = '(ord >= 0 AND ord <= {expected:Int64})';
/** Of the part of the log that progress has counted. Beyond the array there is 0, and nothing is below it. */
const BELOW = '(source_offset < arrayElement({cut:Array(UInt64)}, source_partition + 1))';
const BEYOND = '(source_offset >= arrayElement({committed:Array(UInt64)}, source_partition + 1))';
/** A message and its run; direct messages have no number and are counted by their ids. */
const RUN_KEY = 'bitOr(bitShiftLeft(toUInt64(greatest(run, 0)), 32), toUInt64(greatest(ord, 0)))';
const runs = (where: string) =>
  `groupBitmapIf(${RUN_KEY}, ${where} AND ord > 0) + uniqExactIf((message_id, run), ${where} AND ord <= 0)`;

export const KINDS_SQL = `WITH ${ORDINAL} AS ord, ${PLACE} AS place, NOT is_repeat AND ${OWN} AND ${BELOW} AS below
  SELECT kind, ifNull(previous_kind, '') AS previous, toString(groupBitmapIf(place, NOT is_repeat)) AS counted,
    toString(groupBitmapIf(place, below AND deferrals = 0)) AS first_below,
    toString(groupBitmapIf(place, below AND deferrals != 0)) AS later_below
  FROM delivery_events WHERE ${CAMPAIGN} GROUP BY kind, previous`;

export const TOTALS_SQL = `WITH ${ORDINAL} AS ord, ${PLACE} AS place,
    NOT is_repeat AND ${TERMINAL} AND ${OWN} AS ends, NOT is_repeat AND kind = 'redriven' AND ${OWN} AS redrives
  SELECT toString(count()) AS raw_rows, toString(groupBitmap(place)) AS log_records,
    toString(groupBitmapIf(place, is_repeat)) AS marked_repeats, toString(countIf(${BEYOND})) AS beyond,
    toString(groupBitmapIf(toUInt64(ord), ord > 0) + uniqExactIf(message_id, ord <= 0)) AS messages,
    toString(groupBitmapIf(place, ends)) AS terminal_events, toString(${runs('ends')}) AS ended_runs,
    toString(groupBitmapIf(place, redrives)) AS redriven_events, toString(${runs('redrives')}) AS redriven_runs,
    toString(groupBitmapIf(toUInt64(ord), ends AND ord > 0 AND ${BELOW})) AS ended_ordinals,
    toString(uniqExactIf(message_id, ends AND ord = 0 AND ${BELOW})) AS ended_direct,
    toString(uniqExactIf(message_id, ord = 0 AND ${BELOW})) AS direct_messages,
    toString(uniqExactIf(message_id, NOT ${OWN})) AS alien_messages
  FROM delivery_events WHERE ${CAMPAIGN}`;

export const ROWS_SQL = `SELECT toString(count()) AS raw_rows FROM delivery_events WHERE ${CAMPAIGN}`;

export const DERIVED_SQL = `SELECT toString(minute_events) AS minute_rollup, toString(hour_events) AS hour_rollup,
    toString(campaign_events) AS campaign_rollup, toString(histogram_events) AS histogram,
    toString(listable_messages) AS listable, toString(listed_messages) AS listed
  FROM campaign_audit WHERE ${CAMPAIGN}`;

export const STATS_SQL = `SELECT ${TERMINAL_KINDS.map((kind) => `toString(${kind}) AS ${kind}`).join(', ')}
  FROM campaign_stats WHERE ${CAMPAIGN}`;
export const LISTED_SQL = `SELECT state AS kind, toString(count()) AS n FROM message_list WHERE ${CAMPAIGN} GROUP BY state`;
export const FAILURES_SQL = `SELECT kind, toString(sum(messages)) AS n FROM failure_reasons WHERE ${CAMPAIGN} GROUP BY kind`;

/** Buckets of a rollup that have not what the rows of their time have, each place of the log counted once. */
const bucketsOf = (view: string, column: string, ms: number) => `SELECT bucket, kind, sum(r) AS raw, sum(v) AS rollup
  FROM (
    SELECT toUnixTimestamp64Milli(${column}) AS bucket, kind, toInt64(0) AS r, toInt64(events) AS v FROM ${view}
    ARRAY JOIN [${quoted(KINDS)}] AS kind, [${KINDS.join(', ')}] AS events WHERE ${CAMPAIGN} AND events > 0
    UNION ALL
    SELECT intDiv(toUnixTimestamp64Milli(occurred_at), ${ms}) * ${ms} AS bucket, kind,
      toInt64(groupBitmap(${PLACE})) AS r, toInt64(0) AS v
    FROM delivery_events WHERE ${CAMPAIGN} AND NOT is_repeat AND kind IN (${quoted(KINDS)}) GROUP BY bucket, kind
  ) GROUP BY bucket, kind HAVING raw != rollup`;
const BUCKETS = {
  minute_rollup: bucketsOf('throughput_per_minute', 'minute', 60_000),
  hour_rollup: bucketsOf('throughput_per_hour', 'hour', 3_600_000),
} as const;
export type BucketFigure = keyof typeof BUCKETS;
export const bucketsApartSql = (figure: BucketFigure) =>
  `SELECT toString(sum(abs(raw - rollup))) AS n FROM (${BUCKETS[figure]})`;
export const bucketIdsSql = (figure: BucketFigure) => `SELECT toString(bucket) AS at, kind, toString(raw) AS raw,
    toString(rollup) AS rollup FROM (${BUCKETS[figure]}) ORDER BY bucket, kind LIMIT {limit:UInt32}`;

const AT = "concat('partition ', toString(source_partition), ', offset ', toString(source_offset))";

/** Lists by message: `id` and `detail`. */
export const IDS_SQL = {
  alien: `WITH ${ORDINAL} AS ord SELECT message_id AS id, concat(min(kind), ', ', min(${AT})) AS detail
    FROM delivery_events WHERE ${CAMPAIGN} AND NOT ${OWN} GROUP BY message_id ORDER BY id LIMIT {limit:UInt32}`,
  doubled: `SELECT any(message_id) AS id, concat(any(kind), ', ', any(${AT}), ', ', toString(count()), ' rows') AS detail
    FROM delivery_events WHERE ${CAMPAIGN} GROUP BY source_partition, source_offset HAVING count() > 1
    ORDER BY source_partition, source_offset LIMIT {limit:UInt32}`,
  unmarked_repeats: `SELECT message_id AS id, concat('run ', toString(run), if(redrive, ' redriven ', ' ended '),
      toString(uniqExact(${PLACE})), ' times: ', arrayStringConcat(arraySort(groupUniqArray(10)(concat(kind, ' at ', ${AT}))), '; ')) AS detail
    FROM (SELECT *, kind = 'redriven' AS redrive FROM delivery_events
      WHERE ${CAMPAIGN} AND NOT is_repeat AND (${TERMINAL} OR kind = 'redriven'))
    GROUP BY message_id, run, redrive HAVING uniqExact(${PLACE}) > 1 ORDER BY id, run LIMIT {limit:UInt32}`,
  repeats: `SELECT message_id AS id, concat(kind, ' of run ', toString(run), ', ', ${AT}) AS detail
    FROM delivery_events WHERE ${CAMPAIGN} AND is_repeat ORDER BY id, source_partition, source_offset LIMIT {limit:UInt32}`,
} as const;

/** Places of the audience, of [from, to), that have not ended in any run. */
export const MISSING_SQL = `SELECT toString(number) AS ordinal FROM numbers({from:UInt64}, {count:UInt64})
  WHERE number NOT IN (WITH ${ORDINAL} AS ord SELECT toUInt64(ord) FROM delivery_events
    WHERE ${CAMPAIGN} AND NOT is_repeat AND ${TERMINAL} AND ord >= {from:Int64} AND ord < {to:Int64})
  ORDER BY number LIMIT {limit:UInt32}`;
/** What is stored of messages that have not ended. */
export const LAST_EVENTS_SQL = `SELECT message_id AS id, argMax(kind, (run, source_offset)) AS kind
  FROM delivery_events WHERE ${CAMPAIGN} AND message_id IN {ids:Array(String)} GROUP BY message_id`;

/** Where a message stands: the latest run; in it the first end in the order of the log, or the last event without one. */
const STANDS = `argMin(kind, tuple(-toInt64(run), NOT (${TERMINAL}),
  if(${TERMINAL}, toInt64(source_offset), -toInt64(source_offset))))`;
/** Messages of ordinals [from, to) whose state in a list is another one than the events give. */
const apartSql = (
  list: string,
  listed: string,
  ofStates: string,
) => `SELECT id, max(e) AS events, max(l) AS listed FROM (
    SELECT message_id AS id, ${STANDS} AS e, '' AS l FROM delivery_events
    WHERE ${CAMPAIGN} AND NOT is_repeat AND (${TERMINAL} OR kind IN ('deferred', 'redriven'))
      AND ordinal >= {from:Int64} AND ordinal < {to:Int64} GROUP BY message_id
    UNION ALL
    SELECT message_id AS id, '' AS e, ${listed} AS l FROM ${list}
    WHERE ${CAMPAIGN} AND ordinal >= {from:Int64} AND ordinal < {to:Int64}
  ) GROUP BY id HAVING events != listed AND (${ofStates}) ORDER BY id LIMIT {limit:UInt32}`;
export const STATES_APART_SQL = {
  listed: apartSql('message_list', 'state', '1'),
  failures: apartSql('undelivered_messages', 'state', `listed != '' OR events IN (${quoted(UNDELIVERED)})`),
} as const;

export const PARTITIONS_SQL = `SELECT source_partition AS partition, toString(first_offset) AS first_offset,
    toString(last_offset) AS last_offset, toString(raw_rows) AS raw_rows, toString(log_records) AS log_records
  FROM partition_audit ORDER BY partition`;

/** Offsets are looked through in parts of so many: as many numbers are in memory at once. */
export const OFFSETS_AT_ONCE = 1_048_576;
/** Parts of the log of which not every offset is stored; those of which nothing is stored are not among them. */
export const PARTS_SQL = `SELECT toString(intDiv(source_offset, ${OFFSETS_AT_ONCE})) AS part, toString(groupBitmap(source_offset)) AS n
  FROM delivery_events WHERE source_partition = {partition:UInt16} GROUP BY part ORDER BY toUInt64(part)`;
export const MISSING_OFFSETS_SQL = `SELECT toString(number) AS at FROM numbers({from:UInt64}, {count:UInt64})
  WHERE number NOT IN (SELECT toUInt64(source_offset) FROM delivery_events WHERE source_partition = {partition:UInt16}
    AND source_offset >= {from:UInt64} AND source_offset < {to:UInt64}) ORDER BY number LIMIT {limit:UInt32}`;
export const DOUBLED_OFFSETS_SQL = `SELECT toString(source_offset) AS at FROM delivery_events
  WHERE source_partition = {partition:UInt16} AND source_offset >= {from:UInt64} AND source_offset < {to:UInt64}
  GROUP BY source_offset HAVING count() > 1 ORDER BY source_offset LIMIT {limit:UInt32}`;
