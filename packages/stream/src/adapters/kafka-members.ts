import type { Broker, Cluster } from 'kafkajs';
import { type Log, within } from './kafka-connection.ts';

type Coordinator = Broker & { leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown> };

const DEADLINE_MS = 2_000;
const PAUSE_MS = 100;

/**
 * Takes the dead predecessor out of the group: the member with our clientId, which nobody else may bear. Otherwise the
 * group waits for its session to time out (measured: a restart after SIGKILL joined after 0.2 s instead of 9.6 s).
 * Only a shortcut: what fails here costs that wait and nothing else.
 */
export async function removeDeadMembers(cluster: Cluster, groupId: string, clientId: string, log: Log): Promise<void> {
  const deadlineAtMs = performance.now() + DEADLINE_MS;
  const work = tryUntil(deadlineAtMs, () => remove(cluster, groupId, clientId, log));
  await within(
    DEADLINE_MS,
    work.catch((error: Error) => {
      log('warn', 'could not look for members left behind', { groupId, clientId, error: error.message });
    }),
  );
}

/** A coordinator that was just elected loads its groups first. */
async function tryUntil(deadlineAtMs: number, step: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await step();
    } catch (error) {
      if (performance.now() + PAUSE_MS > deadlineAtMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

/** Who is in the group, and the coordinator that says so. */
async function ask(cluster: Cluster, groupId: string) {
  const coordinator = (await cluster.findGroupCoordinator({ groupId })) as Coordinator;
  const { groups } = (await coordinator.describeGroups({ groupIds: [groupId] })) as {
    groups: { members: { memberId: string; clientId: string }[] }[];
  };
  return { coordinator, members: groups.flatMap((group) => group.members) };
}

export const memberClientIds = async (cluster: Cluster, groupId: string): Promise<string[]> =>
  (await ask(cluster, groupId)).members.map(({ clientId }) => clientId);

async function remove(cluster: Cluster, groupId: string, clientId: string, log: Log): Promise<void> {
  const { coordinator, members } = await ask(cluster, groupId);
  for (const member of members) {
    if (member.clientId !== clientId) continue;
    log('info', 'removing a member left behind', { groupId, clientId, memberId: member.memberId });
    await coordinator.leaveGroup({ groupId, memberId: member.memberId });
  }
}
