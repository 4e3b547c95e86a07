import { isTerminal } from '@volley/contract';
import type { StreamRecord } from '@volley/stream';
import type { ClickHouse } from '../clickhouse.ts';
import { countLog, type LogCount, type LoggedRow, type Sums, statesOf, sumsOf } from './log-count.ts';

/** What ClickHouse says of a topic of delivery events, against what the topic itself amounts to. */
export interface Audit {
  /** Empty: raw rows, marks, sums and every rollup are exact. */
  readonly problems: readonly string[];
  /** Rows that must be there. */
  readonly rows: number;
  readonly repeats: number;
  /** Records that can be no row. */
  readonly unstorable: number;
  readonly lost: number;
  /** Rows beyond the first of each place in the log. */
  readonly doubled: number;
  readonly states: Readonly<Record<string, number>>;
}

const KINDS = [
  'sent',
  'failed',
  'dead',
  'deferred',
  'suppressed',
  'cancelled',
  'expired',
  'redriven',
  'delivered',
  'bounced',
  'opened',
  'clicked',
  'complained',
];
const TERMINAL = KINDS.filter(isTerminal);
const WHOSE = ['tenant_id', 'campaign_id', 'channel', 'provider'];

/** A view, its key (times in ms), and its sums: a column of counts, or a column a kind. */
interface View {
  readonly name: string;
  readonly time?: 'minute' | 'hour';
  readonly key: readonly string[];
  readonly counts: string | readonly string[];
  /** It adds up all campaigns. */
  readonly wholeOnly?: true;
}

const VIEWS: readonly View[] = [
  { name: 'throughput_per_minute', time: 'minute', key: WHOSE, counts: KINDS },
  { name: 'throughput_per_hour', time: 'hour', key: WHOSE, counts: KINDS },
  { name: 'latency_histogram_per_minute', time: 'minute', key: [...WHOSE, 'bucket_ms'], counts: 'sent' },
  { name: 'failure_reasons_per_minute', time: 'minute', key: [...WHOSE, 'kind', 'reason'], counts: 'events' },
  { name: 'provider_health', time: 'minute', key: ['provider', 'channel'], counts: 'attempts', wholeOnly: true },
  { name: 'campaign_stats', key: ['campaign_id'], counts: TERMINAL },
];

type Json = Readonly<Record<string, string | number | null>>;

/** Compares the database with the records of a whole topic; with `campaigns`, only what is of these. */
export async function audit(
  db: ClickHouse,
  records: readonly StreamRecord[],
  campaigns?: readonly string[],
): Promise<Audit> {
  const all = countLog(records);
  const mine = new Set(campaigns);
  const rows = campaigns === undefined ? all.rows : all.rows.filter(({ event }) => mine.has(event.campaign_id));
  const where = campaigns === undefined ? '1' : `campaign_id IN (${campaigns.map((id) => `'${id}'`).join(', ')})`;
  const problems: string[] = [];
  const tell = (what: string, wrong: readonly string[]) => {
    if (wrong.length > 0) problems.push(`${what}: ${wrong.length} (${wrong.slice(0, 3).join('; ')})`);
  };

  const raw = await rawOf(db, where);
  const { lost, doubled } = compareRows(rows, raw, tell);
  const sums = sumsOf(rows);
  for (const view of VIEWS) {
    if (view.wholeOnly && campaigns !== undefined) continue;
    tell(view.name, differing(sums[view.name] ?? new Map(), await sumsIn(db, view, view.wholeOnly ? '1' : where)));
  }
  for (const unit of ['minute', 'hour'] as const) tell(`latency_per_${unit}`, await latencies(db, unit, where));
  tell('message_list', await listed(db, rows, where));
  tell('campaign_audit', await audited(db, rows, where));
  if (campaigns === undefined) tell('partition_audit', await gaps(db, all));
  const states: Record<string, number> = {};
  for (const { state } of statesOf(rows).values()) states[state] = (states[state] ?? 0) + 1;
  const repeats = rows.filter(({ isRepeat }) => isRepeat).length;
  return { problems, rows: rows.length, repeats, unstorable: all.unstorable.length, lost, doubled, states };
}

