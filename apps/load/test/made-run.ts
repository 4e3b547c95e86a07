import { createLatencies } from '../src/latencies.ts';
import type { Outcomes } from '../src/outcomes.ts';
import { intervalMsOf, type Plan } from '../src/plan.ts';
import { countError, createRecorder, createRecording, recordLatency } from '../src/recorder.ts';
import type { Environment } from '../src/report.ts';
import type { Ran } from '../src/run.ts';
import { scheduleOf } from '../src/schedule.ts';

export const plan = (change: Partial<Plan> = {}): Plan => ({
  shape: 'direct',
  stages: [
    { perSecond: 100, seconds: 2, warmUp: true },
    { perSecond: 100, seconds: 10, warmUp: false },
  ],
  ...{ perRequest: 1, readers: 1, ids: false, unpaced: false, generators: 2, connections: 64 },
  ...{ timeoutMs: 10_000, drainMs: 60_000, maxLateMs: 100 },
  ...change,
});

export const environment: Environment = {
  command: 'volley load --rate 100',
  commit: '0123abc',
  machine: '2 × CPU',
  settings: { VOLLEY_DISPATCHERS: '1' },
};

/** A run that went well: each request took 10 ms, and a message 30 ms more. `lateMs`: of the generator. */
export function madeRun(change: Partial<Ran> = {}, lateMs = 1, error?: string): Ran {
  const of = change.plan ?? plan();
  const schedule = scheduleOf(of.stages, 1);
  const intervalMs = intervalMsOf(schedule.durationMs);
  const recorder = createRecorder();
  const intervals = new Map<
    string,
    { e2e: ReturnType<typeof createLatencies>; delivery: ReturnType<typeof createLatencies> }
  >();
  const ended = new Map<number, number>();
  for (let arrival = 0; arrival < schedule.arrivals; arrival++) {
    const atMs = schedule.atMs(arrival);
    const stage = schedule.stageOf(arrival);
    const index = Math.floor((atMs - (schedule.stages[stage]?.startMs ?? 0)) / intervalMs);
    const interval = recorder.interval(stage, index);
    interval.arrivals += 1;
    interval.accepted += 1;
    interval.messages += 1;
    recordLatency(interval, 'http', 10);
    recordLatency(interval, 'late', lateMs);
    if (error !== undefined && arrival % 50 === 0) countError(interval.errors, error);
    recorder.answered(atMs + 10, 1);
    const key = `${stage}/${index}`;
    const known = intervals.get(key) ?? { e2e: createLatencies(), delivery: createLatencies() };
    intervals.set(key, known);
    known.e2e.record(30);
    known.delivery.record(40);
    const bin = Math.floor((atMs + 40) / 100);
    ended.set(bin, (ended.get(bin) ?? 0) + 1);
  }
  const recording = createRecording();
  recording.add(recorder.take());
  const outcomes: Outcomes = { intervals, ended, kinds: { sent: schedule.messages }, complete: createLatencies() };
  const states = {
    queued: 0,
    retrying: 0,
    sent: schedule.messages,
    failed: 0,
    dead: 0,
    suppressed: 0,
    cancelled: 0,
    expired: 0,
  };
  return {
    ...{ run: 'r1', plan: of, schedule, intervalMs, startAtMs: 1_795_000_000_000, stoppedAtMs: undefined },
    ...{ recording, targets: [], outcomes, endedBadly: 0, dispatchers: 1 },
    accounts: {
      ...{ accepted: schedule.messages, unknown: 0, total: schedule.messages, ended: schedule.messages },
      ...{ states, accounted: true, problems: [] },
    },
    watched: [0, 4, 8].map((s) => ({ atMs: s * 1_000, total: s * 100, ended: s * 99, sinkLag: s, inFlight: 1 })),
    cpu: { dispatcher: 3, 'ingest-api': 2 },
    generatorCpuS: 0.4,
    ...change,
  };
}
