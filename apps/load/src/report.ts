import type { Accounts } from './accounts.ts';
import type { Capacity } from './capacity.ts';
import { askedIn, type Figures, figuresOf, measuredBy, summariesOf, within } from './figures.ts';
import { dispatchersNeeded } from './formula.ts';
import { type Latencies, type Summary, summaryOf } from './latencies.ts';
import { type Judged, judge, type Objective } from './objective.ts';
import type { Plan } from './plan.ts';
import type { Ran, Watched } from './run.ts';
import { msText } from './units.ts';

export type Verdict = 'met' | 'missed' | 'unknown';

/** Percentiles of an interval, as the charts need them. */
export interface Points {
  readonly p50_ms: number;
  readonly p95_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
}

export interface IntervalRow {
  /** Seconds from the start. */
  readonly from_s: number;
  readonly to_s: number;
  readonly warm_up: boolean;
  readonly requests: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly http?: Points;
  readonly e2e?: Points;
  readonly delivery?: Points;
  readonly reads?: Points;
  readonly late?: Points;
}

/** Messages a second. */
export interface RateRow {
  readonly at_s: number;
  readonly asked: number;
  readonly accepted: number;
  readonly ended: number | null;
}

export interface StageRow {
  readonly per_second: number;
  readonly seconds: number;
  readonly warm_up: boolean;
  readonly requests: number;
  readonly errors: number;
  readonly http?: Points;
  readonly e2e?: Points;
  readonly delivery?: Points;
}

export interface TriedRow {
  readonly per_second: number;
  readonly verdict: Verdict;
  readonly objectives: readonly Judged[];
}

export interface Environment {
  /** As it was typed, without keys. */
  readonly command: string;
  readonly commit: string;
  readonly machine: string;
  readonly settings: Readonly<Record<string, string | number>>;
}

/** One run as a document: everything the page shows, and the histograms for whoever wants to add them up. */
export interface LoadReport {
  readonly format: 'volley load';
  readonly version: 1;
  readonly run: string;
  readonly at: string;
  readonly verdict: Verdict;
  readonly why: readonly string[];
  readonly objectives: readonly Judged[];
  readonly plan: Plan;
  readonly asked: { readonly messages: number; readonly per_second: number; readonly seconds: number };
  readonly measured: {
    readonly requests: number;
    readonly errors: Readonly<Record<string, number>>;
    readonly accepted_per_second: number;
    readonly ended_per_second: number | null;
    readonly shares: Figures['shares'];
  };
  readonly latencies: Readonly<Record<string, Summary & { readonly hdr: string }>>;
  readonly accounts: Accounts;
  readonly stages: readonly StageRow[];
  readonly intervals: readonly IntervalRow[];
  readonly rates: readonly RateRow[];
  readonly watched: readonly Watched[];
  readonly cpu_seconds: Readonly<Record<string, number>>;
  readonly dispatchers: number | null;
  readonly environment: Environment;
  readonly notes: readonly string[];
  readonly capacity?: {
    readonly per_second: number | null;
    readonly missed_at: number | null;
    readonly ended: string;
    readonly tries: readonly TriedRow[];
  };
  readonly need?: { readonly messages: number; readonly seconds: number; readonly dispatchers: number };
}

const pointsOf = (latencies: Latencies | undefined): Points | undefined => {
  if (latencies === undefined || latencies.count() === 0) return undefined;
  const { p50_ms, p95_ms, p99_ms, max_ms } = summaryOf(latencies);
  return { p50_ms, p95_ms, p99_ms, max_ms };
};
const defined = <T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;

export const figuresOfRun = (ran: Ran): Figures =>
  figuresOf({
    ...{ schedule: ran.schedule, recording: ran.recording, outcomes: ran.outcomes, endedBadly: ran.endedBadly },
    acceptedIsRate: ran.plan.shape !== 'campaign',
    ...(ran.stoppedAtMs === undefined ? {} : { stoppedAtMs: ran.stoppedAtMs }),
  });

/**
 * Met or missed; or neither: when the generator did not keep to its own times, nothing can be said of the server. (What
 * was met all the same would stand, as the generator's lateness is in every latency; but the load was not the one asked for.)
 */
export function verdictOf(
  ran: Ran,
  figures: Figures,
  objectives: readonly Objective[],
): { verdict: Verdict; why: string[]; judged: Judged[] } {
  const judged = judge(objectives, measuredBy(figures, ran.accounts.accounted));
  const lateMs = figures.latencies.late?.quantileMs(0.99) ?? 0;
  if (lateMs > ran.plan.maxLateMs)
    return {
      verdict: 'unknown',
      why: [
        `the generator itself was late: 1% of the requests left ${msText(lateMs)} or more after their time (${msText(ran.plan.maxLateMs)} is allowed)`,
      ],
      judged,
    };
  const missed = judged.filter((j) => !j.met).map((j) => `${j.objective}: ${j.found}`);
  const accounts = judged.some((j) => j.objective === 'accounted' && !j.met) ? ran.accounts.problems : [];
  return { verdict: missed.length === 0 ? 'met' : 'missed', why: [...missed, ...accounts], judged };
}