const rawOf = (db: ClickHouse, where: string) =>
  db.query<Json>(
    `SELECT source_partition, source_offset, message_id, run, tenant_id, campaign_id, ordinal, recipient, kind, attempt,
       deferrals, tier, channel, provider, reason, provider_ms, e2e_ms, toUnixTimestamp64Milli(occurred_at) AS at,
       is_repeat
     FROM delivery_events WHERE ${where}`,
  );

const textOf = (e: Json, isRepeat: unknown) =>
  JSON.stringify([
    ...[
      e.message_id,
      e.run,
      e.tenant_id,
      e.campaign_id,
      e.ordinal,
      e.recipient,
      e.kind,
      e.attempt,
      e.deferrals,
      e.tier,
    ],
    ...[
      e.channel,
      e.provider,
      e.reason,
      e.provider_ms,
      e.e2e_ms,
      e.at ?? e.occurred_at,
      isRepeat === true || isRepeat === 1,
    ],
  ]);

/** Place by place and column by column. */
function compareRows(
  rows: readonly LoggedRow[],
  raw: readonly Json[],
  tell: (what: string, wrong: readonly string[]) => void,
): { lost: number; doubled: number } {
  const stored = new Map<string, string>();
  const twice: string[] = [];
  for (const row of raw) {
    const place = `${row.source_partition}/${row.source_offset}`;
    if (stored.has(place)) twice.push(place);
    stored.set(place, textOf(row, row.is_repeat));
  }
  const missing: string[] = [];
  const other: string[] = [];
  for (const { partition, offset, event, isRepeat } of rows) {
    const place = `${partition}/${offset}`;
    const text = stored.get(place);
    if (text === undefined) missing.push(place);
    else if (text !== textOf(event as unknown as Json, isRepeat))
      other.push(`${place}: ${text}, not ${textOf(event as unknown as Json, isRepeat)}`);
    stored.delete(place);
  }
  tell('records that are no row', missing);
  tell('rows that are there twice', twice);
  tell('rows that are not what the log says', other);
  tell('rows without a record', [...stored.keys()]);
  return { lost: missing.length, doubled: twice.length };
}

async function sumsIn(db: ClickHouse, view: View, where: string): Promise<Sums> {
  const time = view.time === undefined ? [] : [`toUnixTimestamp64Milli(${view.time}) AS at`];
  const columns = typeof view.counts === 'string' ? [view.counts] : view.counts;
  const rows = await db.query<Json>(
    `SELECT ${[...time, ...view.key, ...columns].join(', ')} FROM ${view.name} WHERE ${where}`,
  );
  const sums = new Map<string, number>();
  for (const row of rows) {
    const key = [...(view.time === undefined ? [] : [row.at]), ...view.key.map((name) => row[name])];
    for (const column of columns) {
      const whole = typeof view.counts === 'string' ? key : [...key, column];
      const n = Number(row[column]);
      if (n !== 0) sums.set(whole.join('|'), (sums.get(whole.join('|')) ?? 0) + n);
    }
  }
  return sums;
}

function differing(wanted: Sums, found: Sums): string[] {
  const keys = new Set([...wanted.keys(), ...found.keys()]);
  return [...keys].flatMap((key) => {
    const [is, must] = [found.get(key) ?? 0, wanted.get(key) ?? 0];
    return is === must ? [] : [`${key} is ${is}, not ${must}`];
  });
}

