import { RAW_TABLE } from './compare.ts';
import type { Range, Selection } from './selection.ts';

export interface Column {
  readonly name: string;
  readonly type: string;
}

/** How rows of a table are put together to be compared: by the hour in which they happened, or by campaign. */
export type Key = 'hour' | 'campaign';

/** Which rows of which keys are looked at. */
export interface Scope {
  readonly selection: Selection;
  /** Epoch seconds, a full hour: what happened before is not compared. */
  readonly fromSeconds: number;
  /** Absent: all of them. */
  readonly keys?: { readonly [K in Key]: readonly string[] } | undefined;
}

const DAY_SECONDS = 86_400;
/**
 * Log and tables keep 90 days, and each forgets what is older by pieces of its own size. On the first of these days a row may
 * have been appended the day before.
 */
const COMPARED_DAYS = 88;
export const comparedFrom = (nowMs: number): number =>
  Math.floor(nowMs / 3_600_000) * 3_600 - COMPARED_DAYS * DAY_SECONDS;

/** undefined: it says nothing of when or of which campaign, and is no figure. */
export function keyOf(columns: readonly Column[]): Key | undefined {
  const names = new Set(columns.map(({ name }) => name));
  if (names.has('hour') || names.has('minute')) return 'hour';
  return names.has('campaign_id') ? 'campaign' : undefined;
}

const literal = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
const list = (texts: readonly string[]): string => `(${texts.join(', ')})`;

/** Of raw rows: those that lie in the ranges. A partition that is not in them has none. */
function inRanges(ranges: readonly Range[]): string {
  const partitions = Math.max(-1, ...ranges.map(({ partition }) => partition)) + 1;
  if (partitions === 0) return '0';
  const bound = (which: 'from' | 'to') =>
    `[${Array.from({ length: partitions }, (_, p) => ranges.find(({ partition }) => partition === p)?.[which] ?? 0).join(', ')}][toUInt32(source_partition) + 1]`;
  return `source_offset >= ${bound('from')} AND source_offset < ${bound('to')}`;
}

const ofCampaign = ({ tenantId, campaignId }: Selection): string[] =>
  campaignId === undefined ? [] : [`tenant_id = ${literal(tenantId ?? '')}`, `campaign_id = ${literal(campaignId)}`];
const ofKinds = ({ kinds }: Selection): string[] =>
  kinds === undefined ? [] : [kinds.length === 0 ? '0' : `kind IN ${list(kinds.map(literal))}`];
const where = (conditions: readonly string[]): string =>
  conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;

/** One number of a whole row. A state is its bytes: what merged to the same says the same at every quantile. */
const hashOf = (columns: readonly Column[]): string =>
  `cityHash64(${columns
    .flatMap(({ name, type }) =>
      type.startsWith('AggregateFunction')
        ? [`hex(${name})`]
        : type.includes('Nullable(')
          ? [`isNull(${name})`, `ifNull(toString(${name}), '')`]
          : [name],
    )
    .join(', ')})`;

const HOUR = (column: string) => `toString(toUnixTimestamp(toStartOfHour(${column})))`;
const keyOfRaw = (by: Key) => (by === 'hour' ? HOUR('occurred_at') : 'toString(campaign_id)');
const STATE = "quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(e2e_ms, selected AND kind = 'sent')";

/** Of raw rows, by hour. Those of the campaign, if one is named, and of them the ones that were selected. */
export function rawDigests(table: string, columns: readonly Column[], scope: Scope): string {
  const selected = selectedOf(scope);
  const conditions = [...ofCampaign(scope.selection), ...among('hour', 'occurred_at', scope)];
  return `SELECT key, row_count, row_hash, places, state, percentiles FROM
    (SELECT ${HOUR('occurred_at')} AS key, countIf(selected) AS row_count, toString(sumIf(hash, selected)) AS row_hash,
      groupBitmapIf(place, selected) AS places, ${STATE} AS sketch, toString(cityHash64(hex(sketch))) AS state,
      arrayMap(q -> if(isNaN(q), NULL, q), finalizeAggregation(sketch)) AS percentiles
     FROM (SELECT occurred_at, kind, e2e_ms, ${selected} AS selected, ${hashOf(columns)} AS hash,
             bitOr(bitShiftLeft(toUInt64(source_partition), 48), source_offset) AS place
           FROM ${table} ${where(conditions)})
     GROUP BY key)
   WHERE row_count > 0`;
}

const selectedOf = ({ selection }: Scope): string =>
  [`(${inRanges(selection.ranges)})`, ...ofKinds(selection)].join(' AND ');
const timeOf = (seconds: number): string => `toDateTime64(${seconds}, 3, 'UTC')`;

/** Hours, or campaigns, in which a raw table holds rows that were not selected. */
export function notOnlySelected(table: string, by: Key, scope: Scope): string {
  const conditions = [...ofCampaign(scope.selection), `NOT (${selectedOf(scope)})`];
  return `SELECT DISTINCT ${keyOfRaw(by)} AS key FROM ${table} ${where(conditions)}`;
}

/** Campaigns that began before what is compared: some of what they count may be forgotten elsewhere. */
export const olderCampaigns = ({ fromSeconds }: Scope): string =>
  `SELECT DISTINCT toString(campaign_id) AS key FROM delivery_by_campaign WHERE first_occurred_at < ${timeOf(fromSeconds)}`;

/** By partition: the first offset that the live tables hold, of what is compared. */
export const firstOffsets = (fromSeconds: number): string =>
  `SELECT source_partition AS p, min(source_offset) AS first FROM ${RAW_TABLE}
   WHERE occurred_at >= ${timeOf(fromSeconds)} GROUP BY p`;

/** Hours, or campaigns, of which a raw table holds rows at these offsets or behind them; `since` is by partition. */
export function keysSince(table: string, by: Key, since: readonly number[]): string {
  const from = `[${since.join(', ')}][toUInt32(source_partition) + 1]`;
  return `SELECT DISTINCT ${keyOfRaw(by)} AS key FROM ${table} WHERE source_offset >= ${from}`;
}

function among(by: Key, column: string, { keys, fromSeconds }: Scope): string[] {
  const from = by === 'hour' ? [`${column} >= ${timeOf(fromSeconds)}`] : [];
  const some = keys?.[by];
  if (some === undefined) return from;
  if (some.length === 0) return ['0'];
  return by === 'hour'
    ? [...from, `toUnixTimestamp(toStartOfHour(${column})) IN ${list(some.map((key) => String(Number(key))))}`]
    : [`campaign_id IN ${list(some.map(literal))}`];
}

/** Of a derived table as it is when it is merged. */
export function derivedDigests(table: string, columns: readonly Column[], by: Key, scope: Scope): string {
  const time = columns.some(({ name }) => name === 'hour') ? 'hour' : 'minute';
  const conditions = [...ofCampaign(scope.selection), ...among(by, time, scope)];
  const events = columns.some(({ name }) => name === 'events') ? ', sum(events) AS events_sum' : '';
  return `SELECT ${by === 'hour' ? HOUR(time) : 'toString(campaign_id)'} AS key, count() AS row_count,
    toString(sum(${hashOf(columns)})) AS row_hash${events} FROM ${table} FINAL ${where(conditions)} GROUP BY key`;
}
