import { createDecoder, type DispatcherState, groupsOf, topicsOf } from '@volley/contract';
import type { Provider } from '@volley/contract/providers';
import { createRegistry } from '@volley/contract/registry';
import {
  createFailpoints,
  createLifecycle,
  createLogger,
  createMetrics,
  giveBackIdleMemory,
  settingsOrExit,
  startAdminServer,
  systemClock,
} from '@volley/runtime';
import { createConsumerLoop } from '@volley/stream';
import { createKafkaClient } from '@volley/stream/kafka';
import { createBreakers } from './adapters/breakers.ts';
import { followCampaigns } from './adapters/campaign-feed.ts';
import { createDeliveryLog } from './adapters/delivery-log.ts';
import { createLedgerReader } from './adapters/ledger-reader.ts';
import { createLimitsReport } from './adapters/limits-report.ts';
import { concurrencyOf, createRoutes, readProviders } from './adapters/providers.ts';
import { createRehearsalChannel } from './adapters/rehearsal.ts';
import { createReport } from './adapters/report.ts';
import { createSchemas } from './adapters/schemas.ts';
import { createShareKeeper } from './adapters/shares.ts';
import { createSimulatedChannel } from './adapters/simulated/channel.ts';
import { createSmtpChannel } from './adapters/smtp/channel.ts';
import { createRenderer } from './adapters/templates.ts';
import { createWatch } from './adapters/watch.ts';
import { createTargets, createWebhookChannel } from './adapters/webhook/channel.ts';
import { SETTINGS } from './config.ts';
import { createHints } from './core/hints.ts';
import { createLedger } from './core/ledger.ts';
import { createLimits } from './core/limits.ts';
import { createShares } from './core/shares.ts';
import { METRICS } from './metrics.ts';
import { createPipeline } from './pipeline.ts';
import { retriesOf } from './policy.ts';
import type { Channel } from './ports.ts';

/** Session of the group and how often it is renewed; a stop and a send fit into one session. */
const SESSION_TIMEOUT_MS = 10_000;
const HEARTBEAT_MS = 1_000;
const TICK_MS = 250;
// What is settled and not committed is read again after a crash, and skipped by what the ledger knows.
const COMMIT_INTERVAL_MS = 100;
const GRACE_MS = 15_000;
const VERSION = '0.1.0';

const s = settingsOrExit(SETTINGS, process.env, process.argv);
const log = createLogger('dispatcher', s.logLevel);
const lifecycle = createLifecycle(log, GRACE_MS);
giveBackIdleMemory();
const { monotonicMs, now } = systemClock;
const { random } = Math;
const topics = topicsOf(s.namespace);
const clientId = `${s.namespace}-dispatcher-${s.slot}`;
const metrics = createMetrics(METRICS);

const webhooks = {
  allow: s.webhookAllow,
  httpsOnly: s.webhookHttpsOnly,
  onAllowed: (entry: string, host: string) =>
    log.warn({ entry, host }, 'VOLLEY_WEBHOOK_ALLOW let a private destination through'),
};
const channels: Channel[] = [];
const open = (provider: Provider): Channel => {
  const { url } = provider;
  const channel =
    provider.channel === 'simulated'
      ? createSimulatedChannel({ url, journalPath: s.simulatedJournal, now, monotonicMs })
      : provider.channel === 'smtp'
        ? createSmtpChannel({ url, connections: concurrencyOf(provider), deadlineMs: s.sendDeadlineMs })
        : createWebhookChannel({
            ...webhooks,
            url,
            secret: provider.secret,
            connections: concurrencyOf(provider),
            deadlineMs: s.sendDeadlineMs,
            now,
          });
  channels.push(channel);
  return channel;
};
const rehearse = ({ channel, url }: Provider): Channel => {
  if (channel !== 'webhook') return createRehearsalChannel(() => undefined);
  const targetOf = createTargets({ ...webhooks, url });
  return createRehearsalChannel((message) => {
    const target = targetOf(message);
    return 'url' in target ? undefined : target;
  });
};
const providers = orExit(() => readProviders(s.providersFile));
const routes = orExit(() => createRoutes(providers, open, rehearse));
const { tiers, policy } = orExit(() => retriesOf(s));

