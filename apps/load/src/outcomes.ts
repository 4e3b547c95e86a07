import { createLatencies, type Latencies } from './latencies.ts';
import { LoadError } from './load-error.ts';
import type { Plan } from './plan.ts';
import { BIN_MS } from './recorder.ts';
import type { Schedule } from './schedule.ts';

/** A campaign of this run; `arrival`: the request that sent it, or 0 of the one that takes direct messages. */
export interface Target {
  readonly campaignId: string;
  readonly arrival: number;
}

/** One question to ClickHouse's public views. */
export type Query = <T>(sql: string) => Promise<T[]>;

/** What became of the messages, by the events of their delivery. */
export interface Outcomes {
  /** By stage and interval, as the recording's: of sent messages. */
  readonly intervals: ReadonlyMap<string, { readonly e2e: Latencies; readonly delivery: Latencies }>;
  /** Messages that ended, by bin of when. */
  readonly ended: ReadonlyMap<number, number>;
  readonly kinds: Readonly<Record<string, number>>;
  /** Of each campaign: from when it was to be sent to its last event. */
  readonly complete: Latencies;
}

const TERMINAL = "('sent','failed','dead','suppressed','cancelled','expired')";
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Ids in one question. */
const CHUNK = 500;

const listOf = (values: readonly (string | number)[]): string =>
  `[${values.map((v) => (typeof v === 'number' ? v.toFixed(3) : `'${v}'`)).join(',')}]`;

/** Milliseconds from the start at which a message was to be sent, as SQL over its event. */
export function intendedSql(
  plan: Pick<Plan, 'shape' | 'perRequest' | 'unpaced'>,
  schedule: Schedule,
  targets: readonly Target[],
): string {
  const ids = listOf(targets.map((t) => t.campaignId));
  const by = (value: (t: Target) => number) => `transform(campaign_id, ${ids}, ${listOf(targets.map(value))}, 0.)`;
  const stageOf = (t: Target) => schedule.stages[schedule.stageOf(t.arrival)];
  if (plan.shape === 'campaigns') return by((t) => schedule.atMs(t.arrival));
  if (plan.shape === 'campaign') {
    const stepMs = (t: Target) => (plan.unpaced ? 0 : 1_000 / (stageOf(t)?.perSecond ?? 1));
    return `${by((t) => stageOf(t)?.startMs ?? 0)} + (ordinal - 1) * ${by(stepMs)}`;
  }
  const number = `toUInt64OrZero(extract(recipient, '^p([0-9]+)[.]'))`;
  const arrival = plan.shape === 'ndjson' ? `intDiv(${number}, ${plan.perRequest})` : number;
  const cases = schedule.stages.toReversed().map(({ firstArrival, arrivals, startMs, endMs }) => {
    const step = ((endMs - startMs) / arrivals).toFixed(6);
    return [`${arrival} >= ${firstArrival}`, `${startMs} + (toInt64(${arrival}) - ${firstArrival}) * ${step}`] as const;
  });
  return `multiIf(${cases.map(([when, then]) => `${when}, ${then}`).join(', ')}, 0.)`;
}

/** Three digits, as the histogram keeps them: some thousand groups in place of one for each millisecond. */
const rounded = (ms: string): string =>
  `multiIf(${ms} < 1000, ${ms}, ${ms} < 10000, intDiv(${ms}, 10) * 10, ${ms} < 100000, intDiv(${ms}, 100) * 100, intDiv(${ms}, 1000) * 1000)`;

interface Grouped {
  stage: number | string;
  step: number | string;
  ms: number | string;
  n: number | string;
}

export interface OutcomesOptions {
  readonly query: Query;
  readonly database: string;
  readonly plan: Pick<Plan, 'shape' | 'perRequest' | 'unpaced'>;
  readonly schedule: Schedule;
  readonly intervalMs: number;
  /** Epoch. */
  readonly startAtMs: number;
  readonly targets: readonly Target[];
}

function* chunksOf(targets: readonly Target[]): Generator<readonly Target[]> {
  for (const { campaignId } of targets)
    if (!UUID.test(campaignId)) throw new LoadError(`${campaignId} is no id of a campaign`);
  for (let at = 0; at < targets.length; at += CHUNK) yield targets.slice(at, at + CHUNK);
}

