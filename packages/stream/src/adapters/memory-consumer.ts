import { randomUUID } from 'node:crypto';
import {
  type ConsumerOptions,
  type RecordBatch,
  type StreamConsumer,
  TopicMissing,
  type TopicPartition,
} from '../port.ts';
import type { MemoryGroups } from './memory-groups.ts';
import { type MemoryLog, payloadBytes } from './memory-log.ts';

export interface MemoryNetwork {
  /** Whether this clientId reaches the broker now. */
  reachable(clientId: string): boolean;
  /** Called when that may have changed. Returns how to stop. */
  watch(listener: () => void): () => void;
}

const MAX_ROUND_BYTES = 8 * 1024 * 1024;

export function createMemoryConsumer(
  log: MemoryLog,
  groups: MemoryGroups,
  network: MemoryNetwork,
  options: ConsumerOptions,
): StreamConsumer {
  const { groupId, clientId, events } = options;
  const memberId = `${clientId}-${randomUUID()}`;
  const maxBytesPerPartition = options.maxBytesPerPartition ?? 512 * 1024;
  const sessionTimeoutMs = options.sessionTimeoutMs ?? 10_000;

  let epoch = 0;
  let generation = -1;
  let live = false;
  let positions = new Map<string, Map<number, number>>();
  let owned: readonly number[] = [];
  let paused = new Set<string>();
  let busy = false;
  let again = false;
  let behind = 0;
  let heartbeatAtMs = performance.now();
  let stopping: Promise<void> | undefined;
  let joined: (() => void) | undefined;
  let unwatch: (() => void)[] = [];
  let heartbeats: NodeJS.Timeout | undefined;

  const key = (topic: string, partition: number) => `${topic} ${partition}`;
  const reachable = () => stopping === undefined && network.reachable(clientId);

  function revoke(): void {
    if (live) events.onRevoked(epoch);
    live = false;
    epoch += 1;
  }

  function onAssigned(newGeneration: number, assigned: TopicPartition[]): void {
    revoke();
    generation = newGeneration;
    paused = new Set();
    positions = new Map();
    owned = [...new Set(assigned.map(({ partition }) => partition))];
    const withOffsets = assigned.map(({ topic, partition }) => {
      const { offset: committed, metadata } = groups.committed(groupId, { topic, partition });
      const { start, end } = log.partition(topic, partition) ?? { start: 0, end: 0 };
      const ofTopic = positions.get(topic) ?? new Map<number, number>();
      positions.set(topic, ofTopic.set(partition, committed >= start && committed <= end ? committed : start));
      return { topic, partition, committed, metadata, logEnd: end };
    });
    heartbeatAtMs = performance.now();
    live = true;
    events.onAssigned(epoch, withOffsets);
    joined?.();
    wake();
  }

  function wake(): void {
    if (!live || !reachable()) return;
    // What happens during a round may be too late for it.
    again = busy;
    if (busy) return;
    busy = true;
    setImmediate(fetch);
  }

  /** A round trip: what is fetched in one turn arrives in the next, also when its partition was paused in between. */
  function fetch(): void {
    const fetched: RecordBatch[] = [];
    let bytes = 0;
    for (const [topic, ofTopic] of positions) {
      for (const [partition, position] of ofTopic) {
        if (paused.has(key(topic, partition)) || bytes > MAX_ROUND_BYTES) continue;
        const found = log.partition(topic, partition);
        if (found === undefined) continue;
        const records = log.read(topic, partition, Math.max(position, found.start), maxBytesPerPartition);
        if (records.length === 0) continue;
        for (const record of records) bytes += payloadBytes(record);
        fetched.push({ topic, partition, epoch, records, logEnd: found.end });
      }
    }
    setImmediate(deliver, fetched);
  }

  function deliver(fetched: readonly RecordBatch[]): void {
    busy = false;
    for (const batch of fetched) {
      if (!live || batch.epoch !== epoch || !reachable()) break;
      const last = batch.records[batch.records.length - 1];
      positions.get(batch.topic)?.set(batch.partition, (last?.offset ?? -1) + 1);
      try {
        events.onBatch(batch);
      } catch (error) {
        revoke();
        groups.leave(groupId, memberId);
        events.onFatal(error as Error);
        return;
      }
    }
    if (again || fetched.length > 0) wake();
  }

  function onNetwork(): void {
    heartbeat();
    wake();
  }

  function heartbeat(): void {
    if (!reachable()) return;
    heartbeatAtMs = performance.now();
    const answer = groups.heartbeat(groupId, memberId, generation);
    // Behind once is a rebalance under way; twice, and its messages went by while we were cut off.
    behind = answer === 'behind' ? behind + 1 : 0;
    if (answer === 'known' || behind === 1) return;
    behind = 0;
    revoke();
    groups.leave(groupId, memberId);
    join();
  }

  function join(): void {
    groups.join(groupId, {
      id: memberId,
      clientId,
      topics: options.topics,
      sessionTimeoutMs,
      reachable,
      owned: () => owned,
      exclusive: options.exclusive === true,
      onRebalance() {
        revoke();
        // The join follows what was committed while the assignment was given up.
        setImmediate(() => groups.rejoin(groupId, memberId));
      },
      onAssigned,
    });
  }

  return {
    async start() {
      const missing = options.topics.filter((topic) => log.topic(topic) === undefined);
      if (missing.length > 0) throw new TopicMissing(missing);
      groups.removeByClientId(groupId, clientId);
      unwatch = [log.watch(wake), network.watch(onNetwork)];
      heartbeats = setInterval(heartbeat, options.heartbeatIntervalMs ?? 1_000);
      heartbeats.unref();
      const assigned = new Promise<void>((resolve) => {
        joined = resolve;
      });
      join();
      await assigned;
    },
    pause(partitions) {
      if (live) for (const { topic, partition } of partitions) paused.add(key(topic, partition));
    },
    resume(partitions) {
      if (!live) return;
      for (const { topic, partition } of partitions) paused.delete(key(topic, partition));
      wake();
    },
    async commit(ofEpoch, entries) {
      if (!live || ofEpoch !== epoch) return 'stale';
      if (entries.length === 0) return 'committed';
      const under = generation;
      await new Promise((resolve) => setImmediate(resolve));
      if (!network.reachable(clientId)) return 'failed';
      return groups.commit(groupId, memberId, under, entries);
    },
    lastHeartbeatMs: () => heartbeatAtMs,
    stop() {
      stopping ??= (async () => {
        live = false;
        clearInterval(heartbeats);
        for (const stop of unwatch) stop();
        await new Promise((resolve) => setImmediate(resolve));
        groups.leave(groupId, memberId);
        joined?.();
      })();
      return stopping;
    },
  };
}