function orExit<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    process.stderr.write(`config: ${(error as Error).message}\n`);
    process.exit(2);
  }
}

const registry = createRegistry({ url: s.registryUrl, clientId, nowMs: monotonicMs });
const schemas = createSchemas({ store: registry.store, random, log });
const client = createKafkaClient({
  brokers: s.kafkaBrokers,
  clientId,
  log: (level, sentence, facts) => log[level](facts, sentence),
});
lifecycle.add({ name: 'kafka', stop: () => client.close() });

const producer = await client.producer({ clientId: `${clientId}-events` });
const deliveryLog = createDeliveryLog({
  producer,
  deliveriesTopic: topics.deliveries,
  deliveriesSchemaId: await registry.idOf(topics.deliveries, 'DeliveryEvent'),
  dlqTopic: topics.dlq,
  random,
  log,
  onCut: () => metrics.m.deadLettersCut.inc(),
});

const breakers = createBreakers({ random, ratio: s.breakerRatio });
const shares = createShares();
const limits = createLimits({
  slots: s.concurrency,
  providers: providers.length,
  campaignConcurrency: s.campaignConcurrency || Number.POSITIVE_INFINITY,
  campaignBurst: s.campaignBurst || undefined,
  breakers,
  share: s.postgresUrl === '' ? () => 1 : shares.of,
});
breakers.onChange((on) => pipeline.wake(on));

const ledger = createLedger();
const hints = createHints(ledger);
const ledgerReader = createLedgerReader({
  client,
  deliveriesTopic: topics.deliveries,
  store: registry.store,
  schemas,
  ledger,
  hints,
  onOpen: (number) => pipeline.onLedgerOpen(number),
  onUndecodable: () => metrics.m.unreadableEvents.inc(),
  onRead: (read) => log.info(read, 'ledger read'),
  monotonicMs,
  random,
  log,
});

const partitionCount = await client
  .admin()
  .then(async (admin) => (await admin.logBounds(topics.deliveries)).length || 1);

const stopped = new Map<string, string>();
const pipeline = createPipeline({
  decode: createDecoder('Message', registry.store),
  schemas,
  renderer: createRenderer(),
  routes,
  limits,
  ledger,
  hints,
  topics,
  tiers,
  policy,
  log: deliveryLog,
  assignment: {
    settle: (tracked) => loop.settle(tracked as Parameters<typeof loop.settle>[0]),
    currentEpoch: () => loop.currentEpoch(),
    lastHeartbeatMs: () => loop.lastHeartbeatMs(),
    commitNow: () => loop.commitNow(),
    stopPartition: (topic, partition, why) => loop.stopPartition(topic, partition, why),
  },
  clock: systemClock,
  random,
  failpoints: createFailpoints(s.failpoints),
  watch: createWatch(metrics),
  slots: s.concurrency,
  retryBaseMs: s.retryBaseMs,
  retryCapMs: s.retryCapMs,
  sendDeadlineMs: s.sendDeadlineMs,
  sessionTimeoutMs: SESSION_TIMEOUT_MS,
  onFatal: lifecycle.fatal,
});

const recordTopics = [topics.messages.transactional, topics.messages.bulk, ...topics.retry, topics.held];
const loop = createConsumerLoop({
  client,
  groupId: groupsOf(s.namespace).dispatcher,
  topics: recordTopics,
  clientId,
  maxBytes: s.queueBytes,
  commitIntervalMs: COMMIT_INTERVAL_MS,
  sessionTimeoutMs: SESSION_TIMEOUT_MS,
  heartbeatIntervalMs: HEARTBEAT_MS,
  handler: {
    onRecords: (records, logEnd) => pipeline.onRecords(records, logEnd),
    onAssigned(partitions, epoch) {
      stopped.clear();
      log.info({ epoch, partitions: partitions.length }, 'assigned');
      const numbers = new Set(partitions.map(({ partition }) => partition));
      shares.assume(numbers.size / partitionCount);
      ledgerReader.assigned(partitions);
      pipeline.onAssigned(partitions);
    },
    onRevoked(epoch) {
      log.info({ epoch }, 'revoked');
      ledgerReader.revoked();
      pipeline.onRevoked();
    },
    metadata: ({ topic, partition }, watermark, isLast) => hints.metadata(topic, partition, watermark, isLast),
    onPartitionStopped({ topic, partition }, why) {
      stopped.set(`${topic}/${partition}`, why);
      log.error({ topic, partition, why }, 'partition stopped');
    },
    onFatal: lifecycle.fatal,
  },
});

