import {
  type CampaignEvent,
  createDecoder,
  createEncoder,
  DEFAULT_TOPIC_SETTINGS,
  type DeliveryEvent,
  groupsOf,
  type Message,
  type RecordName,
  tiersWithDelays,
  topicDefinitions,
  topicsOf,
} from '@volley/contract';
import { type Clock, createFailpoints, createLogger, type Failpoints, systemClock } from '@volley/runtime';
import { createConsumerLoop, type StreamRecord } from '@volley/stream';
import { createMemoryBroker, type MemoryBroker } from '@volley/stream/memory';
import { followCampaigns } from '../src/adapters/campaign-feed.ts';
import { createDeliveryLog } from '../src/adapters/delivery-log.ts';
import { createLedgerReader } from '../src/adapters/ledger-reader.ts';
import { createSchemas } from '../src/adapters/schemas.ts';
import { createSimulatedChannel } from '../src/adapters/simulated/channel.ts';
import { createRenderer } from '../src/adapters/templates.ts';
import type { GuardLimits } from '../src/core/dead-letter-guard.ts';
import type { RetryPolicy } from '../src/core/decide.ts';
import { createHints } from '../src/core/hints.ts';
import { createLedger } from '../src/core/ledger.ts';
import { createLimits, type LimitsOptions } from '../src/core/limits.ts';
import { createPipeline } from '../src/pipeline.ts';
import type { Channel, OutgoingMessage, Route, Routes, SendOutcome, Watch } from '../src/ports.ts';
import { createTestSchemas, headersOf } from './fixtures.ts';

export * from './fixtures.ts';

export const PARTITIONS = 3;
export const topics = topicsOf('t');
const log = createLogger('dispatcher-test', 'silent');
const IDS: Readonly<Record<RecordName, number>> = { CampaignEvent: 1, Message: 2, DeliveryEvent: 3 };

export interface Sent {
  readonly message: OutgoingMessage;
  readonly attempt: number;
  readonly atMs: number;
}

/** Remembers each call; `answer` decides, accepted at once by default. */
export function recordingChannel(
  answer: (message: OutgoingMessage, attempt: number) => SendOutcome | Promise<SendOutcome> = () => ({
    ok: true,
    detail: 'ok',
  }),
): Channel & { readonly sent: Sent[] } {
  const sent: Sent[] = [];
  return {
    sent,
    async send(message, { attempt }) {
      sent.push({ message, attempt, atMs: performance.now() });
      return answer(message, attempt);
    },
    close: async () => {},
  };
}

/** Messages of lanes, tiers and held. */
export const recordTopics = [...Object.values(topics.messages), ...topics.retry, topics.held];

export interface World {
  readonly broker: MemoryBroker;
  readonly schemas: ReturnType<typeof createTestSchemas>;
  campaign(event: CampaignEvent): Promise<void>;
  messages(partition: number, messages: readonly Message[], to?: MessagesTo): Promise<void>;
  raw(
    partition: number,
    value: Buffer | null,
    headers?: Record<string, string | Buffer>,
    key?: string | null,
    topic?: string,
  ): Promise<void>;
  records(topic: string): Promise<StreamRecord[]>;
  events(): Promise<{ event: DeliveryEvent; record: StreamRecord }[]>;
  deadLetters(): Promise<StreamRecord[]>;
  committed(topic?: string): Promise<number[]>;
  /** Every record of every lane, tier and held is settled and committed. */
  allSettled(): Promise<boolean>;
}

export interface MessagesTo {
  readonly topic?: string;
  readonly headers?: Record<string, string>;
}

