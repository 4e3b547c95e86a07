import kafkajs, { type Admin, type Cluster } from 'kafkajs';
import { GroupInUse, type StreamAdmin, TopicMissing, type TopicPartition } from '../port.ts';
import {
  type ClusterHandle,
  isUnknownTopic,
  type KafkaSettings,
  learnTopics,
  openCluster,
  openKafka,
  SHORT_RETRY,
  within,
} from './kafka-connection.ts';
import { commitAlone, deleteGroup, isInUse } from './kafka-group-offsets.ts';
import { memberClientIds } from './kafka-members.ts';
import { committedOffsets, logBounds, offsetsAt, patiently } from './kafka-positions.ts';

/** Connections are made when they are needed first. */
export function createKafkaAdmin(settings: KafkaSettings, clientId: string): StreamAdmin {
  let closing: Promise<void> | undefined;
  let handle: Promise<ClusterHandle> | undefined;
  let admin: Promise<{ admin: Admin; abandon(): void }> | undefined;

  function cluster(): Promise<ClusterHandle> {
    handle ??= openCluster(settings, clientId, []).catch((error: Error) => {
      handle = undefined;
      throw error;
    });
    return handle;
  }

  function topicAdmin(): Promise<{ admin: Admin; abandon(): void }> {
    admin ??= (async () => {
      const connection = openKafka(settings, clientId, SHORT_RETRY);
      const made = connection.kafka.admin();
      try {
        await made.connect();
      } catch (error) {
        admin = undefined;
        connection.abandon();
        throw error;
      }
      return { admin: made, abandon: () => connection.abandon() };
    })();
    return admin;
  }

  async function partitionsOf(of: Cluster, topic: string): Promise<TopicPartition[]> {
    // Whoever asks of a topic that was just made says so by making it here: then it is known.
    await learnTopics(of, [topic], 0);
    await of.refreshMetadataIfNecessary();
    const found = of.findTopicPartitionMetadata(topic);
    if (found.length === 0) throw new Error(`no metadata of ${topic}`);
    return found
      .map(({ partitionId }) => ({ topic, partition: partitionId }))
      .sort((a, b) => a.partition - b.partition);
  }

  async function ask<T>(
    topic: string,
    question: (of: Cluster, partitions: readonly TopicPartition[]) => Promise<T>,
  ): Promise<T> {
    const { cluster: of } = await cluster();
    return patiently(of, async () => {
      try {
        return await question(of, await partitionsOf(of, topic));
      } catch (error) {
        throw isUnknownTopic(error) ? new TopicMissing([topic]) : error;
      }
    });
  }

  async function ofEmptyGroup(groupId: string, effect: (of: Cluster) => Promise<void>): Promise<void> {
    const { cluster: of } = await cluster();
    try {
      await patiently(
        of,
        () => effect(of),
        (error) => !isInUse(error),
      );
    } catch (error) {
      throw isInUse(error) ? new GroupInUse(groupId) : error;
    }
  }

  return {
    async ensureTopics(specs) {
      const { admin: of } = await topicAdmin();
      const existing = new Set(await of.listTopics());
      const missing = specs.filter(({ topic }) => !existing.has(topic));
      const created: string[] = [];
      for (const { topic, partitions, replicationFactor, config } of missing) {
        const made = await of.createTopics({
          waitForLeaders: false,
          topics: [
            {
              topic,
              numPartitions: partitions,
              replicationFactor,
              configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
            },
          ],
        });
        // Somebody else was quicker: it exists, which is what was asked for.
        if (made) created.push(topic);
      }
      const mismatched: { topic: string; partitions: number }[] = [];
      for (const { name, partitions } of await ledTopics(
        of,
        specs.map(({ topic }) => topic),
      )) {
        const spec = specs.find(({ topic }) => topic === name);
        if (spec !== undefined && spec.partitions !== partitions.length) {
          mismatched.push({ topic: name, partitions: partitions.length });
        }
      }
      return { created, mismatched };
    },
    async topicSettings(topics) {
      const { admin: of } = await topicAdmin();
      const existing = new Set(await of.listTopics());
      const present = topics.filter((topic) => existing.has(topic));
      if (present.length === 0) return new Map();
      const { resources } = await of.describeConfigs({
        includeSynonyms: false,
        resources: present.map((name) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
      });
      return new Map(
        resources.map(({ resourceName, configEntries }) => [
          resourceName,
          Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue])),
        ]),
      );
    },
    async deleteTopics(topics) {
      const { admin: of } = await topicAdmin();
      const existing = new Set(await of.listTopics());
      const present = topics.filter((topic) => existing.has(topic));
      if (present.length > 0) await of.deleteTopics({ topics: present });
    },
    logBounds: (topic) => ask(topic, logBounds),
    offsetsAt: (topic, atMs) => ask(topic, (of, partitions) => offsetsAt(of, partitions, atMs)),
    async committed(groupId, topic) {
      const found = await ask(topic, (of, partitions) => committedOffsets(of, groupId, partitions));
      return found.map(({ offset, metadata }) => ({ offset, metadata }));
    },
    async members(groupId) {
      const { cluster: of } = await cluster();
      return patiently(of, () => memberClientIds(of, groupId));
    },
    async setCommitted(groupId, entries) {
      if (entries.length > 0) await ofEmptyGroup(groupId, (of) => commitAlone(of, groupId, entries));
    },
    async deleteGroup(groupId) {
      await ofEmptyGroup(groupId, (of) => deleteGroup(of, groupId));
    },
    async clusterId() {
      const { admin: of } = await topicAdmin();
      return (await of.describeCluster()).clusterId;
    },
    close() {
      closing ??= (async () => {
        await (await handle?.catch(() => undefined))?.close();
        const opened = await admin?.catch(() => undefined);
        if (opened === undefined) return;
        await within(1_000, opened.admin.disconnect());
        opened.abandon();
      })();
      return closing;
    },
  };
}

/** A broker on a machine at twenty times its load took more than ten seconds to hear of eleven new topics. */
const LEADERS_DEADLINE_MS = 30_000;

/**
 * Metadata of topics once each partition has a leader. kafkajs' own waiting (waitForLeaders) gives up when a broker has
 * not heard of the new topic yet: it repeats LEADER_NOT_AVAILABLE and not UNKNOWN_TOPIC_OR_PARTITION.
 */
async function ledTopics(of: Admin, names: string[]) {
  const untilMs = performance.now() + LEADERS_DEADLINE_MS;
  for (;;) {
    try {
      const { topics } = await of.fetchTopicMetadata({ topics: names });
      if (topics.every(({ partitions }) => partitions.length > 0 && partitions.every(({ leader }) => leader >= 0))) {
        return topics;
      }
      if (performance.now() > untilMs) throw new Error(`topics without leaders after ${LEADERS_DEADLINE_MS} ms`);
    } catch (error) {
      if (performance.now() > untilMs) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