let campaignsRead = false;
const admin = await startAdminServer({
  host: s.adminHost,
  port: s.adminPort,
  registry: metrics.registry,
  ready() {
    const reasons = [...stopped].map(([partition, why]) => `${partition} stopped: ${why}`);
    if (lifecycle.stopping()) reasons.push('stopping');
    if (!campaignsRead) reasons.push('the campaign topic is being read');
    else if (loop.currentEpoch() < 0) reasons.push('no assignment');
    return [
      ...reasons,
      ...[deliveryLog.problem(), schemas.problem(), ledgerReader.problem()].filter((p) => p !== undefined),
    ];
  },
});
lifecycle.add({ name: 'admin', stop: () => admin.close() });
lifecycle.add({
  name: 'channels',
  async stop() {
    await Promise.all(channels.map((channel) => channel.close()));
  },
});

const report = createReport({
  metrics,
  log,
  monotonicMs,
  topics: recordTopics,
  state: () => pipeline.state(),
  lag: () => loop.lag(),
  stopped: () => stopped.size,
  ledger: () => ledger.state(),
});
const shareKeeper =
  s.postgresUrl === ''
    ? undefined
    : createShareKeeper({
        url: s.postgresUrl,
        namespace: s.namespace,
        clientId,
        shares,
        weights: () => limits.weights(pipeline.backlog()),
        state: dispatcherState,
        log,
      });
const limitsReport = createLimitsReport({
  limits,
  breakers,
  isPostgresAway: () => shareKeeper?.isAway() ?? false,
  metrics,
  clock: systemClock,
});

/** What `GET /v1/pipeline` shows of this process. */
function dispatcherState(): DispatcherState {
  const { lanes, held } = pipeline.state();
  const counts: Record<string, number> = {};
  for (const { on } of held) {
    const why = on.split(':', 1)[0] as string;
    counts[why] = (counts[why] ?? 0) + 1;
  }
  const partitions = [...new Set(loop.lag().map(({ partition }) => partition))].sort((a, b) => a - b);
  return { version: VERSION, partitions, lanes, held: counts, ...limitsReport.view() };
}

const ticks = setInterval(() => pipeline.tick(), TICK_MS);
const reports = setInterval(() => {
  report();
  limitsReport.report();
}, 1_000);

const feed = await followCampaigns({
  client,
  topic: topics.campaigns,
  clientId: `${clientId}-campaigns`,
  decode: createDecoder('CampaignEvent', registry.store),
  schemas,
  onEvent: (event) => pipeline.onCampaign(event),
  onRemoved: (campaignId) => pipeline.onCampaignRemoved(campaignId),
  onUnreadable: () => metrics.m.unreadableCampaignEvents.inc(),
  onFatal: lifecycle.fatal,
  log,
});
lifecycle.add({ name: 'campaigns', stop: () => feed.stop() });

// Readiness turns red with the signal; then: nothing new starts, what runs ends and is written, offsets are committed,
// the group is left. Stop deadlines together stay below the session timeout, so that nobody takes over meanwhile.
lifecycle.add({
  name: 'pipeline',
  async stop() {
    const clean = await pipeline.stop(s.drainMs);
    if (!clean) log.warn('not everything under way was acknowledged: the next owner repeats it');
    await loop.stop(0);
    clearInterval(ticks);
    clearInterval(reports);
    await shareKeeper?.stop();
    ledgerReader.close();
    deliveryLog.close();
    schemas.close();
  },
});

await feed.caughtUp;
campaignsRead = true;
shareKeeper?.start();
await loop.start();
log.info({ client_id: clientId, admin_port: admin.port }, 'dispatching');
