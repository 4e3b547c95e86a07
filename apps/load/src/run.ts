import { setTimeout as sleep } from 'node:timers/promises';
import type { PipelineView, StatsView } from '@volley/contract/http';
import { type Accounts, accountsOf, endedOf, type LoadApi, settle } from './accounts.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { type Outcomes, type OutcomesOptions, type Query, readOutcomes, storedEnds, type Target } from './outcomes.ts';
import { intervalMsOf, type Plan, perArrival } from './plan.ts';
import { prepare } from './prepare.ts';
import { refusesSome } from './provider-script.ts';
import type { Recording } from './recorder.ts';
import { type Schedule, scheduleOf } from './schedule.ts';

/** The system under load, as far as it is known. */
export interface System {
  readonly api: LoadApi;
  readonly origin: string;
  readonly key: string;
  /** ClickHouse's public views, where they can be asked. */
  readonly query?: Query;
  readonly database: string;
  /** CPU seconds of each process so far, where that can be seen. */
  cpu?(): Readonly<Record<string, number>>;
}

/** How things stand, a second at a time. */
export interface Watched {
  /** From the start. */
  readonly atMs: number;
  readonly total: number;
  readonly ended: number;
  /** Delivery events that ClickHouse does not have yet; undefined: not known. */
  readonly sinkLag: number | undefined;
  readonly inFlight: number;
}

export interface RunOptions {
  readonly plan: Plan;
  readonly system: System;
  /** Arrivals end; what is under way is waited for. */
  readonly signal: AbortSignal;
  log(line: string): void;
  /** About twice a second while it runs. */
  live?(state: LiveState): void;
}

export interface LiveState {
  readonly phase: 'arrivals' | 'draining';
  readonly elapsedMs: number;
  readonly schedule: Schedule;
  readonly recording: Recording;
  readonly watched: readonly Watched[];
  readonly inFlight: number;
}

export interface Ran {
  readonly run: string;
  readonly plan: Plan;
  readonly schedule: Schedule;
  readonly intervalMs: number;
  /** Epoch. */
  readonly startAtMs: number;
  readonly stoppedAtMs: number | undefined;
  readonly recording: Recording;
  readonly targets: readonly Target[];
  readonly outcomes: Outcomes | undefined;
  readonly accounts: Accounts;
  /** Messages that ended otherwise than sent, and were not meant to. */
  readonly endedBadly: number;
  readonly watched: readonly Watched[];
  readonly dispatchers: number | undefined;
  /** CPU seconds between the first arrival and the end of the last message; the generators' own beside them. */
  readonly cpu: Readonly<Record<string, number>>;
  readonly generatorCpuS: number;
}

/** Between telling the generators and the first arrival. */
const LEAD_MS = 400;
const WATCH_MS = 1_000;
const LIVE_MS = 500;
/** What is committed and not yet to be seen in ClickHouse comes within this, as the contract says; then some. */
const VIEWS_MS = 20_000;
/** Requests without an answer, over all generators. */
const MAX_IN_FLIGHT = 20_000;