export async function createWorld(): Promise<World> {
  const broker = createMemoryBroker();
  const client = broker.client();
  const admin = await client.admin();
  await admin.ensureTopics(topicDefinitions(topics, { ...DEFAULT_TOPIC_SETTINGS, partitions: PARTITIONS }));
  const producer = await client.producer({ clientId: 'test' });
  const encodeCampaign = createEncoder('CampaignEvent', IDS.CampaignEvent);
  const encodeMessage = createEncoder('Message', IDS.Message);
  const schemas = createTestSchemas();
  const reader = createTestSchemas();
  for (const id of Object.values(IDS)) await reader.store.load(id);
  const decode = createDecoder('DeliveryEvent', reader.store);

  const readAll = async (topic: string): Promise<StreamRecord[]> => {
    const bounds = await admin.logBounds(topic);
    const ranges = bounds.flatMap(({ start, end }, partition) =>
      end > start ? [{ topic, partition, from: start, to: end }] : [],
    );
    const records: StreamRecord[] = [];
    if (ranges.length > 0) await client.readRanges({ ranges, onRecord: (record) => void records.push(record) });
    return records;
  };

  return {
    broker,
    schemas,
    async campaign(event) {
      const value = encodeCampaign(event);
      await producer.send([{ topic: topics.campaigns, partition: 0, key: event.campaign_id, value }]);
    },
    async messages(partition, messages, to = {}) {
      await producer.send(
        messages.map((m) => ({
          topic: to.topic ?? topics.messages.bulk,
          partition,
          key: m.campaign_id,
          value: encodeMessage(m),
          headers: { ...headersOf(m), ...to.headers },
        })),
      );
    },
    async raw(partition, value, headers = {}, key = null, topic = topics.messages.bulk) {
      await producer.send([{ topic, partition, key, value, headers }]);
    },
    records: readAll,
    async events() {
      return (await readAll(topics.deliveries)).map((record) => {
        const decoded = decode(record.value);
        if (!decoded.ok) throw new Error(`undecodable event: ${decoded.reason}`);
        return { event: decoded.value, record };
      });
    },
    deadLetters: () => readAll(topics.dlq),
    async committed(topic = topics.messages.bulk) {
      const all = await admin.committed(groupsOf('t').dispatcher, topic);
      return all.map(({ offset }) => offset);
    },
    async allSettled() {
      for (const topic of recordTopics) {
        const bounds = await admin.logBounds(topic);
        const committed = await admin.committed(groupsOf('t').dispatcher, topic);
        if (bounds.some(({ end }, i) => end > Math.max(0, committed[i]?.offset ?? 0))) return false;
      }
      return true;
    },
  };
}

export interface DispatcherOptions {
  readonly clientId?: string;
  readonly channel?: Channel;
  readonly kind?: Route['kind'];
  readonly concurrency?: number;
  readonly ratePerSecond?: number;
  readonly slots?: number;
  readonly failpoints?: Failpoints;
  readonly sendDeadlineMs?: number;
  readonly retryBaseMs?: number;
  readonly sessionTimeoutMs?: number;
  readonly policy?: Partial<RetryPolicy>;
  /** Of the four tiers; default 40, 80, 120 and 160 ms. */
  readonly delaysMs?: readonly number[];
  readonly standMs?: number;
  readonly pauseGraceMs?: number;
  readonly guard?: GuardLimits;
  readonly limits?: Partial<LimitsOptions>;
  readonly random?: () => number;
  readonly clock?: Clock;
  readonly routes?: Routes;
}

export const TEST_POLICY: RetryPolicy = {
  maxAttempts: 4,
  classAttempts: {},
  memoryAttempts: 4,
  memoryMs: 60_000,
  patienceMs: 3_600_000,
};

