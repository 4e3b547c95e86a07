import { createRequire } from 'node:module';
import type { Broker, Cluster } from 'kafkajs';

/** What kafkajs 2.2.4 keeps of a membership, and shows to nobody. */
interface Group {
  readonly cluster: Cluster;
  coordinator: Broker | null;
  offsetManager: { coordinator: Broker } | null;
  joinAndSync(): Promise<void>;
}

/** By the cluster object that a consumer talks through. */
const groups = new WeakMap<Cluster, Group>();
const listeners = new WeakMap<Cluster, (error: Error) => void>();
let watched = false;

/**
 * kafkajs gives a join up at once over errors that pass (a coordinator that is still loading, a connection that closed)
 * and fetches on with the generation it had. If the coordinator still knows that one, heartbeats pass and no GROUP_JOIN
 * ever comes: what was revoked for the join stays revoked, and the consumer is up and deaf for ever. Met when brokers
 * restart. No event tells of it, so the one method through which all three ways to a join go (REBALANCING,
 * UNKNOWN_MEMBER_ID, a fetch with stale metadata) is watched.
 */
export function onJoinGivenUp(cluster: Cluster, listener: (error: Error) => void): void {
  listeners.set(cluster, listener);
  if (watched) return;
  watched = true;
  const load = createRequire(import.meta.url);
  const { prototype } = load('kafkajs/src/consumer/consumerGroup.js') as { prototype: Group };
  const original = prototype.joinAndSync;
  prototype.joinAndSync = async function (this: Group) {
    groups.set(this.cluster, this);
    try {
      await original.call(this);
    } catch (error) {
      listeners.get(this.cluster)?.(error as Error);
      throw error;
    }
  };
}

/**
 * kafkajs looks for the coordinator only when it joins. While the one it knows is away it sends heartbeats and commits
 * there for as long as that takes, and another broker, which has taken over generation and members, ends the session.
 * Told of the new one in time, the member goes on as if nothing had been. True: it has moved.
 */
export async function followCoordinator(cluster: Cluster, groupId: string, wanted: () => boolean): Promise<boolean> {
  const found = await cluster.findGroupCoordinator({ groupId });
  const group = groups.get(cluster);
  if (group === undefined || group.coordinator === found || !wanted()) return false;
  group.coordinator = found;
  if (group.offsetManager !== null) group.offsetManager.coordinator = found;
  return true;
}
