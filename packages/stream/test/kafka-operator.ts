import kafkajs, { type Admin } from 'kafkajs';
import { until } from '../src/testkit/support.ts';

/** What an operator, or retention, does to the log; Volley itself does none of it. */
export interface LogOperator {
  /** Everything below `to` is gone. */
  deleteRecords(topic: string, partition: number, to: number): Promise<void>;
  /** Their offsets with them. Waits until nobody is in them, which a frozen member is for one session more. */
  deleteGroups(groups: readonly string[]): Promise<void>;
  addPartitions(topic: string, count: number): Promise<void>;
  /** By hand, as the runbook has it: nobody may be in the group. */
  setOffset(group: string, topic: string, partition: number, offset: number): Promise<void>;
}

export async function withLogOperator<T>(kafka: string, run: (admin: LogOperator) => Promise<T>): Promise<T> {
  const client = new kafkajs.Kafka({ brokers: kafka.split(','), logLevel: kafkajs.logLevel.NOTHING });
  const admin = client.admin();
  await admin.connect();
  try {
    return await run(logOperator(admin));
  } finally {
    await admin.disconnect();
  }
}

function logOperator(admin: Admin): LogOperator {
  const untilEmpty = (groups: readonly string[]) =>
    until(
      async () => (await admin.describeGroups([...groups])).groups.every(({ state }) => state === 'Empty'),
      `nobody is in ${groups.join(', ')}`,
      30_000,
    );
  return {
    async deleteRecords(topic, partition, to) {
      // Makes kafkajs learn the topic's leaders, which the next call takes for granted.
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(to) }] });
    },
    async deleteGroups(groups) {
      await untilEmpty(groups);
      await admin.deleteGroups([...groups]);
    },
    async addPartitions(topic, count) {
      await admin.createPartitions({ validateOnly: false, topicPartitions: [{ topic, count }] });
    },
    async setOffset(groupId, topic, partition, offset) {
      await untilEmpty([groupId]);
      await admin.setOffsets({ groupId, topic, partitions: [{ partition, offset: String(offset) }] });
    },
  };
}
