import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { DEFAULT_TOPIC_SETTINGS, topicDefinitions, topicsOf } from '@volley/contract';
import { createRegistry } from '@volley/contract/registry';
import { createKafkaClient } from '@volley/stream/kafka';
import { CliError } from './output.ts';
import { repository } from './places.ts';

/** What the set-up step needs to know; the services get the same values. */
export interface SetupTarget {
  readonly kafkaBrokers: string;
  readonly registryUrl: string;
  readonly namespace: string;
  readonly partitions: number;
  readonly replicationFactor?: number;
  readonly minInSyncReplicas?: number;
  /** Environment of the two migrations. */
  readonly env: NodeJS.ProcessEnv;
}

function migrate(service: string, env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = join(repository, 'services', service, 'src', 'migrate.ts');
    const child = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const take = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4_000);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new CliError(`the migration of ${service} failed:\n${output}`)),
    );
  });
}

async function makeTopics(target: SetupTarget): Promise<string[]> {
  const client = createKafkaClient({ brokers: target.kafkaBrokers.split(','), clientId: `${target.namespace}-setup` });
  try {
    const admin = await client.admin();
    const settings = {
      ...DEFAULT_TOPIC_SETTINGS,
      partitions: target.partitions,
      replicationFactor: target.replicationFactor ?? DEFAULT_TOPIC_SETTINGS.replicationFactor,
      minInSyncReplicas: target.minInSyncReplicas ?? DEFAULT_TOPIC_SETTINGS.minInSyncReplicas,
    };
    const { created, mismatched } = await admin.ensureTopics(topicDefinitions(topicsOf(target.namespace), settings));
    if (mismatched.length > 0) {
      const list = mismatched.map((m) => `${m.topic} has ${m.partitions}`).join(', ');
      throw new CliError(`partition counts must be equal and ${target.partitions}: ${list}`);
    }
    return created;
  } finally {
    await client.close();
  }
}

/** Topics, schemas and both migrations, all idempotent and side by side. Running services never do any of this. */
export async function setUp(
  target: SetupTarget,
): Promise<{ topicsCreated: string[]; schemaIds: { subject: string; id: number }[] }> {
  const registry = createRegistry({
    url: target.registryUrl,
    clientId: `${target.namespace}-setup`,
    nowMs: () => performance.now(),
  });
  const env = { ...target.env, VOLLEY_KAFKA_BROKERS: target.kafkaBrokers, VOLLEY_NAMESPACE: target.namespace };
  const [topicsCreated, schemaIds] = await Promise.all([
    makeTopics(target),
    registry.registerAll(topicsOf(target.namespace)),
    migrate('ingest-api', env),
    migrate('sink', env),
  ]);
  return { topicsCreated, schemaIds };
}
