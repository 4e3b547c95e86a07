import {
  DEFAULT_TOPIC_SETTINGS,
  groupsOf,
  minInSyncOf,
  type TopicDefinition,
  type TopicSettings,
  topicDefinitions,
  topicsOf,
} from '@volley/contract';
import type { StreamAdmin } from '@volley/stream';
import { createKafkaClient } from '@volley/stream/kafka';
import { contextOf } from './context.ts';
import { CliError, printer, printJson } from './output.ts';

interface TopicRow {
  readonly topic: string;
  readonly partitions: number;
  readonly records: number;
  /** Records that the group which reads this topic has not committed; null where no group reads it. */
  readonly lag: number | null;
  readonly group: string | null;
  /** Settings that are not what set-up would create the topic with: nothing alters a topic that exists. */
  readonly differs: readonly Difference[];
}

export interface Difference {
  readonly topic: string;
  readonly setting: string;
  readonly is: string;
  readonly wanted: string;
}

/** As the set-up step takes them from the environment. */
export function topicSettingsFrom(env: NodeJS.ProcessEnv): TopicSettings {
  const replicationFactor = Number(env.VOLLEY_REPLICATION_FACTOR || DEFAULT_TOPIC_SETTINGS.replicationFactor);
  const minInSyncReplicas = Number(env.VOLLEY_MIN_INSYNC_REPLICAS || minInSyncOf(replicationFactor));
  for (const [name, value] of Object.entries({ replicationFactor, minInSyncReplicas }))
    if (!Number.isInteger(value) || value < 1) throw new CliError(`${name} must be a whole number from 1`, 2);
  if (minInSyncReplicas > replicationFactor)
    throw new CliError(`of ${replicationFactor} replicas there cannot be ${minInSyncReplicas} in sync`, 2);
  const partitions = Number(env.VOLLEY_PARTITIONS || DEFAULT_TOPIC_SETTINGS.partitions);
  return { ...DEFAULT_TOPIC_SETTINGS, partitions, replicationFactor, minInSyncReplicas };
}

/** A topic that is not there has no settings that differ. */
export async function topicDifferences(
  admin: Pick<StreamAdmin, 'topicSettings'>,
  definitions: readonly TopicDefinition[],
): Promise<Difference[]> {
  const found = await admin.topicSettings(definitions.map(({ topic }) => topic));
  return definitions.flatMap(({ topic, config }) => {
    const settings = found.get(topic);
    if (settings === undefined) return [];
    return Object.entries(config)
      .filter(([setting, wanted]) => settings[setting] !== wanted)
      .map(([setting, wanted]) => ({ topic, setting, is: settings[setting] ?? 'not set', wanted }));
  });
}

export const differenceText = ({ topic, setting, is, wanted }: Difference): string =>
  `${topic}: ${setting} is ${is}, set-up would make it ${wanted}`;

/** `volley topics`: every topic of the contract with its size and the lag of its reader. */
export async function topics(json: boolean): Promise<number> {
  const context = await contextOf();
  const names = topicsOf(context.namespace);
  const groups = groupsOf(context.namespace);
  const readers: Record<string, string> = {
    [names.messages.bulk]: groups.dispatcher,
    [names.messages.transactional]: groups.dispatcher,
    [names.deliveries]: groups.sink,
  };
  const client = createKafkaClient({ brokers: context.kafka.split(','), clientId: 'volley-cli' });
  try {
    const admin = await client.admin();
    const rows: TopicRow[] = [];
    const definitions = topicDefinitions(names, topicSettingsFrom(process.env));
    const differences = await topicDifferences(admin, definitions);
    for (const { topic } of definitions) {
      const bounds = await admin.logBounds(topic);
      const group = readers[topic] ?? null;
      let lag: number | null = null;
      if (group) {
        const committed = await admin.committed(group, topic);
        lag = bounds.reduce((sum, b, p) => sum + b.end - Math.max(b.start, committed[p]?.offset ?? -1), 0);
      }
      rows.push({
        topic,
        partitions: bounds.length,
        records: bounds.reduce((sum, b) => sum + b.end - b.start, 0),
        lag,
        group,
        differs: differences.filter((d) => d.topic === topic),
      });
    }
    if (json) printJson(rows);
    else {
      const print = printer(json);
      print(`${'topic'.padEnd(32)}${'partitions'.padStart(11)}${'records'.padStart(12)}${'lag'.padStart(10)}  read by`);
      for (const r of rows)
        print(
          `${r.topic.padEnd(32)}${String(r.partitions).padStart(11)}${String(r.records).padStart(12)}${String(r.lag ?? '-').padStart(10)}  ${r.group ?? '-'}`,
        );
      for (const difference of differences) print(differenceText(difference));
    }
    return 0;
  } finally {
    await client.close();
  }
}
