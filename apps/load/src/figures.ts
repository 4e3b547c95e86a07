import { createLatencies, type Latencies, type Summary, summaryOf } from './latencies.ts';
import type { LatencyMetric, Measured, ShareMetric, Statistic } from './objective.ts';
import { quantileOf } from './objective.ts';
import type { Outcomes } from './outcomes.ts';
import { BIN_MS, type Recording } from './recorder.ts';
import type { Schedule } from './schedule.ts';

/** What of all that was recorded counts: warm-up left out. */
export interface Figures {
  readonly latencies: Readonly<Partial<Record<LatencyMetric | 'late', Latencies>>>;
  readonly requests: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly shares: Readonly<Partial<Record<ShareMetric, number>>>;
  /** A second, over the measured time. */
  readonly acceptedPerSecond: number;
  readonly endedPerSecond: number | undefined;
}

/** A window is shifted by no more than this, and by no more than a tenth of itself: who is later than that is behind. */
const MOST_SHIFT_MS = 5_000;

/** Messages of these bins in a window of time; bins at its edges count in part. */
export function within(bins: ReadonlyMap<number, number>, fromMs: number, toMs: number): number {
  let sum = 0;
  for (const [bin, messages] of bins) {
    const overlapMs = Math.min(toMs, (bin + 1) * BIN_MS) - Math.max(fromMs, bin * BIN_MS);
    if (overlapMs > 0) sum += (messages * Math.min(overlapMs, BIN_MS)) / BIN_MS;
  }
  return sum;
}

/** The last ones may take longer than usual: what has come by so long after the window is not behind. */
const GRACE_MS = 250;

/**
 * How many came through in a window as long as the measured one, shifted by the time that they usually take: at a steady rate
 * that is what was asked for, however long each takes, and who cannot keep up has no more time for it than he was given messages.
 * `share` is of what was asked for; all of it when all of it is there a moment later.
 */
export function achieved(
  bins: ReadonlyMap<number, number>,
  window: { readonly fromMs: number; readonly toMs: number; readonly asked: number },
  usualMs: number,
): { readonly perSecond: number; readonly share: number | undefined } {
  const { asked } = window;
  const lengthMs = window.toMs - window.fromMs;
  const shiftMs = Math.min(usualMs, MOST_SHIFT_MS, lengthMs / 10);
  const [fromMs, toMs] = [window.fromMs + shiftMs, window.toMs + shiftMs];
  const found = within(bins, fromMs, toMs);
  const isAll = found + within(bins, toMs, toMs + GRACE_MS) >= asked * 0.999;
  return {
    perSecond: (found * 1_000) / lengthMs,
    share: asked === 0 ? undefined : isAll ? 1 : Math.min(1, found / asked),
  };
}

/** Messages that the schedule means for a window of time. */
export const askedIn = (schedule: Schedule, fromMs: number, toMs: number): number =>
  schedule.stages.reduce((sum, { startMs, endMs, messages }) => {
    const overlapMs = Math.min(toMs, endMs) - Math.max(fromMs, startMs);
    return overlapMs <= 0 ? sum : sum + (messages * overlapMs) / (endMs - startMs);
  }, 0);

export function figuresOf(o: {
  readonly schedule: Schedule;
  readonly recording: Recording;
  readonly outcomes: Outcomes | undefined;
  /** The arrivals ended here, if they were stopped before their time. */
  readonly stoppedAtMs?: number;
  /** Messages that ended otherwise than sent, beyond those that were meant to. */
  readonly endedBadly: number;
  /** HTTP requests bring messages one by one, so that answers a second are a rate. */
  readonly acceptedIsRate: boolean;
}): Figures {
  const { schedule, recording, outcomes } = o;
  const measured = (key: string): boolean => schedule.stages[Number(key.split('/')[0])]?.warmUp === false;
  const latencies: Partial<Record<LatencyMetric | 'late', Latencies>> = {};
  const add = (name: LatencyMetric | 'late', more: Latencies | undefined) => {
    if (more === undefined || more.count() === 0) return;
    const into = latencies[name] ?? createLatencies();
    latencies[name] = into;
    into.add(more);
  };
  let requests = 0;
  let reads = 0;
  let readErrors = 0;
  let failed = 0;
  const errors: Record<string, number> = {};
  for (const [key, interval] of recording.intervals) {
    if (!measured(key)) continue;
    requests += interval.arrivals;
    for (const [kind, n] of Object.entries(interval.errors)) {
      errors[kind] = (errors[kind] ?? 0) + n;
      if (kind.startsWith('read: ')) readErrors += n;
      else failed += n;
    }
    for (const name of ['http', 'late', 'reads'] as const) add(name, interval.latencies[name]);
    reads += interval.latencies.reads?.count() ?? 0;
  }
  for (const [key, { e2e, delivery }] of outcomes?.intervals ?? [])
    if (measured(key)) {
      add('e2e', e2e);
      add('delivery', delivery);
    }
  add('complete', outcomes?.complete);

  const fromMs = schedule.measuredFromMs;
  const toMs = Math.max(fromMs + 1, Math.min(schedule.durationMs, o.stoppedAtMs ?? schedule.durationMs));
  const asked = askedIn(schedule, fromMs, toMs);
  const window = { fromMs, toMs, asked };
  const accepted = achieved(recording.answered, window, latencies.http?.quantileMs(0.5) ?? 0);
  const ended = outcomes && achieved(outcomes.ended, window, latencies.delivery?.quantileMs(0.5) ?? 0);
  const shares: Partial<Record<ShareMetric, number>> = {};
  if (requests > 0) shares.errors = Math.min(1, failed / requests + (asked > 0 ? o.endedBadly / asked : 0));
  if (reads + readErrors > 0) shares.read_errors = readErrors / (reads + readErrors);
  if (o.acceptedIsRate && accepted.share !== undefined) shares.accepted = accepted.share;
  if (ended?.share !== undefined) shares.ended = ended.share;
  const rates = [shares.accepted, shares.ended].filter((share) => share !== undefined);
  if (rates.length > 0) shares.rate = Math.min(...rates);
  return {
    latencies,
    requests,
    errors,
    shares,
    acceptedPerSecond: accepted.perSecond,
    endedPerSecond: ended?.perSecond,
  };
}

export const statisticOf = (latencies: Latencies, statistic: Statistic): number => {
  const of = quantileOf(statistic);
  return of === 'mean' ? latencies.meanMs() : of === 'max' ? latencies.maxMs() : latencies.quantileMs(of);
};

export const measuredBy = (figures: Figures, accounted: boolean | undefined): Measured => ({
  accounted,
  share: (metric) => figures.shares[metric],
  latencyMs(metric, statistic) {
    const latencies = figures.latencies[metric];
    return latencies === undefined ? undefined : statisticOf(latencies, statistic);
  },
});

export const summariesOf = (figures: Figures): Record<string, Summary> =>
  Object.fromEntries(Object.entries(figures.latencies).map(([name, latencies]) => [name, summaryOf(latencies)]));
