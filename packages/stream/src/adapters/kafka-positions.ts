import type { Cluster } from 'kafkajs';
import { type AssignedPartition, StreamUnavailable, TopicMissing, type TopicPartition } from '../port.ts';

export interface Position extends AssignedPartition {
  /** Where to read from: the committed offset if the log has it, else the log's first. */
  readonly position: number;
}

export interface Committed extends TopicPartition {
  readonly offset: number;
  readonly metadata: string;
}

/** Asks until it is answered; undefined when the answer is no longer wanted. */
export async function assignedPositions(
  cluster: Cluster,
  groupId: string,
  assigned: readonly TopicPartition[],
  wanted: () => boolean,
): Promise<Position[] | undefined> {
  if (assigned.length === 0) return [];
  for (let pauseMs = 20; wanted(); pauseMs = Math.min(1_000, pauseMs * 2)) {
    try {
      const [committed, bounds] = await Promise.all([
        committedOffsets(cluster, groupId, assigned),
        logBounds(cluster, assigned),
      ]);
      return assigned.map(({ topic, partition }, i) => {
        const { offset, metadata } = committed[i] as Committed;
        const { start, end } = bounds[i] as { start: number; end: number };
        const position = offset >= start && offset <= end ? offset : start;
        return { topic, partition, committed: offset, metadata, logEnd: end, position };
      });
    } catch {
      // The coordinator or a leader has moved, or a broker is away.
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      await cluster.refreshMetadata().catch(() => {});
    }
  }
  return undefined;
}

export async function committedOffsets(
  cluster: Cluster,
  groupId: string,
  partitions: readonly TopicPartition[],
): Promise<Committed[]> {
  const coordinator = await cluster.findGroupCoordinator({ groupId });
  const { responses } = (await coordinator.offsetFetch({
    groupId,
    topics: group(partitions).map(({ topic, numbers }) => ({
      topic,
      partitions: numbers.map((partition) => ({ partition })) as never,
    })),
  })) as { responses: { topic: string; partitions: { partition: number; offset: string; metadata: string }[] }[] };
  return partitions.map(({ topic, partition }) => {
    const found = responses.find((entry) => entry.topic === topic)?.partitions.find((p) => p.partition === partition);
    // Below zero also stands for "earliest", which kafkajs commits when an offset is out of range.
    return { topic, partition, offset: Math.max(-1, Number(found?.offset ?? -1)), metadata: found?.metadata ?? '' };
  });
}

/** In the order asked for. Rejects when the leader of one is not known. */
export async function logBounds(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
): Promise<{ start: number; end: number }[]> {
  // One after the other: kafkajs asks leaders it may first have to connect to.
  const starts = await offsetsOf(cluster, partitions, { fromBeginning: true });
  const ends = await offsetsOf(cluster, partitions, { fromBeginning: false });
  return starts.map((start, i) => ({ start, end: ends[i] as number }));
}

/** The end is asked for first: what comes in between the two questions is not passed over. */
export async function offsetsAt(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  atMs: number,
): Promise<number[]> {
  const ends = await offsetsOf(cluster, partitions, { fromBeginning: false });
  // Below zero the protocol has meanings of its own.
  const found = await offsetsOf(cluster, partitions, { fromTimestamp: Math.max(0, Math.floor(atMs)) });
  return found.map((offset, i) => (offset < 0 ? (ends[i] as number) : offset));
}

async function offsetsOf(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  where: { fromBeginning: boolean } | { fromTimestamp: number },
): Promise<number[]> {
  const answer = await cluster.fetchTopicsOffset(
    group(partitions).map(({ topic, numbers }) => ({
      topic,
      partitions: numbers.map((partition) => ({ partition })),
      ...where,
    })),
  );
  const offsets = new Map<string, number>();
  for (const { topic, partitions: found } of answer) {
    for (const { partition, offset } of found) offsets.set(`${topic} ${partition}`, Number(offset));
  }
  return partitions.map(({ topic, partition }) => {
    const offset = offsets.get(`${topic} ${partition}`);
    if (offset === undefined) throw new Error(`no leader of ${topic} ${partition} is known`);
    return offset;
  });
}

function group(partitions: readonly TopicPartition[]): { topic: string; numbers: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const list = topics.get(topic);
    if (list === undefined) topics.set(topic, [partition]);
    else list.push(partition);
  }
  return [...topics].map(([topic, numbers]) => ({ topic, numbers }));
}

const PATIENCE_MS = 30_000;

/** Repeats a question while leaders and coordinators are being elected or a broker starts: kafkajs gives up on these. */
export async function patiently<T>(
  cluster: Cluster,
  ask: () => Promise<T>,
  again?: (error: unknown) => boolean,
): Promise<T> {
  const untilMs = performance.now() + PATIENCE_MS;
  for (let pauseMs = 20; ; pauseMs = Math.min(500, pauseMs * 2)) {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof TopicMissing) throw error;
      if (performance.now() > untilMs || again?.(error) === false) {
        throw new StreamUnavailable('the log did not answer', { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      await cluster.refreshMetadata().catch(() => {});
    }
  }
}