const idsOf = (targets: readonly Target[]): string => targets.map((t) => `'${t.campaignId}'`).join(',');

const viewOf = (database: string, view: string): string => {
  if (!/^\w+$/.test(database)) throw new LoadError(`${database} is no name of a database`, 2);
  return `${database}.${view}`;
};

/** Messages that have ended, as ClickHouse has them so far. */
export async function storedEnds(o: Pick<OutcomesOptions, 'query' | 'database' | 'targets'>): Promise<number> {
  let sum = 0;
  for (const targets of chunksOf(o.targets)) {
    const [row] = await o.query<{ n: number | string }>(
      `SELECT sum(terminal) AS n FROM ${viewOf(o.database, 'campaign_stats')} WHERE campaign_id IN (${idsOf(targets)})`,
    );
    sum += Number(row?.n ?? 0);
  }
  return sum;
}

/** Reads the events of all campaigns of a run, grouped by the intervals for which their messages were meant. */
export async function readOutcomes(o: OutcomesOptions): Promise<Outcomes> {
  const { schedule, query } = o;
  const intervals = new Map<string, { e2e: Latencies; delivery: Latencies }>();
  const ended = new Map<number, number>();
  const kinds: Record<string, number> = {};
  const complete = createLatencies();
  const events = viewOf(o.database, 'delivery_events');
  const startMs = Math.round(o.startAtMs);
  const stages = schedule.stages.toReversed();
  const last = schedule.stages.length - 1;
  const stageSql = `multiIf(${stages.map((s, i) => `due >= ${s.startMs}, ${last - i}`).join(', ')}, 0)`;
  const fromSql = `multiIf(${stages.map((s) => `due >= ${s.startMs}, ${s.startMs}`).join(', ')}, 0)`;

  for (const targets of chunksOf(o.targets)) {
    const those = `campaign_id IN (${idsOf(targets)}) AND NOT is_repeat`;
    const due = `(${intendedSql(o.plan, schedule, targets)}) AS due`;
    const grouped = (ms: string) =>
      query<Grouped>(
        `WITH ${due}, toInt64(greatest(0, ${ms})) AS took
         SELECT ${stageSql} AS stage, intDiv(toInt64(due) - ${fromSql}, ${o.intervalMs}) AS step, ${rounded('took')} AS ms, count() AS n
         FROM ${events} WHERE ${those} AND kind = 'sent' GROUP BY stage, step, ms`,
      );
    const occurred = `toUnixTimestamp64Milli(occurred_at) - ${startMs}`;
    for (const [name, rows] of [
      ['e2e', await grouped('e2e_ms')],
      ['delivery', await grouped(`${occurred} - due`)],
    ] as const) {
      for (const row of rows) {
        const key = `${row.stage}/${row.step}`;
        const into = intervals.get(key) ?? { e2e: createLatencies(), delivery: createLatencies() };
        intervals.set(key, into);
        into[name].record(Number(row.ms), Number(row.n));
      }
    }
    const ends = await query<{ bin: number | string; kind: string; n: number | string }>(
      `SELECT intDiv(${occurred}, ${BIN_MS}) AS bin, kind, count() AS n FROM ${events}
       WHERE ${those} AND kind IN ${TERMINAL} GROUP BY bin, kind`,
    );
    for (const { bin, kind, n } of ends) {
      // What was cancelled has ended, and was not brought through.
      if (kind !== 'cancelled') ended.set(Number(bin), (ended.get(Number(bin)) ?? 0) + Number(n));
      kinds[kind] = (kinds[kind] ?? 0) + Number(n);
    }
    if (o.plan.shape === 'direct' || o.plan.shape === 'ndjson') continue;
    const arrivals = new Map(targets.map((t) => [t.campaignId, t.arrival]));
    const lasts = await query<{ campaign_id: string; last: number | string }>(
      `SELECT campaign_id, max(${occurred}) AS last FROM ${events} WHERE ${those} AND kind IN ${TERMINAL} GROUP BY campaign_id`,
    );
    for (const { campaign_id, last: lastMs } of lasts) {
      const arrival = arrivals.get(campaign_id) ?? 0;
      if (schedule.stages[schedule.stageOf(arrival)]?.warmUp === false)
        complete.record(Number(lastMs) - schedule.atMs(arrival));
    }
  }
  return { intervals, ended, kinds, complete };
}
