import { CliError, printer, printJson } from './output.ts';
import { setUp } from './setup.ts';
import { topicSettingsFrom } from './topics.ts';

function needed(name: string): string {
  const value = process.env[name];
  if (!value) throw new CliError(`${name} is not set`, 2);
  return value;
}

/** `volley setup`: the one-shot step of compose and of any real installation. Idempotent. */
export async function setupCommand(json: boolean): Promise<number> {
  const { partitions, replicationFactor, minInSyncReplicas } = topicSettingsFrom(process.env);
  const result = await setUp({
    kafkaBrokers: needed('VOLLEY_KAFKA_BROKERS'),
    registryUrl: needed('VOLLEY_REGISTRY_URL'),
    namespace: process.env.VOLLEY_NAMESPACE ?? 'volley',
    partitions,
    replicationFactor,
    minInSyncReplicas,
    env: process.env,
  });
  if (json) printJson(result);
  else
    printer(json)(
      `topics created: ${result.topicsCreated.length}, schemas registered: ${result.schemaIds.length}, tables migrated`,
    );
  return 0;
}
