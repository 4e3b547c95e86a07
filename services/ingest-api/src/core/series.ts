import { TERMINAL_KINDS, type TerminalKind } from '@volley/contract';
import { MAX_STEPS } from '@volley/contract/http';
import { fail, ok, type Result } from './result.ts';

/** A series has a point for every step of its range, also where nothing happened, and a bounded number of them. */
export type Step = '1m' | '1h';
export const STEP_MS: Readonly<Record<Step, number>> = { '1m': 60_000, '1h': 3_600_000 };
/** Times that the analytics store can hold and compare. */
const LAST_MS = Date.UTC(2199, 0, 1);

/** Epoch milliseconds; absent: open at that end. */
export interface Range {
  readonly fromMs?: number;
  /** Not included. */
  readonly toMs?: number;
}

/** Whole steps. */
export interface Steps {
  readonly step: Step;
  readonly fromMs: number;
  readonly toMs: number;
}

/** When the first and the last event of a campaign happened, to the hour or better. */
export interface Span {
  readonly firstMs: number;
  readonly lastMs: number;
}

const KINDS = [...TERMINAL_KINDS, 'deferred', 'redriven'] as const;
type Counts = Readonly<Record<TerminalKind | 'deferred' | 'redriven', number>>;

/** A step in which something happened. */
export interface SeriesRow extends Counts {
  readonly atMs: number;
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
  readonly p99_ms: number | null;
  readonly provider_p95_ms: number | null;
}

const invalid = (pointer: '?from' | '?to' | '?step', detail: string) =>
  fail({ code: 'validation_failed', detail: 'the query is not valid', errors: [{ pointer, detail }] });

/** From RFC 3339, checked already, but for which of them comes first. */
export function rangeOf(from: string | undefined, to: string | undefined): Result<Range> {
  const msOf = (time: string) => Math.min(LAST_MS, Math.max(0, Date.parse(time)));
  const range = {
    ...(from === undefined ? {} : { fromMs: msOf(from) }),
    ...(to === undefined ? {} : { toMs: msOf(to) }),
  };
  if (from !== undefined && to !== undefined && Date.parse(from) >= Date.parse(to))
    return invalid('?to', 'is not after from');
  return ok(range);
}

/**
 * Which steps to ask for; null: none, nothing happened. An open end is that of the span. Where the beginning is open and
 * the steps would be too many, the last ones are taken.
 */
export function stepsOf(range: Range, step: Step | undefined, span: Span | null): Result<Steps | null> {
  const toMs = range.toMs ?? (span && span.lastMs + STEP_MS['1h']);
  const fromMs = range.fromMs ?? (span && Math.min(span.firstMs, toMs ?? span.firstMs));
  if (toMs === null || fromMs === null || fromMs >= toMs) return ok(null);
  const wholeOf = (of: Step): Steps => {
    const ms = STEP_MS[of];
    return { step: of, fromMs: Math.floor(fromMs / ms) * ms, toMs: Math.ceil(toMs / ms) * ms };
  };
  const stepsIn = (s: Steps) => (s.toMs - s.fromMs) / STEP_MS[s.step];
  const steps = wholeOf(step ?? (stepsIn(wholeOf('1m')) <= MAX_STEPS ? '1m' : '1h'));
  if (stepsIn(steps) <= MAX_STEPS) return ok(steps);
  if (range.fromMs === undefined) return ok({ ...steps, fromMs: steps.toMs - MAX_STEPS * STEP_MS[steps.step] });
  return step === '1m'
    ? invalid('?step', `${stepsIn(steps)} minutes, and at most ${MAX_STEPS} are shown: 1h, or a shorter range`)
    : invalid('?from', `${stepsIn(steps)} hours before to, and at most ${MAX_STEPS} are shown`);
}

const EMPTY: Omit<SeriesRow, 'atMs'> = {
  ...(Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Counts),
  p50_ms: null,
  p95_ms: null,
  p99_ms: null,
  provider_p95_ms: null,
};

/** An open end is where something first or last happened, so that there are no empty steps outside. */
export function fillSteps(rows: readonly SeriesRow[], steps: Steps, range: Range): { steps: Steps; rows: SeriesRow[] } {
  const ms = STEP_MS[steps.step];
  const within = rows.filter(({ atMs }) => atMs >= steps.fromMs && atMs < steps.toMs);
  const [first, last] = [within[0], within.at(-1)];
  const fromMs = range.fromMs === undefined ? (first?.atMs ?? steps.fromMs) : steps.fromMs;
  const toMs = range.toMs === undefined ? (last ? last.atMs + ms : fromMs) : steps.toMs;
  const byTime = new Map(within.map((row) => [row.atMs, row]));
  const filled: SeriesRow[] = [];
  for (let atMs = fromMs; atMs < toMs; atMs += ms) filled.push(byTime.get(atMs) ?? { atMs, ...EMPTY });
  return { steps: { ...steps, fromMs, toMs }, rows: filled };
}

/** As the API shows it. */
export function seriesPoint({ atMs, ...row }: SeriesRow, step: Step) {
  const ended = TERMINAL_KINDS.reduce((sum, kind) => sum + row[kind], 0);
  return {
    at: new Date(atMs).toISOString(),
    ...row,
    throughput_per_s: Math.round((ended / STEP_MS[step]) * 1_000_000) / 1_000,
  };
}
