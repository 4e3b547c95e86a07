import { randomUUID } from 'node:crypto';
import type { ReplayJob, ReplayLeases, ReplayOptions } from '@volley/contract/replays';
import { createMemoryReplayLeases, type MemoryReplays, memoryReplay } from '@volley/contract/replays-memory';
import { createFailpoints, createLogger, createMetrics, sleep, systemClock } from '@volley/runtime';
import type { MemoryBroker } from '@volley/stream/memory';
import { createDeadLetters } from '../../src/adapters/dead-letters.ts';
import { createLog } from '../../src/adapters/log.ts';
import { besideIn, shortIdOf } from '../../src/core/replay/tables.ts';
import { CATALOGUE } from '../../src/metrics.ts';
import { sweep } from '../../src/replay-sweep.ts';
import { work } from '../../src/replay-worker.ts';
import { limits } from '../rows.ts';
import { createTestSchemas, DEAD_LETTERS, GROUP, TOPIC } from '../support.ts';
import type { World } from './world.ts';

export const KEEP_MS = 3_600_000;
const ENDED = new Set(['done', 'failed', 'cancelled']);

/** The table of jobs, with a clock of its own that a test puts forward: leases end by it. */
export function createJobs() {
  const replays: MemoryReplays = new Map();
  let aheadMs = 0;
  const job = (id: string) => replays.get(id)?.job as ReplayJob;
  return {
    leases: (owner: string) =>
      createMemoryReplayLeases(replays, { owner, monotonicMs: () => performance.now() + aheadMs }),
    job,
    alive: () =>
      new Set(
        [...replays.values()]
          .filter(({ job: { status, undo_requested } }) => !ENDED.has(status) || undo_requested)
          .map(({ job: { replay_id } }) => shortIdOf(replay_id)),
      ),
    leasesEnd() {
      aheadMs += 60_000;
    },
    async ask(
      broker: MemoryBroker,
      options: Partial<ReplayOptions> = {},
      more: Partial<ReplayJob> = {},
    ): Promise<string> {
      const admin = await broker.client().admin();
      const bounds = await admin.logBounds(TOPIC);
      const ranges = bounds.map(({ start, end }, partition) => ({ topic: TOPIC, partition, from: start, to: end }));
      const replay_id = randomUUID();
      replays.set(
        replay_id,
        memoryReplay({
          replay_id,
          tenant_id: 'default',
          target: 'analytics',
          status: 'pending',
          phase: '',
          reason: 'a test',
          asked_by: 'test',
          rate_per_second: null,
          options: { allow_gap: false, swap: 'if_equal', send: false, ...options },
          ranges,
          total: ranges.reduce((sum, { from, to }) => sum + to - from, 0),
          done: 0,
          progress: null,
          result: null,
          error: null,
          created_at: 0,
          started_at: null,
          finished_at: null,
          undo_requested: false,
          ...more,
        }),
      );
      return replay_id;
    },
    request(id: string, what: { pause?: boolean; cancel?: boolean; undo?: boolean; resume?: boolean }) {
      const row = replays.get(id);
      if (row === undefined) return;
      const { undo = row.job.undo_requested, pause = row.pauseRequested, cancel = row.cancelRequested } = what;
      const status = what.resume ? 'pending' : row.job.status;
      replays.set(id, {
        ...row,
        job: { ...row.job, undo_requested: undo, status },
        pauseRequested: pause && !what.resume,
        cancelRequested: cancel,
      });
    },
  };
}

/** Something that stops as a whole, as with SIGSTOP: what it was about to do, it does when it goes on. */
export interface Freezer {
  /** Steps of the process towards others so far. */
  steps(): number;
  readonly isFrozen: boolean;
  goOn(): void;
}

type Methods = Record<string, unknown>;

/**
 * Everything that a process asks of others goes through here. At step `at` it stands still, before the effect or after it
 * and before its answer is heard; `onFreeze` cuts it off from the log, which a stopped process hears nothing of either.
 */
