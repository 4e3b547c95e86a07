import { randomBytes } from 'node:crypto';
import { DEFAULT_TOPIC_SETTINGS, topicDefinitions, topicsOf } from '@volley/contract';
import { createKafkaClient } from '@volley/stream/kafka';
import pg from 'pg';
import { createClickHouse } from './clickhouse.ts';

/** Addresses of a test file's own corner of the shared stores. */
export interface FreshStores {
  readonly kafka: string;
  readonly registry: string;
  readonly postgres: string;
  readonly clickhouse: string;
  readonly clickhouseDatabase: string;
  readonly namespace: string;
  drop(): Promise<void>;
}

function given(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run this test through \`npm test -- <part of its path>\``);
  return value;
}

/** A database in Postgres, one in ClickHouse and a namespace in Kafka that no other test file uses. */
export async function freshStores(name: string, ownKafka?: string, ownClickHouse?: string): Promise<FreshStores> {
  const id = `t_${name}_${randomBytes(4).toString('hex')}`;
  const kafka = ownKafka ?? given('VOLLEY_TEST_KAFKA');
  const adminUrl = given('VOLLEY_TEST_POSTGRES');
  const clickhouse = ownClickHouse ?? given('VOLLEY_TEST_CLICKHOUSE');
  const asAdmin = async (sql: string) => {
    const admin = new pg.Client({ connectionString: adminUrl });
    await admin.connect();
    try {
      await admin.query(sql);
    } finally {
      await admin.end();
    }
  };
  await asAdmin(`CREATE DATABASE ${id}`);
  await createClickHouse(clickhouse).query(`CREATE DATABASE ${id}`);
  const postgres = new URL(adminUrl);
  postgres.pathname = `/${id}`;
  return {
    kafka,
    registry: given('VOLLEY_TEST_REGISTRY'),
    postgres: postgres.toString(),
    clickhouse,
    clickhouseDatabase: id,
    namespace: id.replaceAll('_', '-'),
    async drop() {
      // Brokers of the test's own end with everything that is in them.
      const topics = ownKafka === undefined ? dropTopics(kafka, id.replaceAll('_', '-')) : Promise.resolve();
      await Promise.all([
        topics,
        asAdmin(`DROP DATABASE IF EXISTS ${id} WITH (FORCE)`),
        createClickHouse(clickhouse).query(`DROP DATABASE IF EXISTS ${id} SYNC`),
      ]);
    },
  };
}

async function dropTopics(kafka: string, namespace: string): Promise<void> {
  const client = createKafkaClient({ brokers: kafka.split(','), clientId: `${namespace}-drop` });
  try {
    const names = topicDefinitions(topicsOf(namespace), DEFAULT_TOPIC_SETTINGS).map((d) => d.topic);
    await (await client.admin()).deleteTopics(names);
  } finally {
    await client.close();
  }
}

/** All topics with replicas; the set-up step leaves what exists. */
export async function makeTopics(
  { kafka, namespace }: Pick<FreshStores, 'kafka' | 'namespace'>,
  settings: { readonly partitions: number; readonly replicationFactor: number; readonly minInSyncReplicas: number },
): Promise<void> {
  const { partitions, replicationFactor, minInSyncReplicas } = settings;
  const client = createKafkaClient({ brokers: kafka.split(','), clientId: `${namespace}-topics` });
  try {
    const wanted = { ...DEFAULT_TOPIC_SETTINGS, partitions, replicationFactor, minInSyncReplicas };
    await (await client.admin()).ensureTopics(topicDefinitions(topicsOf(namespace), wanted));
  } finally {
    await client.close();
  }
}
