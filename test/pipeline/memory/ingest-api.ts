import { randomBytes } from 'node:crypto';
import { createDecoder, createEncoder, groupsOf } from '@volley/contract';
import { DEFAULT_PROVIDERS } from '@volley/contract/providers';
import { createMetrics, systemClock } from '@volley/runtime';
import { createConsumerLoop } from '@volley/stream';
import { v7 } from 'uuid';
import { type RoleLoop, startLoop } from '../../../services/ingest-api/src/adapters/loop.ts';
import { createMemoryStore } from '../../../services/ingest-api/src/adapters/memory/store.ts';
import type { Analytics } from '../../../services/ingest-api/src/analytics-ports.ts';
import { createVersionWatch } from '../../../services/ingest-api/src/core/version-watch.ts';
import { createFreshness } from '../../../services/ingest-api/src/freshness.ts';
import { metricCatalogue } from '../../../services/ingest-api/src/metrics.ts';
import {
  type Common,
  commandSide,
  fanoutSide,
  progressSide,
  readSide,
  relaySide,
} from '../../../services/ingest-api/src/pipeline.ts';
import type {
  CampaignCommands,
  CampaignReads,
  CampaignStore,
  ContactImport,
  Round,
} from '../../../services/ingest-api/src/ports.ts';
import { createCampaignReader } from '../../../services/ingest-api/src/relay.ts';
import { inert, quiet, SCHEMA_IDS, type Service, type Surroundings } from './process.ts';

export interface IngestInMemory extends Service {
  readonly commands: CampaignCommands;
  readonly imports: ContactImport;
  readonly reads: CampaignReads;
  readonly campaigns: CampaignStore;
}

/** Counts come from progress; what only ClickHouse knows is not asked by the scenarios. */
const NO_ANALYTICS: Pick<Analytics, 'percentiles'> = {
  percentiles: async () => ({ p50_ms: null, p95_ms: null, p99_ms: null, asOfMs: null, stale: false }),
};

/** As the main of ingest-api puts it together: its four roles on the memory log and the memory store. */
export async function startIngestApi(s: Surroundings): Promise<IngestInMemory> {
  const clientId = `${s.namespace}-ingest-api-0`;
  const store = createMemoryStore({ ...systemClock, newContactId: () => v7() });
  const loops: Partial<Record<'relay' | 'fanout' | 'progress', RoleLoop>> = {};
  const common: Common = {
    clock: systemClock,
    log: quiet,
    metric: createMetrics(metricCatalogue, false).m,
    failpoints: inert,
    topics: s.topics,
    partitions: s.partitions,
    providers: DEFAULT_PROVIDERS,
    wakeRelay: () => loops.relay?.wake(),
    wakeFanout: () => loops.fanout?.wake(),
    wakeProgress: () => loops.progress?.wake(),
    wakeRedrive: () => {},
  };
  const run = (name: 'relay' | 'fanout' | 'progress', idleMs: number, round: Round) => {
    loops[name] = startLoop({
      name,
      round,
      idleMs,
      log: quiet,
      isOutage: () => false,
      onError: () => {},
      fatal: s.fatal,
    });
  };
  const { commands, imports } = commandSide(common, {
    store: store.campaigns,
    contacts: store.contacts,
    random: (n) => randomBytes(n),
    newEventId: () => v7(),
  });

  const progress = progressSide(common, {
    store: store.progress,
    client: s.client,
    admin: await s.client.admin(),
    commands,
    decode: createDecoder('DeliveryEvent', s.schemas),
    loadSchema: (id) => s.schemas.load(id),
    settle: (tracked) => deliveries.settle(tracked),
    fatal: s.fatal,
  });
  const deliveries = createConsumerLoop({
    client: s.client,
    groupId: groupsOf(s.namespace).progress,
    topics: [s.topics.deliveries],
    clientId: `${clientId}-progress`,
    handler: progress.handler,
  });
  await deliveries.start();
  run('progress', 50, progress.round);

  const watch = createVersionWatch();
  const follower = await s.client.follow({
    topic: s.topics.campaigns,
    clientId: `${clientId}-relay-reader`,
    onRecord: createCampaignReader({
      watch,
      decode: createDecoder('CampaignEvent', s.schemas),
      loadSchema: (id) => s.schemas.load(id),
      behind: common.wakeRelay,
    }),
    onFatal: s.fatal,
  });
  await follower.caughtUp;
  const leases = store.leases(clientId);
  const relay = relaySide(common, {
    outbox: store.outbox,
    leases,
    producer: await s.client.producer({ clientId: `${clientId}-relay` }),
    watch,
    encode: createEncoder('CampaignEvent', SCHEMA_IDS.CampaignEvent),
  });
  run('relay', 50, relay);

  const fanout = fanoutSide(common, {
    store: store.fanout(clientId),
    client: s.client,
    admin: await s.client.admin(),
    producer: await s.client.producer({ clientId: `${clientId}-fanout` }),
    encode: createEncoder('Message', SCHEMA_IDS.Message),
    backlogMark: 100_000,
    live: progress.live,
  });
  run('fanout', 50, fanout.round);

  const { campaigns, contacts, progressReader } = store;
  const reads = readSide(common, {
    store: campaigns,
    contacts,
    progress: progressReader,
    live: progress.live,
    freshness: createFreshness({ client: s.client, namespace: s.namespace, clock: common.clock }),
    analytics: NO_ANALYTICS,
  });
  return {
    commands,
    imports,
    reads,
    campaigns,
    async stop() {
      await loops.fanout?.stop();
      await fanout.release();
      await loops.relay?.stop();
      await leases.release();
      await deliveries.stop(1_000);
      await loops.progress?.stop();
      await follower.stop();
    },
  };
}
