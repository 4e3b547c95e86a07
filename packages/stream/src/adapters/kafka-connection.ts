import { createRequire } from 'node:module';
import net from 'node:net';
import kafkajs, { type Cluster, type Kafka, type LogEntry, type RetryOptions } from 'kafkajs';
import { TopicMissing } from '../port.ts';
import { keepTimeMonotonically } from './kafka-clock.ts';
import { registerCodecs } from './kafka-compression.ts';
import { readHeadersInOneGo } from './kafka-headers.ts';
import { readRecordsInOneGo } from './kafka-unbatch.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type Log = (level: LogLevel, message: string, fields: Record<string, unknown>) => void;

export interface KafkaSettings {
  readonly brokers: readonly string[];
  readonly log: Log;
}

export interface Connection {
  readonly kafka: Kafka;
  /** Cuts all sockets and lets no new one be made: what kafkajs still retries reaches no broker any more, and ends. */
  abandon(): void;
}

/**
 * Long enough for a broker that restarts (seconds) and for one that is away for minutes: ending the process would not
 * bring it back. kafkajs counts retries over the whole life of a fetch loop, so the number is generous.
 */
export const PATIENT_RETRY: RetryOptions = { initialRetryTime: 20, multiplier: 2, maxRetryTime: 1_000, retries: 600 };
/** For questions that are repeated by us. */
export const SHORT_RETRY: RetryOptions = { initialRetryTime: 20, multiplier: 2, maxRetryTime: 250, retries: 5 };

/** One kafkajs instance each: instances share the committed offsets of a group among all their consumers. */
export function openKafka(settings: KafkaSettings, clientId: string, retry: RetryOptions): Connection {
  stopIdleTimers();
  keepTimeMonotonically();
  registerCodecs();
  readHeadersInOneGo();
  const sockets = new Set<net.Socket>();
  let abandoned = false;
  const kafka = new kafkajs.Kafka({
    // An empty list is the one answer to a reconnect that kafkajs takes for final.
    brokers: async () => (abandoned ? [] : [...settings.brokers]),
    clientId,
    retry,
    connectionTimeout: 3_000,
    // A request lost on a connection that stays open is noticed after this; a closed one at once.
    requestTimeout: 10_000,
    logLevel: kafkajs.logLevel.WARN,
    logCreator: () => (entry: LogEntry) => {
      const { message, timestamp: _, logger: __, stack: ___, ...fields } = entry.log;
      // What we cut off ourselves is no news, and neither is that retries are counted: they outlast every deadline.
      if (abandoned || message.startsWith('Limiting retries')) return;
      // kafkajs says "error" for what it is about to retry.
      settings.log('warn', message, { kafkajs: entry.namespace, clientId, ...fields });
    },
    socketFactory: ({ host, port, onConnect }) => {
      if (abandoned) throw new Error('abandoned');
      const socket = net.connect({ host, port }, onConnect);
      socket.setKeepAlive(true, 60_000);
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      return socket;
    },
  });
  return {
    kafka,
    abandon() {
      abandoned = true;
      for (const socket of sockets) socket.destroy(new Error('abandoned'));
    },
  };
}

export interface ClusterHandle {
  readonly cluster: Cluster;
  close(): Promise<void>;
}

/**
 * kafkajs' own cluster object (brokers, leaders, requests), for what its clients cannot do: reading without a group.
 * It is handed to an assigner's factory when a consumer is made; this consumer never joins.
 */
export async function openCluster(settings: KafkaSettings, clientId: string, topics: string[]): Promise<ClusterHandle> {
  readRecordsInOneGo();
  const connection = openKafka(settings, clientId, SHORT_RETRY);
  let cluster: Cluster | undefined;
  const consumer = connection.kafka.consumer({
    groupId: `${clientId}-without-group`,
    allowAutoTopicCreation: false,
    readUncommitted: true,
    retry: SHORT_RETRY,
    partitionAssigners: [
      (given) => {
        cluster = given.cluster;
        return kafkajs.PartitionAssigners.roundRobin(given);
      },
    ],
  });
  if (cluster === undefined) throw new Error('kafkajs made a consumer without its assigner');
  try {
    await consumer.connect();
    await learnTopics(cluster, topics);
  } catch (error) {
    connection.abandon();
    throw error;
  }
  return {
    cluster,
    async close() {
      await within(1_000, consumer.disconnect());
      connection.abandon();
    },
  };
}

/** Waits for work, but not for longer than this. Its failure is not ours: we are leaving. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    work.catch(() => {}),
    new Promise((resolve) => {
      timer = setTimeout(resolve, ms);
    }),
  ]);
  clearTimeout(timer);
}

interface RequestQueue {
  pending: unknown[];
}

let idleTimersStopped = false;

/**
 * kafkajs 2.2.4 checks for pending requests once a millisecond and connection even when there are none: 924 wake-ups
 * and 24 ms of CPU a second each (tulios/kafkajs#1751). With nothing pending there is nothing to check: a request that
 * is put there later starts the timer by itself.
 */
function stopIdleTimers(): void {
  if (idleTimersStopped) return;
  idleTimersStopped = true;
  const load = createRequire(import.meta.url);
  const { prototype } = load('kafkajs/src/network/requestQueue/index.js') as {
    prototype: { scheduleCheckPendingRequests(this: RequestQueue): void };
  };
  const original = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) original.call(this);
  };
}

/** The protocol's name of an error, wherever kafkajs put it. */
export function errorType(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { type } = at as Error & { type?: unknown };
    if (typeof type === 'string') return type;
  }
  return undefined;
}

/** Whether kafkajs holds that trying again may help: said by the innermost error. */
export function isPassing(error: unknown): boolean {
  let passing = false;
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    passing = (at as Error & { retriable?: unknown }).retriable === true;
    if (at.name === 'KafkaJSNumberOfRetriesExceeded') return true;
  }
  return passing;
}

/** A topic that was just made is not known to every broker at once, nor is any to one that was just started. */
const GRACE_MS = 3_000;
const PAUSE_MS = 200;

export const isUnknownTopic = (error: unknown): boolean => errorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION';

/** Makes a cluster object learn these topics. Rejects with TopicMissing: the log's own answer does not say which one it is. */
export async function learnTopics(cluster: Cluster, topics: readonly string[], graceMs = GRACE_MS): Promise<void> {
  const untilMs = performance.now() + graceMs;
  for (;;) {
    const missing = await unknownAmong(cluster, topics);
    if (missing.length === 0) return;
    if (performance.now() >= untilMs) throw new TopicMissing(missing);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function unknownAmong(cluster: Cluster, topics: readonly string[]): Promise<string[]> {
  try {
    await cluster.addMultipleTargetTopics([...topics]);
    return [];
  } catch (error) {
    if (!isUnknownTopic(error)) throw error;
  }
  const unknown: string[] = [];
  for (const topic of topics) {
    try {
      await cluster.addMultipleTargetTopics([topic]);
    } catch (error) {
      if (!isUnknownTopic(error)) throw error;
      unknown.push(topic);
    }
  }
  return unknown;
}
