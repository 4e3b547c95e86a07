import { LoadError } from './load-error.ts';
import { durationMs, msText, shareText } from './units.ts';

/** What is measured in milliseconds; `.p99` and the like say which of them. */
export const LATENCY_METRICS = ['http', 'e2e', 'delivery', 'complete', 'reads'] as const;
export type LatencyMetric = (typeof LATENCY_METRICS)[number];
/** Shares of what was asked for, or of what was sent. */
export const SHARE_METRICS = ['rate', 'accepted', 'ended', 'errors', 'read_errors'] as const;
export type ShareMetric = (typeof SHARE_METRICS)[number];

const STATISTICS = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99, p999: 0.999, 'p99.9': 0.999, mean: 'mean', max: 'max' };
export type Statistic = keyof typeof STATISTICS;

export type Objective =
  | { readonly text: string; readonly kind: 'accounted' }
  | {
      readonly text: string;
      readonly kind: 'share';
      readonly metric: ShareMetric;
      readonly op: Op;
      readonly bound: number;
    }
  | {
      readonly text: string;
      readonly kind: 'latency';
      readonly metric: LatencyMetric;
      readonly statistic: Statistic;
      readonly op: Op;
      readonly boundMs: number;
    };
type Op = '<' | '<=' | '>' | '>=' | '=';

export interface Measured {
  /** Undefined: there is no such figure in this run. */
  latencyMs(metric: LatencyMetric, statistic: Statistic): number | undefined;
  share(metric: ShareMetric): number | undefined;
  readonly accounted: boolean | undefined;
}

export interface Judged {
  readonly objective: string;
  readonly met: boolean;
  /** What was found, as a person reads it. */
  readonly found: string;
}

const GRAMMAR =
  'an objective is accounted, or METRIC OP VALUE such as http.p99<50ms, e2e.p95<2s, rate>=99% or errors<0.1%; ' +
  `metrics: ${LATENCY_METRICS.map((m) => `${m}.p99`).join(', ')}, ${SHARE_METRICS.join(', ')}`;

export function parseObjective(text: string): Objective {
  const wrong = (why: string) => new LoadError(`objective "${text}": ${why}; ${GRAMMAR}`, 2);
  const plain = text.replaceAll(/\s+/g, '');
  if (plain === 'accounted') return { text: plain, kind: 'accounted' };
  const match = /^([a-z_0-9]+)(?:\.([a-z0-9.]+))?(<=|>=|<|>|=)(.+)$/.exec(plain);
  if (match === null) throw wrong('it cannot be read');
  const [, metric = '', statistic, op = '<', value = ''] = match as unknown as [string, string, string?, Op?, string?];
  if ((SHARE_METRICS as readonly string[]).includes(metric)) {
    if (statistic !== undefined) throw wrong(`${metric} has no ${statistic}`);
    const number = /^(\d+(?:\.\d+)?)(%?)$/.exec(value);
    if (number === null || (number[2] === '' && number[1] !== '0')) throw wrong(`${value} is not a share such as 0.1%`);
    return { text: plain, kind: 'share', metric: metric as ShareMetric, op, bound: Number(number[1]) / 100 };
  }
  if (!(LATENCY_METRICS as readonly string[]).includes(metric)) throw wrong(`there is no metric ${metric}`);
  if (statistic === undefined || !(statistic in STATISTICS))
    throw wrong(`say which of ${Object.keys(STATISTICS).join(', ')}`);
  const boundMs = /[a-z]$/.test(value) ? durationMs(value) : undefined;
  if (boundMs === undefined) throw wrong(`${value} is not a time such as 50ms`);
  const of = { metric: metric as LatencyMetric, statistic: statistic as Statistic };
  return { text: plain, kind: 'latency', ...of, op, boundMs };
}

/** What a run must hold without being asked to. */
export const DEFAULT_OBJECTIVES: readonly string[] = ['rate>=99%', 'errors<=0%', 'accounted'];

const subjectOf = (o: Objective): string =>
  o.kind === 'accounted' ? 'accounted' : o.kind === 'share' ? o.metric : `${o.metric}.${o.statistic}`;

/** Those that were given, and the ones that hold anyhow for what none was given for. */
export function objectivesOf(given: readonly string[], otherwise: readonly string[] = DEFAULT_OBJECTIVES): Objective[] {
  const asked = given.map(parseObjective);
  const subjects = new Set(asked.map(subjectOf));
  return [...asked, ...otherwise.map(parseObjective).filter((o) => !subjects.has(subjectOf(o)))];
}

const holds = (found: number, op: Op, bound: number): boolean =>
  op === '<'
    ? found < bound
    : op === '<='
      ? found <= bound
      : op === '>'
        ? found > bound
        : op === '>='
          ? found >= bound
          : found === bound;

export function judge(objectives: readonly Objective[], measured: Measured): Judged[] {
  return objectives.map((o) => {
    const objective = o.text;
    if (o.kind === 'accounted')
      return { objective, met: measured.accounted === true, found: measured.accounted === true ? 'yes' : 'no' };
    if (o.kind === 'share') {
      const found = measured.share(o.metric);
      if (found === undefined) return { objective, met: false, found: 'not measured' };
      return { objective, met: holds(found, o.op, o.bound), found: shareText(found) };
    }
    const found = measured.latencyMs(o.metric, o.statistic);
    if (found === undefined) return { objective, met: false, found: 'not measured' };
    return { objective, met: holds(found, o.op, o.boundMs), found: msText(found) };
  });
}

/** What the statistic means for a recorded histogram. */
export const quantileOf = (statistic: Statistic): number | 'mean' | 'max' =>
  STATISTICS[statistic] as number | 'mean' | 'max';
