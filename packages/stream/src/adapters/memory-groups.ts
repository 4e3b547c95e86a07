import { assignByNumber } from '../assignment.ts';
import type { CommitEntry, TopicPartition } from '../port.ts';
import type { MemoryLog } from './memory-log.ts';

export interface MemberHandle {
  readonly id: string;
  readonly clientId: string;
  readonly topics: readonly string[];
  readonly sessionTimeoutMs: number;
  /** Cut off: it hears nothing, and its session runs out. */
  reachable(): boolean;
  /** The group is rebalancing: give up what is assigned, then `rejoin`. */
  onRebalance(): void;
  /** The numbers of its last assignment. */
  owned(): readonly number[];
  readonly exclusive: boolean;
  onAssigned(generation: number, partitions: TopicPartition[]): void;
}

export interface MemoryGroups {
  join(groupId: string, member: MemberHandle): void;
  rejoin(groupId: string, memberId: string): void;
  leave(groupId: string, memberId: string): void;
  removeByClientId(groupId: string, clientId: string): void;
  /** 'unknown': its session ran out. 'behind': a rebalance is under way or went by without it. */
  heartbeat(groupId: string, memberId: string, generation: number): 'known' | 'behind' | 'unknown';
  commit(
    groupId: string,
    memberId: string,
    generation: number,
    entries: readonly CommitEntry[],
  ): 'committed' | 'stale' | 'failed';
  committed(groupId: string, of: TopicPartition): { offset: number; metadata: string };
  /** Their client ids. */
  members(groupId: string): string[];
  /** False: somebody is in the group. */
  setCommitted(groupId: string, entries: readonly CommitEntry[]): boolean;
  /** False: somebody is in it. */
  remove(groupId: string): boolean;
}

interface Member {
  readonly handle: MemberHandle;
  joined: boolean;
  session: NodeJS.Timeout;
}

interface Group {
  readonly members: Map<string, Member>;
  readonly offsets: Map<string, { offset: number; metadata: string }>;
  generation: number;
  rebalancing: boolean;
}

const MAX_METADATA_BYTES = 4_096;

/**
 * The group coordinator: eager rebalances as in Kafka's classic protocol. Everybody is asked to give up and to join
 * again, the generation rises when all have or their session ran out, and only then somebody owns something again.
 */
export function createMemoryGroups(log: MemoryLog, isUp: () => boolean): MemoryGroups {
  const groups = new Map<string, Group>();

  function groupOf(groupId: string): Group {
    let group = groups.get(groupId);
    if (group === undefined) {
      group = { members: new Map(), offsets: new Map(), generation: 0, rebalancing: false };
      groups.set(groupId, group);
    }
    return group;
  }

  function rebalance(group: Group): void {
    if (!group.rebalancing) {
      group.rebalancing = true;
      for (const member of group.members.values()) member.joined = false;
    }
    for (const member of [...group.members.values()]) {
      if (member.joined || !member.handle.reachable()) continue;
      setImmediate(() => {
        if (group.members.get(member.handle.id) === member && !member.joined && member.handle.reachable()) {
          member.handle.onRebalance();
        }
      });
    }
    setImmediate(() => complete(group));
  }

  function complete(group: Group): void {
    const members = [...group.members.values()];
    if (!group.rebalancing || members.some(({ joined }) => !joined)) return;
    group.rebalancing = false;
    group.generation += 1;
    const topics = new Set(members.flatMap(({ handle }) => [...handle.topics]));
    const partitions = new Map(
      [...topics].map((topic) => [topic, (log.topic(topic)?.partitions ?? []).map((_, number) => number)]),
    );
    const assigned = assignByNumber(
      members.map(({ handle }) => ({ id: handle.id, owned: handle.owned(), exclusive: handle.exclusive })),
      partitions,
    );
    const { generation } = group;
    for (const { handle } of members) {
      const own = [...(assigned.get(handle.id) ?? [])].flatMap(([topic, numbers]) =>
        numbers.map((partition) => ({ topic, partition })),
      );
      setImmediate(() => {
        if (group.generation === generation && handle.reachable()) handle.onAssigned(generation, own);
      });
    }
  }

  function expel(group: Group, memberId: string): void {
    const member = group.members.get(memberId);
    if (member === undefined) return;
    clearTimeout(member.session);
    group.members.delete(memberId);
    rebalance(group);
  }

  function openSession(group: Group, { id, sessionTimeoutMs }: MemberHandle): NodeJS.Timeout {
    const session = setTimeout(() => {
      // A coordinator that was away gives everybody a new session.
      if (isUp()) expel(group, id);
      else session.refresh();
    }, sessionTimeoutMs).unref();
    return session;
  }

  const key = ({ topic, partition }: TopicPartition) => `${topic} ${partition}`;

  return {
    join(groupId, handle) {
      const group = groupOf(groupId);
      group.members.set(handle.id, { handle, joined: false, session: openSession(group, handle) });
      rebalance(group);
      (group.members.get(handle.id) as Member).joined = true;
    },
    rejoin(groupId, memberId) {
      const group = groupOf(groupId);
      const member = group.members.get(memberId);
      if (member === undefined) return;
      member.joined = true;
      setImmediate(() => complete(group));
    },
    leave: (groupId, memberId) => expel(groupOf(groupId), memberId),
    removeByClientId(groupId, clientId) {
      const group = groupOf(groupId);
      for (const { handle } of [...group.members.values()]) if (handle.clientId === clientId) expel(group, handle.id);
    },
    heartbeat(groupId, memberId, generation) {
      const group = groupOf(groupId);
      const member = group.members.get(memberId);
      if (member === undefined) return 'unknown';
      member.session.refresh();
      const missed = group.rebalancing ? !member.joined : group.generation !== generation;
      return missed ? 'behind' : 'known';
    },
    commit(groupId, memberId, generation, entries) {
      const group = groupOf(groupId);
      if (!group.members.has(memberId) || group.generation !== generation) return 'stale';
      if (entries.some(({ metadata }) => Buffer.byteLength(metadata ?? '') > MAX_METADATA_BYTES)) return 'failed';
      for (const entry of entries) {
        group.offsets.set(key(entry), { offset: entry.offset, metadata: entry.metadata ?? '' });
      }
      return 'committed';
    },
    committed: (groupId, of) => groups.get(groupId)?.offsets.get(key(of)) ?? { offset: -1, metadata: '' },
    members: (groupId) => [...(groups.get(groupId)?.members.values() ?? [])].map(({ handle }) => handle.clientId),
    setCommitted(groupId, entries) {
      const { members, offsets } = groupOf(groupId);
      if (members.size > 0) return false;
      for (const entry of entries) offsets.set(key(entry), { offset: entry.offset, metadata: entry.metadata ?? '' });
      return true;
    },
    remove(groupId) {
      if ((groups.get(groupId)?.members.size ?? 0) > 0) return false;
      groups.delete(groupId);
      return true;
    },
  };
}
