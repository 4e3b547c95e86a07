import { CliError } from './output.ts';
import { dataDir, home } from './places.ts';
import { readStackFile } from './stack-file.ts';

/** Where a command finds the running system: the environment when it says so, else this clone's stack.json. */
export interface Context {
  readonly api: string;
  /** Base URL of the console; null where there is none. */
  readonly console: string | null;
  readonly apiKey: string;
  readonly kafka: string;
  readonly registry: string;
  readonly clickhouse: string;
  readonly namespace: string;
}

export async function contextOf(): Promise<Context> {
  const env = process.env;
  const stack = await readStackFile(home, dataDir);
  const pick = (fromEnv: string | undefined, fromFile: string | undefined, name: string): string => {
    const value = fromEnv ?? fromFile;
    if (!value) throw new CliError(`nothing is running in this clone and ${name} is not set: run \`npm start\` first`);
    return value;
  };
  return {
    api: pick(env.VOLLEY_API_URL, stack?.api, 'VOLLEY_API_URL'),
    // Of this clone's stack, and not of another API that the environment names.
    console: env.VOLLEY_API_URL ? null : (stack?.console ?? null),
    apiKey: pick(env.VOLLEY_API_KEY, stack?.api_key, 'VOLLEY_API_KEY'),
    kafka: pick(env.VOLLEY_KAFKA_BROKERS, stack?.kafka, 'VOLLEY_KAFKA_BROKERS'),
    registry: pick(env.VOLLEY_REGISTRY_URL, stack?.registry, 'VOLLEY_REGISTRY_URL'),
    clickhouse: pick(env.VOLLEY_CLICKHOUSE_URL, stack?.clickhouse, 'VOLLEY_CLICKHOUSE_URL'),
    namespace: env.VOLLEY_NAMESPACE ?? 'volley',
  };
}