/** The merged sketches against one made at once of the rows, which are known to be right by then. Merging loses nothing. */
async function latencies(db: ClickHouse, unit: 'minute' | 'hour', where: string): Promise<string[]> {
  const start = unit === 'minute' ? 'toStartOfMinute' : 'toStartOfHour';
  const merged = await db.query<Json>(
    `SELECT toUnixTimestamp64Milli(${unit}) AS at, ${WHOSE.join(', ')}, p50_ms, p95_ms, p99_ms, provider_p95_ms
     FROM latency_per_${unit} WHERE ${where}`,
  );
  const atOnce = await db.query<Json>(
    `SELECT toUnixTimestamp64Milli(toDateTime64(${start}(occurred_at), 3, 'UTC')) AS at, ${WHOSE.join(', ')},
       quantilesDDIf(0.01, 0.5, 0.95, 0.99)(e2e_ms, kind = 'sent') AS e2e,
       quantilesDDIf(0.01, 0.5, 0.95, 0.99)(provider_ms, attempt > 0) AS called,
       if(isNaN(e2e[1]), NULL, e2e[1]) AS p50_ms, if(isNaN(e2e[2]), NULL, e2e[2]) AS p95_ms,
       if(isNaN(e2e[3]), NULL, e2e[3]) AS p99_ms, if(isNaN(called[2]), NULL, called[2]) AS provider_p95_ms
     FROM delivery_events
     WHERE NOT is_repeat AND kind IN ('sent', 'failed', 'dead', 'deferred') AND ${where}
     GROUP BY at, ${WHOSE.join(', ')}`,
  );
  const textsOf = (rows: readonly Json[]) =>
    new Map(
      rows.map((row) => [
        ['at', ...WHOSE].map((name) => row[name]).join('|'),
        ['p50_ms', 'p95_ms', 'p99_ms', 'provider_p95_ms'].map((name) => row[name]).join(' '),
      ]),
    );
  const [is, must] = [textsOf(merged), textsOf(atOnce)];
  return [...new Set([...is.keys(), ...must.keys()])].flatMap((key) =>
    is.get(key) === must.get(key) ? [] : [`${key} is ${is.get(key)}, not ${must.get(key)}`],
  );
}

async function listed(db: ClickHouse, rows: readonly LoggedRow[], where: string): Promise<string[]> {
  const found = await db.query<Json>(`SELECT message_id, state FROM message_list WHERE ${where}`);
  const is = new Map(found.map(({ message_id, state }) => [String(message_id), String(state)]));
  const must = statesOf(rows);
  const wrong = [...must].flatMap(([id, { state }]) =>
    is.get(id) === state ? [] : [`${id} is ${is.get(id)}, not ${state}`],
  );
  return found.length === must.size ? wrong : [...wrong, `${found.length} messages, not ${must.size}`];
}

/** The auditor's own figures: what the product says of itself. */
async function audited(db: ClickHouse, rows: readonly LoggedRow[], where: string): Promise<string[]> {
  const found = await db.query<Json>(
    `SELECT campaign_id, raw_rows, log_records, doubled_rows, marked_repeats, counted_events, minute_events, hour_events,
       campaign_events FROM campaign_audit WHERE ${where}`,
  );
  const must = new Map<string, { raw: number; repeats: number }>();
  for (const { event, isRepeat } of rows) {
    const sum = must.get(event.campaign_id) ?? { raw: 0, repeats: 0 };
    sum.raw += 1;
    if (isRepeat) sum.repeats += 1;
    must.set(event.campaign_id, sum);
  }
  const wrong = found.flatMap((row) => {
    const { raw, repeats } = must.get(String(row.campaign_id)) ?? { raw: 0, repeats: 0 };
    must.delete(String(row.campaign_id));
    const counted = raw - repeats;
    const is = [row.raw_rows, row.log_records, row.doubled_rows, row.marked_repeats, row.counted_events]
      .concat([row.minute_events, row.hour_events, row.campaign_events])
      .join(' ');
    const wanted = [raw, raw, 0, repeats, counted, counted, counted, counted].join(' ');
    return is === wanted ? [] : [`${row.campaign_id} is ${is}, not ${wanted}`];
  });
  return [...wrong, ...[...must.keys()].map((id) => `${id} is not in it`)];
}

async function gaps(db: ClickHouse, { rows, unstorable }: LogCount): Promise<string[]> {
  const found = await db.query<Json>(
    'SELECT source_partition, first_offset, last_offset, missing FROM partition_audit',
  );
  return found.flatMap((row) => {
    const offsets = rows.filter(({ partition }) => partition === row.source_partition).map(({ offset }) => offset);
    const [first, last] = [offsets[0] ?? -1, offsets.at(-1) ?? -1];
    const missing = unstorable.filter(
      ({ partition, offset }) => partition === row.source_partition && offset > first && offset < last,
    ).length;
    const is = [row.first_offset, row.last_offset, row.missing].join(' ');
    const wanted = [first, last, missing].join(' ');
    return is === wanted ? [] : [`partition ${row.source_partition} is ${is}, not ${wanted}`];
  });
}
