import { createDecoder, groupsOf } from '@volley/contract';
import type { Provider } from '@volley/contract/providers';
import { type Clock, createFailpoints, createMetrics, type Failpoints } from '@volley/runtime';
import { createConsumerLoop, type StreamClient, type StreamProducer } from '@volley/stream';
import { v7 } from 'uuid';
import type { MemoryStore } from '../../src/adapters/memory/store.ts';
import type { AllCommands } from '../../src/commands.ts';
import type { CampaignContent } from '../../src/core/campaign.ts';
import { createVersionWatch } from '../../src/core/version-watch.ts';
import { createDirect, createRedo } from '../../src/direct.ts';
import type { LaneLog } from '../../src/direct-ports.ts';
import { createFreshness } from '../../src/freshness.ts';
import { createLaneLog } from '../../src/lane-log.ts';
import { metricCatalogue } from '../../src/metrics.ts';
import { type Common, commandSide, fanoutSide, progressSide, readSide, relaySide } from '../../src/pipeline.ts';
import type { LiveProgress } from '../../src/ports.ts';
import { createCampaignReader } from '../../src/relay.ts';
import { absentAnalytics, identity } from './api.ts';
import { createTestSchemas, encoderOf, PARTITIONS, silent, topics } from './log.ts';

export const content: CampaignContent = {
  name: 'Test',
  template: 'Hi {{name}}',
  subject: '',
  from: '',
  reply_to: '',
  content_type: 'text/plain',
  channel: 'simulated',
  provider: 'simulated',
  segment_rule: '',
  lane: 'bulk',
  rate_per_second: null,
  max_attempts: null,
  expires_at: null,
};

/** Moves only when told to. */
export function testClock(): Clock & { advance(ms: number): void } {
  let ms = 1_000;
  return {
    now: () => 1_795_000_000_000 + ms,
    monotonicMs: () => ms,
    advance(by) {
      ms += by;
    },
  };
}

/**
 * The background roles of one process, round by round under the control of a test: nothing happens that it did not ask
 * for. Several of them on one store and one log are several processes.
 */
export async function createTestService(o: {
  store: MemoryStore;
  client: StreamClient;
  owner: string;
  clock: Clock;
  failpoints?: Failpoints;
  providers?: readonly Provider[];
  backlogMark?: number;
  /** In place of the producer of direct messages. */
  directProducer?: Pick<StreamProducer, 'send'>;
  backlog?: LaneLog['backlog'];
  endsAt?: LaneLog['endsAt'];
  /** In place of what progress of this process counts. */
  live?: LiveProgress;
}) {
  const { m: metric, registry } = createMetrics(metricCatalogue, false);
  const common: Common = {
    clock: o.clock,
    log: silent,
    metric,
    failpoints: o.failpoints ?? createFailpoints(undefined),
    topics,
    partitions: PARTITIONS,
    providers: o.providers ?? [{ name: 'simulated', channel: 'simulated', url: 'simulated:' }],
    wakeRelay: () => {},
    wakeFanout: () => {},
    wakeProgress: () => {},
    wakeRedrive: () => {},
  };
  const schemas = createTestSchemas();
  const { commands, imports } = commandSide(common, {
    store: o.store.campaigns,
    contacts: o.store.contacts,
    ...identity,
    newEventId: () => v7(),
  });
  const leases = o.store.leases(o.owner);
  const watch = createVersionWatch();
  const follower = await o.client.follow({
    topic: topics.campaigns,
    clientId: `${o.owner}-reader`,
    onRecord: createCampaignReader({
      watch,
      decode: createDecoder('CampaignEvent', schemas),
      loadSchema: (id) => schemas.load(id),
      behind: () => {},
    }),
    onFatal: (error) => {
      throw error;
    },
  });
  const producer = await o.client.producer({ clientId: o.owner, deadlineMs: 2_000 });
  const relay = relaySide(common, {
    outbox: o.store.outbox,
    leases,
    producer,
    watch,
    encode: encoderOf('CampaignEvent'),
  });
  const progress = progressSide(common, {
    store: o.store.progress,
    client: o.client,
    admin: await o.client.admin(),
    commands,
    decode: createDecoder('DeliveryEvent', schemas),
    loadSchema: (id) => schemas.load(id),
    settle: (tracked) => loop.settle(tracked),
    fatal: (error) => {
      throw error;
    },
  });
  const loop = createConsumerLoop({
    client: o.client,
    groupId: groupsOf('t').progress,
    topics: [topics.deliveries],
    clientId: `${o.owner}-progress`,
    handler: progress.handler,
    commitIntervalMs: 5,
    sessionTimeoutMs: 300,
    heartbeatIntervalMs: 20,
  });
  const live: LiveProgress = o.live ?? progress.live;
  const fanout = fanoutSide(common, {
    store: o.store.fanout(o.owner),
    client: o.client,
    admin: await o.client.admin(),
    producer,
    encode: encoderOf('Message'),
    backlogMark: o.backlogMark ?? 100_000,
    live,
  });
  const admin = await o.client.admin();
  const lanes = createLaneLog({ ...common, client: o.client, admin, groupId: groupsOf('t').dispatcher });
  const directDeps = {
    ...common,
    ...{ campaigns: o.store.campaigns, contacts: o.store.contacts, commands, random: identity.random },
    store: o.store.direct,
    producer: o.directProducer ?? producer,
    encode: encoderOf('Message'),
    lanes: {
      ...lanes,
      async backlog(...asked: Parameters<LaneLog['backlog']>) {
        const known = await lanes.backlog(...asked);
        return o.backlog ? o.backlog(...asked) : known;
      },
      ...(o.endsAt ? { endsAt: o.endsAt } : {}),
    },
    backlogMark: 1_000,
    roomWaitMs: 0,
  };
  const reads = readSide(common, {
    store: o.store.campaigns,
    contacts: o.store.contacts,
    progress: o.store.progressReader,
    live,
    freshness: createFreshness({ client: o.client, namespace: 't', clock: o.clock }),
    analytics: absentAnalytics,
  });
  return {
    commands: commands as AllCommands,
    direct: createDirect(directDeps),
    redo: createRedo(directDeps),
    imports,
    reads,
    relay,
    fanout: fanout.round,
    progress: progress.round,
    live,
    schemas,
    watch,
    loop,
    stoppedPartitions: progress.stoppedPartitions,
    async metricOf(name: string, labels: Record<string, string> = {}): Promise<number> {
      const values = (await registry.getSingleMetric(name)?.get())?.values ?? [];
      return values
        .filter((v) => Object.entries(labels).every(([key, value]) => v.labels[key] === value))
        .reduce((sum, v) => sum + v.value, 0);
    },
    async stop() {
      await follower.stop();
      await loop.stop(0);
    },
  };
}
export type TestService = Awaited<ReturnType<typeof createTestService>>;
