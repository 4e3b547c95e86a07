import { createDecoder, tiersWithDelays } from '@volley/contract';
import type { ReplayJob, ReplayRange } from '@volley/contract/replays';
import { createMemoryReplayLeases, type MemoryReplays, memoryReplay } from '@volley/contract/replays-memory';
import { createLogger, systemClock } from '@volley/runtime';
import type { StreamClient } from '@volley/stream';
import { createSchemas } from '../src/adapters/schemas.ts';
import { createRenderer } from '../src/adapters/templates.ts';
import type { Tally } from '../src/core/replay/tally.ts';
import { createSources } from '../src/core/sources.ts';
import { createDeliveriesReplay } from '../src/replay-deliveries.ts';
import type { ReplayDeps, Runner } from '../src/replay-ports.ts';
import { createReplayWorker } from '../src/replay-worker.ts';
import { PARTITIONS, TEST_POLICY, topics, type World } from './support.ts';

const logger = createLogger('replay-test', 'silent');

/** Both lanes, from the beginning to their ends now. */
export async function rangesNow(client: StreamClient): Promise<ReplayRange[]> {
  const admin = await client.admin();
  const ranges: ReplayRange[] = [];
  for (const topic of Object.values(topics.messages)) {
    for (const [partition, { start, end }] of (await admin.logBounds(topic)).entries())
      if (end > start) ranges.push({ topic, partition, from: start, to: end });
  }
  return ranges;
}

let made = 0;
export const jobOf = (
  campaignId: string,
  ranges: readonly ReplayRange[],
  more: Partial<ReplayJob> = {},
): ReplayJob => ({
  replay_id: `00000000-0000-7000-8000-${String(++made).padStart(12, '0')}`,
  tenant_id: 'default',
  target: 'deliveries',
  status: 'pending',
  phase: '',
  reason: 'test',
  asked_by: 'test',
  campaign_id: campaignId,
  rate_per_second: null,
  options: { allow_gap: false, swap: 'if_equal', send: false },
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
});

export interface ReplayTestOptions {
  readonly log?: ReplayDeps['log'];
  readonly policy?: Partial<ReplayDeps['policy']>;
  readonly provider?: ReplayDeps['provider'];
  readonly redrives?: Partial<ReplayDeps['redrives']>;
  readonly newRenderer?: ReplayDeps['newRenderer'];
  readonly maxPlaces?: number;
  readonly sliceMs?: number;
}

const never = () => Promise.reject(new Error('nothing was to be sent'));

export function runnerOf(world: World, o: ReplayTestOptions = {}): Runner {
  const tiers = tiersWithDelays([40, 80, 120, 160]);
  return createDeliveriesReplay(
    {
      redrives: { ask: never, find: never, cancel: never, ...o.redrives },
      log: o.log ?? world.broker.client(),
      topics,
      source: createSources(topics, tiers).of,
      decodeMessage: createDecoder('Message', world.schemas.store),
      decodeEvent: createDecoder('DeliveryEvent', world.schemas.store),
      decodeCampaign: createDecoder('CampaignEvent', world.schemas.store),
      schemas: createSchemas({ store: world.schemas.store, random: Math.random, log: logger }),
      newRenderer: o.newRenderer ?? createRenderer,
      provider: o.provider ?? ((channel) => ({ kind: channel, from: undefined })),
      policy: { ...TEST_POLICY, longestTierMs: 160, ...o.policy },
      clock: systemClock,
      logger,
    },
    {
      ...(o.maxPlaces === undefined ? {} : { maxPlaces: o.maxPlaces }),
      ...(o.sliceMs === undefined ? {} : { sliceMs: o.sliceMs }),
    },
  );
}

/** A table of replays in memory, and workers on it. */
export function createDesk() {
  const replays: MemoryReplays = new Map();
  return {
    replays,
    add: (job: ReplayJob) => void replays.set(job.replay_id, memoryReplay(job)),
    job: (id: string) => replays.get(id)?.job as ReplayJob,
    ask(id: string, what: 'pauseRequested' | 'cancelRequested') {
      const row = replays.get(id);
      if (row !== undefined) replays.set(id, { ...row, [what]: true });
    },
    worker: (owner: string, runner: Runner, saveEveryMs = 5) =>
      createReplayWorker({
        leases: createMemoryReplayLeases(replays, { owner, monotonicMs: systemClock.monotonicMs }),
        targets: ['deliveries'],
        runner: async () => runner,
        clock: systemClock,
        logger,
        saveEveryMs,
      }),
  };
}

/** One replay from its beginning to its end; rejects when it does not end as done. */
export async function replay(
  world: World,
  campaignId: string,
  options: Partial<ReplayJob['options']> = {},
  o: ReplayTestOptions = {},
): Promise<Tally & Record<string, unknown>> {
  const desk = createDesk();
  const job = jobOf(campaignId, await rangesNow(world.broker.client()));
  desk.add({ ...job, options: { ...job.options, ...options } });
  await desk.worker('r0', runnerOf(world, o)).round();
  const after = desk.job(job.replay_id);
  if (after.status !== 'done') throw new Error(`the replay is ${after.status}: ${after.error}`);
  if (after.done !== after.total) throw new Error(`${after.done} of ${after.total} are done`);
  return after.result as Tally & Record<string, unknown>;
}

export { PARTITIONS };
