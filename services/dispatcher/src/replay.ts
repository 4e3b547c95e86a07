import { createReplayLeases } from '@volley/contract/replays';
import {
  createLifecycle,
  createLogger,
  createMetrics,
  giveBackIdleMemory,
  settingsOrExit,
  sleep,
  startAdminServer,
  systemClock,
} from '@volley/runtime';
import { createRedrives, createReplayStore } from './adapters/replay-store.ts';
import { SETTINGS } from './config.ts';
import type { Runner } from './replay-ports.ts';
import { createReplayWorker } from './replay-worker.ts';

/** A job waits for this at most; one look is one row by an index. */
const LOOK_EVERY_MS = 1_000;
const GRACE_MS = 15_000;
const DEAF = 'Postgres does not answer';

// The dispatcher's own table: what a replay decides by must be what dispatchers decide by.
const s = settingsOrExit(SETTINGS, process.env, process.argv);
const log = createLogger('dispatcher-replay', s.logLevel);
const lifecycle = createLifecycle(log, GRACE_MS);
giveBackIdleMemory();
if (s.postgresUrl === '') refuse('VOLLEY_POSTGRES_URL is not set: replays are rows of Postgres');

function refuse(why: string): never {
  process.stderr.write(`config: ${why}\n`);
  process.exit(2);
}

const { monotonicMs } = systemClock;
const clientId = `${s.namespace}-dispatcher-replay-${s.slot}`;
// Told apart from another process of this slot by the fence; the pid is for whoever reads the row.
const owner = `${clientId}/${process.pid}`;
const store = createReplayStore({ url: s.postgresUrl, applicationName: clientId });
lifecycle.add({ name: 'postgres', stop: () => store.close() });
const leases = createReplayLeases(store.query, { owner, monotonicMs });

/** What reads, decodes and renders, loaded for the first job and not before. Nothing in it can write or send. */
async function load(): Promise<Runner> {
  const { createDecoder, topicsOf } = await import('@volley/contract');
  const { createRegistry } = await import('@volley/contract/registry');
  const { findProvider } = await import('@volley/contract/providers');
  const { createKafkaClient } = await import('@volley/stream/kafka');
  const { readProviders } = await import('./adapters/providers.ts');
  const { createSchemas } = await import('./adapters/schemas.ts');
  const { createRenderer } = await import('./adapters/templates.ts');
  const { createSources } = await import('./core/sources.ts');
  const { retriesOf } = await import('./policy.ts');
  const { createDeliveriesReplay } = await import('./replay-deliveries.ts');

  const providers = readProviders(s.providersFile);
  const { tiers, policy } = retriesOf(s);
  const topics = topicsOf(s.namespace);
  const { store: schemas } = createRegistry({ url: s.registryUrl, clientId, nowMs: monotonicMs });
  const client = createKafkaClient({
    brokers: s.kafkaBrokers,
    clientId,
    log: (level, sentence, facts) => log[level](facts, sentence),
  });
  lifecycle.add({ name: 'kafka', stop: () => client.close() });
  return createDeliveriesReplay({
    redrives: createRedrives(store.query, owner),
    log: client,
    topics,
    source: createSources(topics, tiers).of,
    decodeMessage: createDecoder('Message', schemas),
    decodeEvent: createDecoder('DeliveryEvent', schemas),
    decodeCampaign: createDecoder('CampaignEvent', schemas),
    schemas: createSchemas({ store: schemas, random: Math.random, log }),
    newRenderer: createRenderer,
    provider(channel, name) {
      const found = findProvider(providers, channel, name);
      return found && { kind: found.channel, from: found.from };
    },
    policy: { ...policy, longestTierMs: Math.max(...tiers.map(({ delayMs }) => delayMs)) },
    clock: systemClock,
    logger: log,
  });
}

let loaded: Promise<Runner> | undefined;
const worker = createReplayWorker({
  leases,
  targets: ['deliveries'],
  runner() {
    loaded ??= load();
    // What could not be loaded is tried again by the next job.
    loaded.catch(() => {
      loaded = undefined;
    });
    return loaded;
  },
  clock: systemClock,
  logger: log,
});

let problem: string | undefined = 'Postgres has not been asked yet';
const admin = await startAdminServer({
  host: s.adminHost,
  port: s.adminPort,
  registry: createMetrics({}).registry,
  ready: () => (lifecycle.stopping() ? ['stopping'] : problem === undefined ? [] : [problem]),
});
lifecycle.add({ name: 'admin', stop: () => admin.close() });

const stopping = new AbortController();
async function look(): Promise<void> {
  while (!stopping.signal.aborted) {
    let found = false;
    try {
      found = await worker.round();
      problem = undefined;
    } catch (error) {
      if (problem !== DEAF) log.warn({ err: error }, `${DEAF}: waiting`);
      problem = DEAF;
    }
    if (!found) await sleep(LOOK_EVERY_MS, stopping.signal);
  }
}
const looking = look();
lifecycle.add({
  name: 'replay',
  async stop() {
    stopping.abort();
    await worker.stop();
    await looking;
  },
});
log.info({ admin_port: admin.port }, 'waiting for replays');
