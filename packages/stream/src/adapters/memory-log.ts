import { randomUUID } from 'node:crypto';
import type { OutgoingMessage } from '../batch-writer.ts';
import type { StreamRecord, TopicSpec } from '../port.ts';

export interface MemoryTopic {
  readonly config: Readonly<Record<string, string>>;
  readonly partitions: MemoryPartition[];
  readonly maxRecordBytes: number;
  readonly compacted: boolean;
}

export interface MemoryPartition {
  start: number;
  end: number;
  /** In offset order; compaction leaves holes. */
  records: StreamRecord[];
}

export interface MemoryLog {
  readonly clusterId: string;
  create(spec: TopicSpec): boolean;
  remove(topic: string): boolean;
  topic(name: string): MemoryTopic | undefined;
  partition(topic: string, partition: number): MemoryPartition | undefined;
  append(topic: string, partition: number, messages: readonly OutgoingMessage[]): number;
  /** From the first record at or after `from`, at least one if there is one, up to `maxBytes`. */
  read(topic: string, partition: number, from: number, maxBytes: number): StreamRecord[];
  truncate(topic: string, partition: number, to: number): void;
  compact(topic: string): void;
  /** Called after every append. Returns how to stop. */
  watch(listener: () => void): () => void;
}

/** As a broker has it by default: 1 MiB and the batch overhead. */
const DEFAULT_MAX_RECORD_BYTES = 1_048_588;
const TOPIC_NAME = /^[a-zA-Z0-9._-]{1,249}$/;

/** The bytes a record brings along, without the format's own. */
export function payloadBytes(record: StreamRecord): number {
  let bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const name in record.headers) bytes += name.length + (record.headers[name]?.length ?? 0);
  return bytes;
}

export function createMemoryLog(): MemoryLog {
  const topics = new Map<string, MemoryTopic>();
  const listeners = new Set<() => void>();

  function indexOf(records: readonly StreamRecord[], offset: number): number {
    let low = 0;
    let high = records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((records[middle] as StreamRecord).offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  const partitionOf = (topic: string, partition: number) => topics.get(topic)?.partitions[partition];

  return {
    clusterId: `memory-${randomUUID()}`,
    create({ topic, partitions, config }) {
      if (topics.has(topic)) return false;
      if (!TOPIC_NAME.test(topic)) throw new RangeError(`${topic} is no name for a topic`);
      topics.set(topic, {
        partitions: Array.from({ length: partitions }, () => ({ start: 0, end: 0, records: [] })),
        config,
        maxRecordBytes: Number(config['max.message.bytes'] ?? DEFAULT_MAX_RECORD_BYTES),
        compacted: (config['cleanup.policy'] ?? 'delete').includes('compact'),
      });
      return true;
    },
    remove: (topic) => topics.delete(topic),
    topic: (name) => topics.get(name),
    partition: partitionOf,
    append(topic, partition, messages) {
      const log = partitionOf(topic, partition) as MemoryPartition;
      const baseOffset = log.end;
      const timestampMs = Date.now();
      for (const { key, value, headers } of messages) {
        // Copies, as a wire makes them: the sender may reuse its buffers.
        log.records.push({
          topic,
          partition,
          offset: log.end,
          key: key === null ? null : Buffer.from(key as Buffer),
          value: value === null ? null : Buffer.from(value),
          headers: Object.fromEntries(
            Object.entries(headers ?? {}).map(([name, bytes]) => [name, Buffer.from(bytes as Buffer)]),
          ),
          timestampMs,
        });
        log.end += 1;
      }
      for (const listener of listeners) listener();
      return baseOffset;
    },
    read(topic, partition, from, maxBytes) {
      const log = partitionOf(topic, partition);
      if (log === undefined) return [];
      const first = indexOf(log.records, from);
      let bytes = 0;
      let last = first;
      for (; last < log.records.length; last++) {
        bytes += payloadBytes(log.records[last] as StreamRecord);
        if (bytes > maxBytes && last > first) break;
      }
      return log.records.slice(first, last);
    },
    truncate(topic, partition, to) {
      const log = partitionOf(topic, partition);
      if (log === undefined || to <= log.start) return;
      log.start = Math.min(to, log.end);
      log.records = log.records.slice(indexOf(log.records, log.start));
    },
    compact(topic) {
      for (const log of topics.get(topic)?.partitions ?? []) {
        const latest = new Map(log.records.map((record) => [record.key?.toString('latin1'), record.offset]));
        const last = log.records[log.records.length - 1];
        // The last record stays, tombstone or not: the active segment is never cleaned.
        log.records = log.records.filter(
          (record) =>
            record === last || (latest.get(record.key?.toString('latin1')) === record.offset && record.value !== null),
        );
      }
    },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