export function createFreezer(
  at: number,
  after: boolean,
  onFreeze: () => void,
): Freezer & {
  wrap<T extends object>(of: T): T;
} {
  let steps = 0;
  const { promise: thawed, resolve: goOn } = Promise.withResolvers<void>();
  const state = { isFrozen: false };
  const freeze = () => {
    if (state.isFrozen) return;
    state.isFrozen = true;
    onFreeze();
  };
  let over = false;
  const pass = async () => {
    if (state.isFrozen && !over) await thawed;
  };
  return {
    steps: () => steps,
    get isFrozen() {
      return state.isFrozen;
    },
    goOn() {
      over = true;
      goOn();
    },
    wrap<T extends object>(of: T): T {
      const wrapped = { ...of } as Methods;
      for (const [name, method] of Object.entries(of)) {
        if (typeof method !== 'function') continue;
        wrapped[name] = async (...given: unknown[]) => {
          await pass();
          steps += 1;
          const isIt = steps === at;
          if (isIt && !after) {
            freeze();
            await pass();
          }
          const answer = await (method as (...g: unknown[]) => unknown)(...given);
          if (isIt && after) freeze();
          await pass();
          return answer;
        };
      }
      return wrapped as T;
    },
  };
}

const NO_FREEZER = { wrap: <T extends object>(of: T): T => of };

/** A replay process that takes one job, if there is one, and works on it. */
export function startReplay(
  broker: MemoryBroker,
  world: World,
  leases: ReplayLeases,
  name: string,
  o: { freezer?: ReturnType<typeof createFreezer>; failpoints?: string } = {},
) {
  const freezer: { wrap<T extends object>(of: T): T } = o.freezer ?? NO_FREEZER;
  const client = broker.client();
  const stopping = new AbortController();
  const run = async () => {
    const producer = await client.producer({ clientId: name });
    const admin = await client.admin();
    const cluster = await admin.clusterId();
    const mine = freezer.wrap(leases);
    const held = await mine.claim(['analytics']);
    if (held === undefined) return 'nothing';
    await work(
      held,
      {
        leases: mine,
        stream: client,
        topic: TOPIC,
        deadLetterTopic: DEAD_LETTERS,
        sinkGroup: GROUP,
        groupPrefix: 'replay-',
        clientId: name,
        cluster,
        tables: (shortId) => freezer.wrap(world.tables(shortId)),
        comparing: (shortId) => freezer.wrap(world.comparing(shortId)),
        store: (suffix) => freezer.wrap(world.store(suffix)),
        deadLetters: createDeadLetters({ producer, log: createLogger('sink', 'silent') }),
        schemas: createTestSchemas(),
        log: createLog(client, TOPIC),
        limits: { ...limits, maxRows: 37 },
        sessionMs: 400,
        queueBytes: 1024 * 1024,
        drainMs: 500,
        graceMs: KEEP_MS,
        clock: systemClock,
        waitBefore: () => 2,
        sleep: (ms, signal) => sleep(Math.min(ms, 4), signal),
        failpoints: createFailpoints(o.failpoints),
        metrics: createMetrics(CATALOGUE, false).m,
        logger: createLogger('sink', process.env.VOLLEY_TEST_LOG ?? 'silent'),
      },
      stopping.signal,
    );
    return 'worked';
  };
  const done = run();
  done.catch(() => {});
  return { done, stop: () => stopping.abort(), client };
}

let sweeps = 0;
/** As a replay process does once an hour; `aheadMs`: in so long. */
export const sweepIn = (world: World, jobs: ReturnType<typeof createJobs>, aheadMs = 0) =>
  sweep(
    {
      found: async () => besideIn(world.names().map((name) => ({ name }))),
      alive: async () => jobs.alive(),
      tables: (shortId) => world.tables(shortId),
      nextName: (shortId) => `${shortId}_s${sweeps++}`,
      clock: { ...systemClock, now: () => systemClock.now() + aheadMs },
      sleep,
      logger: createLogger('sink', 'silent'),
    },
    new AbortController().signal,
  );