function ratesOf({ schedule, recording, outcomes }: Ran): RateRow[] {
  const stepMs = Math.max(1_000, Math.ceil(schedule.durationMs / 300_000) * 1_000);
  const rows: RateRow[] = [];
  const perSecond = (messages: number, fromMs: number, toMs: number) => (messages * 1_000) / (toMs - fromMs);
  // Two steps more: what comes after the last arrival.
  for (let fromMs = 0; fromMs < schedule.durationMs + 2 * stepMs; fromMs += stepMs) {
    const toMs = fromMs + stepMs;
    rows.push({
      at_s: (fromMs + toMs) / 2_000,
      asked: perSecond(askedIn(schedule, fromMs, toMs), fromMs, toMs),
      accepted: perSecond(within(recording.answered, fromMs, toMs), fromMs, toMs),
      ended: outcomes === undefined ? null : perSecond(within(outcomes.ended, fromMs, toMs), fromMs, toMs),
    });
  }
  return rows;
}

function intervalsOf({ schedule, recording, outcomes, intervalMs }: Ran): IntervalRow[] {
  return schedule.stages.flatMap(({ startMs, endMs, warmUp }, stage) =>
    Array.from({ length: Math.ceil((endMs - startMs) / intervalMs) }, (_, index) => {
      const recorded = recording.intervals.get(`${stage}/${index}`);
      const known = outcomes?.intervals.get(`${stage}/${index}`);
      const fromMs = startMs + index * intervalMs;
      return {
        from_s: fromMs / 1_000,
        to_s: Math.min(endMs, fromMs + intervalMs) / 1_000,
        warm_up: warmUp,
        requests: recorded?.arrivals ?? 0,
        errors: recorded?.errors ?? {},
        ...defined({
          http: pointsOf(recorded?.latencies.http),
          reads: pointsOf(recorded?.latencies.reads),
          late: pointsOf(recorded?.latencies.late),
          e2e: pointsOf(known?.e2e),
          delivery: pointsOf(known?.delivery),
        }),
      };
    }),
  );
}

/** Each stage judged as if it were the only one. */
function stagesOf(ran: Ran): StageRow[] {
  return ran.schedule.stages.map((stage, i) => {
    const stages = ran.schedule.stages.map((one, k) => ({ ...one, warmUp: k !== i }));
    const { latencies, requests, errors } = figuresOfRun({ ...ran, schedule: { ...ran.schedule, stages } });
    return {
      ...{ per_second: stage.perSecond, seconds: stage.seconds, warm_up: stage.warmUp, requests },
      errors: Object.values(errors).reduce((sum, n) => sum + n, 0),
      ...defined({
        http: pointsOf(latencies.http),
        e2e: pointsOf(latencies.e2e),
        delivery: pointsOf(latencies.delivery),
      }),
    };
  });
}

export function reportOf(o: {
  readonly ran: Ran;
  readonly objectives: readonly Objective[];
  readonly environment: Environment;
  readonly capacity?: Capacity<{ perSecond: number; verdict: Verdict; judged: readonly Judged[] }>;
  readonly need?: { readonly messages: number; readonly seconds: number };
  readonly notes?: readonly string[];
}): LoadReport {
  const { ran, capacity, need } = o;
  const figures = figuresOfRun(ran);
  const { verdict, why, judged } = verdictOf(ran, figures, o.objectives);
  const { schedule } = ran;
  const seconds = (schedule.durationMs - schedule.measuredFromMs) / 1_000;
  const reached = capacity?.perSecond ?? figures.endedPerSecond;
  const summaries = summariesOf(figures);
  return {
    ...{ format: 'volley load', version: 1, run: ran.run, at: new Date(ran.startAtMs).toISOString() },
    ...{ verdict, why, objectives: judged, plan: ran.plan },
    asked: { messages: schedule.measuredMessages, per_second: schedule.measuredMessages / seconds, seconds },
    measured: {
      requests: figures.requests,
      errors: figures.errors,
      accepted_per_second: figures.acceptedPerSecond,
      ended_per_second: figures.endedPerSecond ?? null,
      shares: figures.shares,
    },
    latencies: Object.fromEntries(
      Object.entries(figures.latencies).map(([name, l]) => [
        name,
        { ...(summaries[name] as Summary), hdr: l.encoded() },
      ]),
    ),
    ...{ accounts: ran.accounts, stages: stagesOf(ran), intervals: intervalsOf(ran), rates: ratesOf(ran) },
    ...{ watched: ran.watched, cpu_seconds: { ...ran.cpu, generators: ran.generatorCpuS } },
    ...{ dispatchers: ran.dispatchers ?? null, environment: o.environment, notes: o.notes ?? [] },
    ...(capacity && {
      capacity: {
        per_second: capacity.perSecond ?? null,
        missed_at: capacity.missedAt ?? null,
        ended: capacity.ended,
        tries: capacity.tries.map((t) => ({ per_second: t.perSecond, verdict: t.verdict, objectives: t.judged })),
      },
    }),
    ...(need &&
      reached && {
        need: {
          ...need,
          dispatchers: dispatchersNeeded({ ...need, perDispatcherPerSecond: reached / (ran.dispatchers ?? 1) }),
        },
      }),
  };
}