/** One run from its preparation to what became of every message. */
export async function runLoad(o: RunOptions): Promise<Ran> {
  const { plan, system } = o;
  const { api } = system;
  const schedule = scheduleOf(plan.stages, perArrival(plan));
  const intervalMs = intervalMsOf(schedule.durationMs);
  const run = `${Date.now().toString(36)}${Math.floor(Math.random() * 1_296).toString(36)}`;
  const { targets: known, draft } = await prepare(api, plan, schedule, run, o.log);
  const dispatchers = await living(api);
  const fleet = await startFleet(plan.generators);
  const watched: Watched[] = [];
  let over = false;
  try {
    const startAtMs = performance.timeOrigin + performance.now() + LEAD_MS;
    const sinceMs = () => performance.timeOrigin + performance.now() - startAtMs;
    const targets = (): Target[] =>
      plan.shape === 'campaigns' ? fleet.made.map(({ arrival, campaignId }) => ({ arrival, campaignId })) : [...known];
    const live = (phase: LiveState['phase']) =>
      o.live?.({
        ...{ phase, elapsedMs: sinceMs(), schedule, recording: fleet.recording, watched },
        inFlight: fleet.inFlight(),
      });
    let stoppedAtMs: number | undefined;
    const stop = () => {
      if (stoppedAtMs !== undefined) return;
      stoppedAtMs = Math.max(0, sinceMs());
      fleet.stop();
    };
    o.signal.addEventListener('abort', stop, { once: true });
    const cpuBefore = system.cpu?.() ?? {};
    const watching = watch(api, fleet, known, watched, sinceMs, () => over);
    const showing = setInterval(() => live('arrivals'), LIVE_MS);
    const arriving = fleet.run(
      {
        ...{ shape: plan.shape, origin: system.origin, key: system.key, run, stages: plan.stages },
        ...{ perRequest: plan.perRequest, campaigns: known.map((t) => t.campaignId), ids: plan.ids },
        ...(draft === undefined ? {} : { draft }),
        ...(plan.script === undefined ? {} : { script: plan.script }),
        ...{ readers: plan.readers, intervalMs, maxInFlight: MAX_IN_FLIGHT },
        ...{ connections: plan.connections, timeoutMs: plan.timeoutMs },
      },
      startAtMs,
    );
    if (o.signal.aborted) stop();
    try {
      await arriving;
      // A paced campaign's recipients come until the end of its stage, whoever has sent it.
      while (plan.shape === 'campaign' && !o.signal.aborted && sinceMs() < schedule.durationMs)
        await sleep(Math.min(100, schedule.durationMs - sinceMs()), undefined, { signal: o.signal }).catch(() => {});
    } finally {
      clearInterval(showing);
    }
    if (stoppedAtMs !== undefined) o.log('stopped: waiting for what is under way');
    const all = targets();
    await finish(api, plan, all, stoppedAtMs !== undefined);
    const stats = await settle(api, all, { timeoutMs: plan.drainMs, progress: () => live('draining') });
    const cpuAfter = system.cpu?.() ?? {};
    over = true;
    await watching;
    const count = (of: 'messages' | 'unknown') =>
      [...fleet.recording.intervals.values()].reduce((sum, interval) => sum + interval[of], 0);
    const accounts = accountsOf(count('messages'), count('unknown'), stats);
    const { query, database } = system;
    const outcomes =
      query &&
      (await readWhenComplete({ query, database, plan, schedule, intervalMs, startAtMs, targets: all }, accounts));
    const { failed, dead, expired } = accounts.states;
    const endedBadly = dead + expired + (refusesSome(plan.script) ? 0 : failed);
    return {
      ...{
        run,
        plan,
        schedule,
        intervalMs,
        startAtMs,
        stoppedAtMs,
        recording: fleet.recording,
        targets: all,
        outcomes,
      },
      ...{ accounts, endedBadly, watched, dispatchers, generatorCpuS: fleet.cpuMs() / 1_000 },
      cpu: Object.fromEntries(
        Object.entries(cpuAfter).flatMap(([name, s]) => {
          const from = cpuBefore[name];
          return from === undefined || s < from ? [] : [[name, s - from]];
        }),
      ),
    };
  } finally {
    over = true;
    fleet.close();
  }
}

async function living(api: LoadApi): Promise<number | undefined> {
  const { dispatchers } = await api.request<Pick<PipelineView, 'dispatchers'>>('GET', '/v1/pipeline');
  const alive = dispatchers?.filter((dispatcher) => dispatcher.alive).length;
  return alive === 0 ? undefined : alive;
}

/** Asks once a second how far it is; what cannot be asked is left out, and the run goes on. */
async function watch(
  api: LoadApi,
  fleet: Fleet,
  targets: readonly Target[],
  watched: Watched[],
  sinceMs: () => number,
  over: () => boolean,
): Promise<void> {
  while (!over()) {
    const [pipeline, ...stats] = await Promise.all([
      api.request<PipelineView>('GET', '/v1/pipeline').catch(() => undefined),
      ...targets.map((t) =>
        api.request<StatsView>('GET', `/v1/campaigns/${t.campaignId}/stats`).catch(() => undefined),
      ),
    ]);
    const there = stats.filter((s) => s !== undefined);
    if (there.length > 0 && there.length === targets.length)
      watched.push({
        atMs: sinceMs(),
        total: there.reduce((sum, s) => sum + s.total, 0),
        ended: there.reduce((sum, s) => sum + endedOf(s), 0),
        sinkLag: pipeline?.sink?.lag,
        inFlight: fleet.inFlight(),
      });
    for (let waited = 0; waited < WATCH_MS && !over(); waited += 100) await sleep(100);
  }
}

/** A campaign that takes direct messages ends when it is told to; one that was stopped early is cancelled. */
async function finish(api: LoadApi, plan: Plan, targets: readonly Target[], stopped: boolean): Promise<void> {
  const direct = plan.shape === 'direct' || plan.shape === 'ndjson';
  if (!direct && !stopped) return;
  const command = direct ? 'close' : 'cancel';
  for (const { campaignId } of targets) {
    // Again while the API is away; 4xx is an answer: it has ended already, or nothing was ever sent.
    for (let tries = 0; tries < 100; tries++) {
      try {
        await api.request('POST', `/v1/campaigns/${campaignId}/${command}`);
        break;
      } catch (error) {
        const { status } = error as { status?: number };
        if (status !== undefined && status < 500 && status !== 429) break;
        await sleep(200);
      }
    }
    if (!direct) await api.request('DELETE', `/v1/campaigns/${campaignId}`).catch(() => {});
  }
}

/** The views, once they hold every message that has ended; or as they are when they do not in time. */
async function readWhenComplete(o: OutcomesOptions, accounts: Accounts): Promise<Outcomes | undefined> {
  const untilMs = performance.now() + VIEWS_MS;
  for (;;) {
    const stored = await storedEnds(o).catch(() => undefined);
    if ((stored ?? 0) >= accounts.ended || performance.now() >= untilMs)
      return stored === undefined ? undefined : readOutcomes(o);
    await sleep(250);
  }
}
