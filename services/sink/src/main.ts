import { groupsOf, topicsOf } from '@volley/contract';
import { createRegistry } from '@volley/contract/registry';
import {
  backoffMs,
  createFailpoints,
  createLifecycle,
  createLogger,
  createMetrics,
  giveBackIdleMemory,
  settingsOrExit,
  sleep,
  startAdminServer,
  systemClock,
} from '@volley/runtime';
import { type ConsumerLoop, createConsumerLoop, type StreamClient } from '@volley/stream';
import { createKafkaClient } from '@volley/stream/kafka';
import { createDeadLetters } from './adapters/dead-letters.ts';
import { createLog } from './adapters/log.ts';
import { createClickHouseRowStore } from './adapters/row-store-clickhouse.ts';
import { createSchemas } from './adapters/schemas.ts';
import { batchLimits, SETTINGS } from './config.ts';
import { COLUMNS } from './core/to-row.ts';
import { createLagGauges } from './lag-gauges.ts';
import { CATALOGUE } from './metrics.ts';
import { createPipeline } from './pipeline.ts';

/** After so long without a heartbeat the group takes this process for dead. */
const SESSION_MS = 10_000;

const settings = settingsOrExit(SETTINGS, process.env, process.argv);
const log = createLogger('sink', settings.logLevel);
const lifecycle = createLifecycle(log, settings.drainMs + 6_000);
giveBackIdleMemory();
const { m: metrics, registry: metricsRegistry } = createMetrics(CATALOGUE);
const clientId = `${settings.namespace}-sink-${settings.slot}`;
const topics = topicsOf(settings.namespace);

const waitBefore = (attempt: number) =>
  backoffMs(Math.min(attempt, 30), settings.retryBaseMs, settings.retryCapMs, Math.random());

/** Which log this is must be known before the first insert: its name is part of every token. */
async function clusterOf(stream: StreamClient): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const admin = await stream.admin();
    try {
      return await admin.clusterId();
    } catch (error) {
      log.warn({ attempt, err: (error as Error).message }, 'Kafka does not answer yet');
      await sleep(waitBefore(attempt));
    } finally {
      await admin.close();
    }
  }
}

const stream = createKafkaClient({
  brokers: settings.kafkaBrokers,
  clientId,
  log: (level, text, fields) => log[level]({ kafka: fields }, text),
});
lifecycle.add({ name: 'kafka', stop: () => stream.close() });

const stopped = new Map<number, string>();
let pipelineFailing = (): string[] => [];
let assigned = false;
const store = createClickHouseRowStore({
  url: settings.clickhouseUrl,
  database: settings.clickhouseDatabase,
  columns: COLUMNS,
  insertTimeoutMs: settings.insertTimeoutMs,
  maxOpenConnections: settings.maxInserts + 2,
  replicated: settings.clickhouseCluster !== '',
});
lifecycle.add({ name: 'clickhouse', stop: () => store.close() });

const admin = await startAdminServer({
  host: settings.adminHost,
  port: settings.adminPort,
  registry: metricsRegistry,
  async ready() {
    if (lifecycle.stopping()) return ['stopping'];
    const clickhouse = await store.ping();
    return [
      ...(assigned ? [] : ['no partitions assigned yet']),
      ...(clickhouse.ok ? [] : [`ClickHouse: ${clickhouse.error}`]),
      ...[...stopped].map(([partition, why]) => `partition ${partition} stopped: ${why}`),
      ...pipelineFailing(),
    ];
  },
});
lifecycle.add({ name: 'admin', stop: () => admin.close() });

const producer = await stream.producer({ clientId: `${clientId}-dead-letters` });
const registry = createRegistry({ url: settings.registryUrl, clientId, nowMs: () => systemClock.monotonicMs() });
let loop: ConsumerLoop | undefined;

const pipeline = createPipeline({
  cluster: await clusterOf(stream),
  topic: topics.deliveries,
  deadLetterTopic: topics.deliveriesDlq,
  limits: batchLimits(settings),
  schemas: createSchemas({ store: registry.store, nowMs: () => systemClock.monotonicMs() }),
  store,
  deadLetters: createDeadLetters({ producer, log }),
  log: createLog(stream, topics.deliveries),
  progress: {
    settleTo: (range) => loop?.settleTo({ topic: topics.deliveries, ...range }),
    commitNow: async () => (await loop?.commitNow()) ?? 'failed',
    isMember: () => systemClock.monotonicMs() - (loop?.lastHeartbeatMs() ?? 0) < SESSION_MS,
    release: (partition) => loop?.release(topics.deliveries, partition),
    stopPartition: (partition, why) => loop?.stopPartition(topics.deliveries, partition, why),
  },
  clock: systemClock,
  waitBefore,
  sleep,
  failpoints: createFailpoints(settings.failpoints),
  metrics,
  logger: log,
  onFatal: lifecycle.fatal,
});
pipelineFailing = () =>
  pipeline
    .failing()
    .filter(({ sinceMs }) => systemClock.monotonicMs() - sinceMs >= settings.unreadyAfterMs)
    .map(({ what, error }) => `${what}: ${error}`);

loop = createConsumerLoop({
  client: stream,
  groupId: groupsOf(settings.namespace).sink,
  topics: [topics.deliveries],
  clientId,
  sessionTimeoutMs: SESSION_MS,
  maxBytes: settings.queueBytes,
  inTurns: true,
  // Rows wait for their batch anyway: fewer, larger fetches cost the broker and this process less.
  minBytes: 256 * 1024,
  maxWaitMs: 200,
  handler: {
    ...pipeline.handler,
    onAssigned(partitions, epoch) {
      assigned = true;
      stopped.clear();
      pipeline.handler.onAssigned(partitions, epoch);
      log.info({ epoch, partitions: partitions.map(({ partition }) => partition) }, 'assigned');
    },
    onRevoked(epoch) {
      assigned = false;
      pipeline.handler.onRevoked(epoch);
      log.info({ epoch }, 'revoked');
    },
    onPartitionStopped({ partition }, why) {
      stopped.set(partition, why);
      log.error({ partition, why }, 'a partition stopped');
    },
    onFatal: lifecycle.fatal,
  },
});

// A series that is born with its first event does not rise with it: it has to be there before.
for (const reason of ['undecodable', 'unknown_schema', 'wrong_record']) metrics.undecodable.inc({ reason }, 0);
const tellLag = createLagGauges(metrics);
function measure(): void {
  const oldest = pipeline.oldestAppendedAtMs();
  tellLag(loop?.lag() ?? [], (partition) => {
    const at = oldest.get(partition);
    return at === undefined ? 0 : Math.max(0, (systemClock.now() - at) / 1_000);
  });
  metrics.stoppedPartitions.set(stopped.size);
}
const measuring = setInterval(measure, 1_000);

lifecycle.add({
  name: 'pipeline',
  async stop() {
    // 1 Nothing waits for company any more. 2 The loop takes nothing new, waits for what is under way, commits, leaves.
    pipeline.flush();
    await loop.stop(settings.drainMs);
    pipeline.close();
    clearInterval(measuring);
    await producer.close();
  },
});
await loop.start();
log.info({ admin: `http://${settings.adminHost}:${admin.port}`, clientId }, 'sink is running');