/** One dispatcher process over the memory broker: the real adapters, without admin server and signals. */
export async function startDispatcher(world: World, options: DispatcherOptions = {}) {
  const clientId = options.clientId ?? 'd0';
  const client = world.broker.client();
  const sessionTimeoutMs = options.sessionTimeoutMs ?? 10_000;
  const schemas = createSchemas({ store: world.schemas.store, random: Math.random, log });
  const channel =
    options.channel ??
    createSimulatedChannel({
      url: 'simulated:?min_ms=1&max_ms=3',
      now: systemClock.now,
      monotonicMs: systemClock.monotonicMs,
    });
  const kind = options.kind ?? 'simulated';
  const route: Route = {
    name: kind,
    kind,
    from: undefined,
    ratePerSecond: options.ratePerSecond,
    concurrency: options.concurrency ?? Number.POSITIVE_INFINITY,
    channel,
  };
  const fatal: Error[] = [];
  const counts = { unattributed: 0, late: 0, repeats: 0 };
  const tests: string[] = [];
  const stopped: string[] = [];
  const watch: Watch = {
    attempt() {},
    recorded() {},
    kept() {},
    unattributed: () => void counts.unattributed++,
    lateAnswer: () => void counts.late++,
    skippedRepeat: () => void counts.repeats++,
    test: (end) => void tests.push(end),
  };
  const deliveryLog = createDeliveryLog({
    producer: await client.producer({ clientId: `${clientId}-events` }),
    deliveriesTopic: topics.deliveries,
    deliveriesSchemaId: IDS.DeliveryEvent,
    dlqTopic: topics.dlq,
    random: Math.random,
    log,
  });
  const ledger = createLedger();
  const hints = createHints(ledger);
  const ledgerReader = createLedgerReader({
    client,
    deliveriesTopic: topics.deliveries,
    store: world.schemas.store,
    schemas,
    ledger,
    hints,
    onOpen: (number) => pipeline.onLedgerOpen(number),
    onUndecodable: () => void fatal.push(new Error('an event cannot be read')),
    onRead() {},
    monotonicMs: systemClock.monotonicMs,
    random: Math.random,
    log,
  });
  const limits = createLimits(options.limits);
  const pipeline = createPipeline({
    decode: createDecoder('Message', world.schemas.store),
    schemas,
    renderer: createRenderer(),
    routes: options.routes ?? { find: (name) => (name === kind ? route : undefined) },
    limits,
    ledger,
    hints,
    topics,
    tiers: tiersWithDelays(options.delaysMs ?? [40, 80, 120, 160]),
    policy: { ...TEST_POLICY, ...options.policy },
    log: deliveryLog,
    assignment: {
      settle: (tracked) => loop.settle(tracked as Parameters<typeof loop.settle>[0]),
      currentEpoch: () => loop.currentEpoch(),
      lastHeartbeatMs: () => loop.lastHeartbeatMs(),
      commitNow: () => loop.commitNow(),
      stopPartition: (topic, partition, why) => loop.stopPartition(topic, partition, why),
    },
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    failpoints: options.failpoints ?? createFailpoints(undefined),
    watch,
    slots: options.slots ?? 64,
    retryBaseMs: options.retryBaseMs ?? 10,
    retryCapMs: Math.max(100, options.retryBaseMs ?? 0),
    sendDeadlineMs: options.sendDeadlineMs ?? 8_000,
    sessionTimeoutMs,
    ...(options.standMs === undefined ? {} : { standMs: options.standMs }),
    ...(options.pauseGraceMs === undefined ? {} : { pauseGraceMs: options.pauseGraceMs }),
    ...(options.guard === undefined ? {} : { guard: options.guard }),
    onFatal: (error) => void fatal.push(error),
  });
  const loop = createConsumerLoop({
    client,
    groupId: groupsOf('t').dispatcher,
    topics: recordTopics,
    clientId,
    commitIntervalMs: 20,
    sessionTimeoutMs,
    heartbeatIntervalMs: Math.min(1_000, sessionTimeoutMs / 5),
    handler: {
      onRecords: (records, logEnd) => pipeline.onRecords(records, logEnd),
      onAssigned(partitions) {
        ledgerReader.assigned(partitions);
        pipeline.onAssigned(partitions);
      },
      onRevoked() {
        ledgerReader.revoked();
        pipeline.onRevoked();
      },
      metadata: ({ topic, partition }, watermark, isLast) => hints.metadata(topic, partition, watermark, isLast),
      onPartitionStopped: ({ topic, partition }, why) => void stopped.push(`${topic}/${partition}: ${why}`),
      onFatal: (error) => void fatal.push(error),
    },
  });
  const feed = await followCampaigns({
    client,
    topic: topics.campaigns,
    clientId: `${clientId}-campaigns`,
    decode: createDecoder('CampaignEvent', world.schemas.store),
    schemas,
    onEvent: (event) => pipeline.onCampaign(event),
    onRemoved: (campaignId) => pipeline.onCampaignRemoved(campaignId),
    onUnreadable() {},
    onFatal: (error) => void fatal.push(error),
    log,
  });
  await feed.caughtUp;
  await loop.start();
  const ticks = setInterval(() => pipeline.tick(), 10).unref();

  const parts = [clientId, `${clientId}-events`, `${clientId}-campaigns`];
  const stop = async (drainMs = 2_000) => {
    const clean = await pipeline.stop(drainMs);
    await loop.stop(0);
    clearInterval(ticks);
    ledgerReader.close();
    deliveryLog.close();
    schemas.close();
    await feed.stop();
    await channel.close();
    await client.close();
    return clean;
  };

  return {
    pipeline,
    loop,
    fatal,
    counts,
    tests,
    stopped,
    limits,
    deliveryLog,
    stop,
    /** As SIGKILL: from here on it reaches nobody. Its session runs out by itself. */
    crash() {
      clearInterval(ticks);
      for (const part of parts) world.broker.isolate(part);
    },
    /** The group notices the crash at once, as when a restart in the same slot removes its predecessor. */
    async noticed() {
      const none = () => {};
      const events = { onBatch: none, onAssigned: none, onRevoked: none, onFatal: none };
      const groupId = groupsOf('t').dispatcher;
      const probe = world.broker.client().consumer({ groupId, topics: recordTopics, clientId, events });
      void probe.start();
      await probe.stop();
    },
    /** After `crash` or `cutOff`, and after the assertions: what is left of it in this process. */
    async discard() {
      for (const part of parts) world.broker.reconnect(part);
      await stop(0);
    },
    /** The group does not hear it any more, nor it the group; the log still takes what it writes. */
    cutOff: () => world.broker.isolate(clientId),
  };
}
