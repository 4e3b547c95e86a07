import type { Broker, Cluster } from 'kafkajs';
import type { CommitEntry } from '../port.ts';
import { errorType } from './kafka-connection.ts';

interface OffsetCommit {
  groupId: string;
  groupGenerationId: number;
  memberId: string;
  topics: readonly { topic: string; partitions: readonly { partition: number; offset: string; metadata: string }[] }[];
}

type Coordinator = Broker & {
  offsetCommit(request: OffsetCommit): Promise<unknown>;
  deleteGroups(groupIds: readonly string[]): Promise<{ results: readonly { error?: Error }[] }>;
};

/** What a coordinator says to a commit of nobody, and to a deletion, while there are members. */
const IN_USE = new Set(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'REBALANCE_IN_PROGRESS', 'NON_EMPTY_GROUP']);

export const isInUse = (error: unknown): boolean => IN_USE.has(errorType(error) ?? '');

/** Offsets of a group without members are committed by nobody: no member, no generation. */
export async function commitAlone(cluster: Cluster, groupId: string, entries: readonly CommitEntry[]): Promise<void> {
  const coordinator = (await cluster.findGroupCoordinator({ groupId })) as Coordinator;
  const topics = [...Map.groupBy(entries, ({ topic }) => topic)].map(([topic, of]) => ({
    topic,
    partitions: of.map(({ partition, offset, metadata = '' }) => ({ partition, offset: String(offset), metadata })),
  }));
  await coordinator.offsetCommit({ groupId, groupGenerationId: -1, memberId: '', topics });
}

export async function deleteGroup(cluster: Cluster, groupId: string): Promise<void> {
  const coordinator = (await cluster.findGroupCoordinator({ groupId })) as Coordinator;
  const { results } = await coordinator.deleteGroups([groupId]);
  for (const { error } of results) if (error !== undefined && errorType(error) !== 'GROUP_ID_NOT_FOUND') throw error;
}
