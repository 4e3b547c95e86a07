import type { Cluster, KafkaMessage } from 'kafkajs';
import type { StreamRecord, TopicPartition } from '../port.ts';
import { errorType, type Log } from './kafka-connection.ts';
import { toRecords } from './kafka-record.ts';

interface FetchedPartition {
  partition: number;
  errorCode: number;
  highWatermark: string;
  messages: (KafkaMessage & { isControlRecord?: boolean })[];
}

export interface Cursor extends TopicPartition {
  next: number;
  /** Reading ends here. Infinity: never. */
  readonly until: number;
}

const MAX_BYTES_PER_PARTITION = 512 * 1024;
const MAX_BYTES = 4 * 1024 * 1024;
/** A broker that restarts or a leader that moves costs a few answers: only what goes on is said. */
const FAILURES_BEFORE_LOG = 5;
const MAX_PAUSE_MS = 1_000;
const MAX_CURSORS_SAID = 12;

const isDoubling = (n: number) => n >= 1 && Number.isInteger(Math.log2(n));

export interface FetchLoop {
  /** Resolves when every cursor is at its end or `stop` was called; rejects when the log lost a cursor's position. */
  readonly finished: Promise<void>;
  stop(): Promise<void>;
}

/**
 * Reads partitions without a group: no joining, no offsets that outlive it. One long poll per broker at a time, of `waitMsFor`
 * as many brokers: what comes to one of several waits for the answers of the others.
 * `onRecord` gets records of a partition in offset order; `onProgress` runs after every answer, also an empty one.
 */
export function fetchLoop(
  cluster: Cluster,
  cursors: readonly Cursor[],
  waitMsFor: (brokers: number) => number,
  onRecord: (record: StreamRecord) => void,
  onProgress: () => void,
  log: Log,
): FetchLoop {
  let running = true;
  let failuresInARow = 0;
  let broken: unknown;
  /** Got nothing although the broker has more: asked alone next, when no other partition can use up the answer. */
  const starved = new Set<Cursor>();

  function handOver(record: StreamRecord): void {
    try {
      onRecord(record);
    } catch (error) {
      broken = error;
      running = false;
    }
  }

  async function read(nodeId: string, asked: readonly Cursor[], maxWaitMs: number): Promise<void> {
    const broker = await cluster.findBroker({ nodeId });
    const topics = new Map<string, { partition: number; fetchOffset: string; maxBytes: number }[]>();
    for (const { topic, partition, next } of asked) {
      const list = topics.get(topic) ?? [];
      topics.set(topic, list);
      list.push({ partition, fetchOffset: String(next), maxBytes: MAX_BYTES_PER_PARTITION });
    }
    const { responses } = (await broker.fetch({
      isolationLevel: 0,
      maxWaitTime: maxWaitMs,
      minBytes: 1,
      maxBytes: MAX_BYTES,
      topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })),
    })) as { responses: { topicName: string; partitions: FetchedPartition[] }[] };
    if (!running) return;
    for (const { topicName, partitions } of responses) {
      for (const fetched of partitions) {
        const cursor = asked.find(({ topic, partition }) => topic === topicName && partition === fetched.partition);
        if (cursor === undefined) continue;
        const from = cursor.next;
        const wanted: FetchedPartition['messages'] = [];
        for (const message of fetched.messages) {
          const offset = Number(message.offset);
          // A batch is answered whole, also the part of it that lies before the position.
          if (offset < from) continue;
          cursor.next = Math.min(offset + 1, cursor.until);
          if (offset >= cursor.until) break;
          if (message.isControlRecord !== true) wanted.push(message);
        }
        for (const record of toRecords(topicName, cursor.partition, wanted)) {
          handOver(record);
          if (!running) return;
        }
        const nothing = cursor.next === from && Number(fetched.highWatermark) > from;
        // Asked alone, nothing came, and there should be something: the cleaner left a batch without records, which
        // kafkajs does not tell us of and would ask for again for ever.
        if (nothing && asked.length === 1) cursor.next = from + 1;
        else if (nothing) starved.add(cursor);
      }
    }
    onProgress();
  }

  async function run(): Promise<void> {
    while (running) {
      const open = cursors.filter(({ next, until }) => next < until);
      if (open.length === 0) return;
      try {
        await cluster.refreshMetadataIfNecessary();
        const [alone] = starved;
        if (alone !== undefined) starved.delete(alone);
        const byNode = leaders(alone === undefined ? open : [alone]);
        const waitMs = waitMsFor(byNode.size);
        await Promise.all([...byNode].map(([nodeId, asked]) => read(nodeId, asked, waitMs)));
        failuresInARow = 0;
      } catch (error) {
        if (!running) break;
        if (errorType(error) === 'OFFSET_OUT_OF_RANGE') throw error;
        failuresInARow += 1;
        // At 5, 10, 20, …: an answer that can never be read would otherwise be a reader that stands still in silence.
        if (isDoubling(failuresInARow / FAILURES_BEFORE_LOG)) {
          const at = open
            .map(({ topic, partition, next }) => `${topic} ${partition}@${next}`)
            .slice(0, MAX_CURSORS_SAID);
          log('error', 'reading fails again and again', { failuresInARow, error: String(error), at });
        }
        await new Promise((resolve) => setTimeout(resolve, Math.min(MAX_PAUSE_MS, 50 * 2 ** (failuresInARow >> 2))));
        const { host, port } = error as { host?: string; port?: number };
        if (host !== undefined && port !== undefined) cluster.removeBroker({ host, port });
        await cluster.refreshMetadata().catch(() => {});
      }
    }
    if (broken !== undefined) throw broken;
  }

  function leaders(open: readonly Cursor[]): Map<string, Cursor[]> {
    const byNode = new Map<string, Cursor[]>();
    for (const cursor of open) {
      const [nodeId] = Object.keys(cluster.findLeaderForPartitions(cursor.topic, [cursor.partition]));
      if (nodeId === undefined) throw new Error(`no leader of ${cursor.topic} ${cursor.partition} is known`);
      const list = byNode.get(nodeId);
      if (list === undefined) byNode.set(nodeId, [cursor]);
      else list.push(cursor);
    }
    return byNode;
  }

  const finished = run();
  finished.catch(() => {});
  return {
    finished,
    async stop() {
      running = false;
      await finished.catch(() => {});
    },
  };
}
