import { groupsOf, topicsOf } from '@volley/contract';
import { TopicMissing } from '@volley/stream';
import { createKafkaClient } from '@volley/stream/kafka';
import { plannedPartitions } from '../core/rebuild.ts';
import type { Writers } from '../core/standstill.ts';

/**
 * Who is in the group of the sinks, and the partitions whose next insert stands beside the group's offset: it may be stored
 * or not, and is made again by the next sink, so a table that is filled meanwhile would count it twice.
 */
export async function sinkGroup(options: {
  readonly brokers: readonly string[];
  readonly namespace: string;
}): Promise<Pick<Writers, 'members' | 'planned'>> {
  const { brokers, namespace } = options;
  const group = groupsOf(namespace).sink;
  const stream = createKafkaClient({ brokers, clientId: `${namespace}-sink-group` });
  try {
    const admin = await stream.admin();
    const members = await admin.members(group);
    const committed = await admin.committed(group, topicsOf(namespace).deliveries).catch((error: unknown) => {
      // A log that was made anew: it has no plans either.
      if (error instanceof TopicMissing) return [];
      throw error;
    });
    return { members, planned: plannedPartitions(committed) };
  } finally {
    await stream.close();
  }
}
