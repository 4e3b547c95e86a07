import { campaignIdFrom, createEncoder, type DeliveryEvent, messageIdOf, RECORD_TYPES } from '@volley/contract';
import { createFailpoints, createLogger, createMetrics, sleep, systemClock } from '@volley/runtime';
import { type ConsumerLoop, createConsumerLoop, type StreamProducer } from '@volley/stream';
import type { MemoryBroker } from '@volley/stream/memory';
import { createDeadLetters } from '../src/adapters/dead-letters.ts';
import { createLog } from '../src/adapters/log.ts';
import { createMemoryRowStore } from '../src/adapters/row-store-memory.ts';
import { CATALOGUE } from '../src/metrics.ts';
import { createPipeline, type Pipeline, type PipelineDeps } from '../src/pipeline.ts';
import type { RowStore } from '../src/ports.ts';

export const TOPIC = 'deliveries';
export const DEAD_LETTERS = 'deliveries-dlq';
export const GROUP = 'sink';
export const SCHEMA_ID = 7;
export const encode = createEncoder('DeliveryEvent', SCHEMA_ID);

let campaigns = 0;
export function newCampaignId(): string {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt32BE(++campaigns, 0);
  return campaignIdFrom(Date.now(), bytes);
}
export const CAMPAIGN = newCampaignId();

export function event(ordinal: number, more: Partial<DeliveryEvent> = {}): DeliveryEvent {
  const now = Date.now();
  const campaignId = more.campaign_id ?? CAMPAIGN;
  return {
    message_id: messageIdOf(campaignId, ordinal),
    run: 0,
    tenant_id: 'default',
    campaign_id: campaignId,
    ordinal,
    recipient: `person${ordinal}@example.test`,
    kind: 'sent',
    previous_kind: null,
    attempt: 1,
    deferrals: 0,
    tier: '',
    lane: 'bulk',
    channel: 'simulated',
    provider: 'simulated',
    reason: '',
    detail: '',
    queued_at: now - 100,
    occurred_at: now,
    provider_ms: 10,
    e2e_ms: 100,
    dlq_partition: null,
    dlq_offset: null,
    ...more,
  };
}

export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 20_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A registry with one schema; while away it cannot be asked. */
export function createTestSchemas() {
  const loaded = new Set<number>();
  const state = { away: false, asked: 0 };
  return {
    state,
    get: (id: number) =>
      loaded.has(id) ? (id === SCHEMA_ID ? RECORD_TYPES.DeliveryEvent : ('unknown' as const)) : undefined,
    async load(id: number) {
      state.asked += 1;
      await new Promise((resolve) => setImmediate(resolve));
      if (state.away) return { ok: false as const, error: 'the registry is away' };
      loaded.add(id);
      return { ok: true as const };
    },
  };
}

export interface Rig {
  readonly producer: StreamProducer;
  readonly loop: ConsumerLoop;
  readonly pipeline: Pipeline;
  readonly schemas: ReturnType<typeof createTestSchemas>;
  readonly fatals: Error[];
  /** Partitions that stopped, and why. */
  readonly stopped: ReadonlyMap<number, string>;
  /** Values as they are, to one partition. */
  write(values: readonly (Buffer | null)[], partition?: number): Promise<void>;
  committed(): Promise<number[]>;
  deadLetters(): Promise<{ partition: number; value: string; headers: Record<string, string> }[]>;
  /** As main does on a signal. */
  stop(): Promise<void>;
}

export async function makeTopics(broker: MemoryBroker, partitions = 2, deadLetterConfig = {}): Promise<void> {
  const admin = await broker.client().admin();
  const spec = { partitions, replicationFactor: 1, config: {} };
  await admin.ensureTopics([
    { topic: TOPIC, ...spec },
    { topic: DEAD_LETTERS, ...spec, config: deadLetterConfig },
  ]);
}

/** The pipeline as main wires it, over the memory broker. */
export async function startRig(
  broker: MemoryBroker,
  store: RowStore = createMemoryRowStore(),
  more: Partial<Pick<PipelineDeps, 'limits' | 'failpoints' | 'clock'>> & { isMember?: () => boolean } = {},
  clientId = 'sink-0',
  maxBytes = 32 * 1024 * 1024,
): Promise<Rig> {
  const client = broker.client();
  const schemas = createTestSchemas();
  const producer = await client.producer({ clientId: 'test' });
  const admin = await client.admin();
  const fatals: Error[] = [];
  const stopped = new Map<number, string>();
  let loop: ConsumerLoop | undefined;
  const pipeline = createPipeline({
    cluster: await admin.clusterId(),
    topic: TOPIC,
    deadLetterTopic: DEAD_LETTERS,
    limits: { maxRows: 100, maxBytes: 1_000_000, lingerMs: 5, maxInserts: 2, pressedBytes: 1e9 },
    schemas,
    store,
    deadLetters: createDeadLetters({ producer, log: createLogger('sink', 'silent') }),
    log: createLog(client, TOPIC),
    progress: {
      settleTo: (range) => loop?.settleTo({ topic: TOPIC, ...range }),
      commitNow: async () => (await loop?.commitNow()) ?? 'failed',
      isMember: more.isMember ?? (() => true),
      release: (partition) => loop?.release(TOPIC, partition),
      stopPartition: (partition, why) => loop?.stopPartition(TOPIC, partition, why),
    },
    clock: systemClock,
    waitBefore: () => 2,
    sleep,
    failpoints: createFailpoints(undefined),
    metrics: createMetrics(CATALOGUE, false).m,
    logger: createLogger('sink', 'silent'),
    onFatal: (error) => fatals.push(error),
    ...more,
  });
  loop = createConsumerLoop({
    client,
    groupId: GROUP,
    topics: [TOPIC],
    clientId,
    maxBytes,
    inTurns: true,
    sessionTimeoutMs: 300,
    heartbeatIntervalMs: 50,
    handler: {
      ...pipeline.handler,
      onPartitionStopped: ({ partition }, why) => stopped.set(partition, why),
      onFatal: (error) => fatals.push(error),
    },
  });
  // The timers of the memory broker do not hold a process, and a join may wait for a dead member's session to run out.
  const holding = setInterval(() => {}, 1_000);
  await loop.start();
  clearInterval(holding);
  return {
    producer,
    loop,
    pipeline,
    schemas,
    fatals,
    stopped,
    async write(values, partition = 0) {
      await producer.send(values.map((value) => ({ topic: TOPIC, partition, key: CAMPAIGN, value })));
    },
    committed: async () => (await admin.committed(GROUP, TOPIC)).map(({ offset }) => offset),
    async deadLetters() {
      const bounds = await admin.logBounds(DEAD_LETTERS);
      const found: { partition: number; value: string; headers: Record<string, string> }[] = [];
      await client.readRanges({
        ranges: bounds.map(({ start, end }, partition) => ({ topic: DEAD_LETTERS, partition, from: start, to: end })),
        onRecord: ({ partition, value, headers }) =>
          void found.push({
            partition,
            value: value?.toString('latin1') ?? 'null',
            headers: Object.fromEntries(Object.entries(headers).map(([k, v]) => [k, v.toString()])),
          }),
      });
      return found;
    },
    async stop() {
      pipeline.flush();
      await loop.stop(5_000);
      pipeline.close();
      await client.close();
    },
  };
}
