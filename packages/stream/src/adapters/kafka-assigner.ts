import kafkajs, { type Cluster, type PartitionAssigner } from 'kafkajs';
import { assignByNumber } from '../assignment.ts';

const { AssignerProtocol } = kafkajs;

export interface AssignerHooks {
  /** The consumer was made; this is what it talks through. */
  onCluster(cluster: Cluster): void;
  /** A join request is about to be sent: whatever was assigned is over. kafkajs rejoins in some cases without an event. */
  onJoining(): void;
  /** The numbers of the last assignment, to be kept as far as balance allows. */
  owned(): readonly number[];
  readonly exclusive: boolean;
}

/** More than a group of ours has; keeps a claim of somebody else's making short. */
const MAX_CLAIMED = 10_000;

/** What a member says of itself when it joins. Anything else claims nothing: that costs a move, never correctness. */
function claimOf(memberMetadata: Buffer): { owned: number[]; exclusive: boolean } {
  try {
    const userData = AssignerProtocol.MemberMetadata.decode(memberMetadata)?.userData;
    const { owned, exclusive } = JSON.parse(String(userData)) as { owned: unknown; exclusive: unknown };
    const numbers = Array.isArray(owned) ? owned.slice(0, MAX_CLAIMED) : [];
    return { owned: numbers.filter((number) => Number.isSafeInteger(number)), exclusive: exclusive === true };
  } catch {
    return { owned: [], exclusive: false };
  }
}

export function coPartitionAssigner(hooks: AssignerHooks): PartitionAssigner {
  return ({ cluster }) => {
    hooks.onCluster(cluster);
    return {
      name: 'volley-by-number',
      version: 1,
      async assign({ members, topics }) {
        const partitions = new Map(
          topics.map((topic) => [
            topic,
            cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId),
          ]),
        );
        const assigned = assignByNumber(
          members.map(({ memberId, memberMetadata }) => ({ id: memberId, ...claimOf(memberMetadata) })),
          partitions,
        );
        return [...assigned].map(([memberId, own]) => ({
          memberId,
          memberAssignment: AssignerProtocol.MemberAssignment.encode({
            version: 1,
            assignment: Object.fromEntries(own),
            userData: Buffer.alloc(0),
          }),
        }));
      },
      protocol({ topics }) {
        hooks.onJoining();
        return {
          name: 'volley-by-number',
          metadata: AssignerProtocol.MemberMetadata.encode({
            version: 1,
            topics,
            userData: Buffer.from(
              JSON.stringify({ owned: hooks.owned(), ...(hooks.exclusive ? { exclusive: true } : {}) }),
            ),
          }),
        };
      },
    };
  };
}
