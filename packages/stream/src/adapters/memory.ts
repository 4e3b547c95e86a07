import { createBatchWriter, WriteRejected, type WriterBackend } from '../batch-writer.ts';
import { GroupInUse, type StreamAdmin, type StreamClient, StreamUnavailable, TopicMissing } from '../port.ts';
import { SMALLEST_ENVELOPE_BYTES } from '../topic-directory.ts';
import { createMemoryConsumer, type MemoryNetwork } from './memory-consumer.ts';
import { createMemoryGroups } from './memory-groups.ts';
import { createMemoryLog, type MemoryLog } from './memory-log.ts';
import { followMemory, readMemoryRanges } from './memory-reading.ts';

export interface MemoryBroker {
  client(): StreamClient;
  /** Retention, or Kafka's deleteRecords: everything below `to` is gone. */
  truncate(topic: string, partition: number, to: number): void;
  /** Keeps the last record of each key, as the cleaner does at some time. */
  compact(topic: string): void;
  /** The broker is away: nothing is taken, delivered or committed. No session runs out meanwhile. */
  setAvailable(available: boolean): void;
  /** Cuts this clientId off: its session runs out, others take over, it does not know. */
  isolate(clientId: string): void;
  /** It reaches the broker again and learns what it missed. */
  reconnect(clientId: string): void;
}

/** The whole log in one process, with what makes Kafka hard: generations, stale commits, lost logs, late answers. */
export function createMemoryBroker(): MemoryBroker {
  const log = createMemoryLog();
  const groups = createMemoryGroups(log, () => available);
  const listeners = new Set<() => void>();
  const isolated = new Set<string>();
  let available = true;

  const network: MemoryNetwork = {
    reachable: (clientId) => available && !isolated.has(clientId),
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const changed = () => {
    for (const listener of listeners) listener();
  };

  return {
    client: () => createMemoryClient(log, groups, network),
    truncate: (topic, partition, to) => log.truncate(topic, partition, to),
    compact: (topic) => log.compact(topic),
    setAvailable(now) {
      available = now;
      changed();
    },
    isolate(clientId) {
      isolated.add(clientId);
    },
    reconnect(clientId) {
      isolated.delete(clientId);
      changed();
    },
  };
}

function createMemoryClient(
  log: MemoryLog,
  groups: ReturnType<typeof createMemoryGroups>,
  network: MemoryNetwork,
): StreamClient {
  const closers = new Set<() => Promise<void>>();
  const ask = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    if (!network.reachable('')) throw new StreamUnavailable('the log did not answer');
  };

  const admin: StreamAdmin = {
    async ensureTopics(specs) {
      await ask();
      const created = specs.filter((spec) => log.create(spec)).map(({ topic }) => topic);
      const mismatched = specs.flatMap(({ topic, partitions }) => {
        const found = log.topic(topic)?.partitions.length ?? 0;
        return found === partitions ? [] : [{ topic, partitions: found }];
      });
      return { created, mismatched };
    },
    async topicSettings(topics) {
      await ask();
      return new Map(
        topics.flatMap((topic) => [log.topic(topic)].flatMap((t) => (t ? [[topic, { ...t.config }]] : []))),
      );
    },
    async deleteTopics(topics) {
      await ask();
      for (const topic of topics) log.remove(topic);
    },
    async logBounds(topic) {
      await ask();
      const found = log.topic(topic);
      if (found === undefined) throw new TopicMissing([topic]);
      return found.partitions.map(({ start, end }) => ({ start, end }));
    },
    async offsetsAt(topic, atMs) {
      await ask();
      const found = log.topic(topic);
      if (found === undefined) throw new TopicMissing([topic]);
      return found.partitions.map(({ records, end }) => records.find((r) => r.timestampMs >= atMs)?.offset ?? end);
    },
    async committed(groupId, topic) {
      await ask();
      const found = log.topic(topic);
      if (found === undefined) throw new TopicMissing([topic]);
      return found.partitions.map((_, partition) => groups.committed(groupId, { topic, partition }));
    },
    async members(groupId) {
      await ask();
      return groups.members(groupId);
    },
    async setCommitted(groupId, entries) {
      await ask();
      if (!groups.setCommitted(groupId, entries)) throw new GroupInUse(groupId);
    },
    async deleteGroup(groupId) {
      await ask();
      if (!groups.remove(groupId)) throw new GroupInUse(groupId);
    },
    async clusterId() {
      await ask();
      return log.clusterId;
    },
    close: async () => {},
  };

  return {
    async producer(options) {
      const producer = createBatchWriter(options, {
        connect: async () => memoryBackend(log, network, options.clientId),
        async describe(topic) {
          await new Promise((resolve) => setImmediate(resolve));
          if (!network.reachable(options.clientId)) throw new StreamUnavailable('the log did not answer');
          const found = log.topic(topic);
          return found ? { partitions: found.partitions.length, maxRecordBytes: found.maxRecordBytes } : null;
        },
      });
      closers.add(() => producer.close());
      return producer;
    },
    consumer(options) {
      const consumer = createMemoryConsumer(log, groups, network, options);
      closers.add(() => consumer.stop());
      return consumer;
    },
    async follow(options) {
      const follower = followMemory(log, network, options);
      closers.add(() => follower.stop());
      return follower;
    },
    readRanges: (options) => readMemoryRanges(log, network, '', options),
    admin: async () => admin,
    async close() {
      await Promise.all([...closers].map((close) => close()));
      closers.clear();
    },
  };
}

function memoryBackend(log: MemoryLog, network: MemoryNetwork, clientId: string): WriterBackend {
  let abandoned = false;
  return {
    async send(topics) {
      await new Promise((resolve) => setImmediate(resolve));
      if (abandoned || !network.reachable(clientId)) throw new Error('the broker is away');
      const answers = [];
      let refused: string | undefined;
      for (const { topic, messages } of topics) {
        const found = log.topic(topic);
        const byPartition = Map.groupBy(messages, ({ partition }) => partition);
        for (const [partition, records] of byPartition) {
          // As in Kafka: each partition for itself, and what is refused here does not take back what was written there.
          const bytes = records.reduce((sum, { value }) => sum + (value?.length ?? 0), SMALLEST_ENVELOPE_BYTES);
          if (found === undefined || partition >= found.partitions.length) continue;
          if (bytes > found.maxRecordBytes) refused = 'MESSAGE_TOO_LARGE';
          else if (found.compacted && records.some(({ key }) => key === null)) refused = 'INVALID_RECORD';
          else answers.push({ topic, partition, errorCode: 0, baseOffset: log.append(topic, partition, records) });
        }
      }
      if (refused !== undefined) throw new WriteRejected(refused);
      await new Promise((resolve) => setImmediate(resolve));
      return answers;
    },
    close: async () => {},
    abandon() {
      abandoned = true;
    },
  };
}
