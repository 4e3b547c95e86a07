import { askedOf, type LoadOptions, type LoadReport, loadSession } from '@volley/load';
import { createApi } from '../src/api.ts';
import { query } from '../src/clickhouse.ts';
import { type Platform, startPlatform } from '../src/platform.ts';

function need(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run this through npm run bench`);
  return value;
}

export const kafkaAddress = (): string => need('VOLLEY_TEST_KAFKA');

/** The three services on the stores of `npm run bench`, with topics of their own. */
export function startOn(namespace: string): Promise<Platform> {
  const folder = `${need('VOLLEY_TEST_TEMP')}/${namespace}`;
  return startPlatform({
    ...{ root: folder, dataDir: `${folder}/data`, logDir: `${folder}/logs`, cacheDir: folder, anyPorts: true },
    external: {
      kafka: kafkaAddress(),
      registry: need('VOLLEY_TEST_REGISTRY'),
      postgres: need('VOLLEY_TEST_POSTGRES'),
      clickhouse: need('VOLLEY_TEST_CLICKHOUSE'),
    },
    ...{ env: { VOLLEY_NAMESPACE: namespace }, log: () => {}, onCrash: () => {} },
  });
}

/** One run of `volley load` against it. Rejects when not everything that was accepted is accounted for. */
export async function loadAt(platform: Platform, options: LoadOptions): Promise<LoadReport> {
  const { api, api_key: key, clickhouse } = platform.describe();
  const report = await loadSession({
    asked: askedOf({ readers: 0, ...options }, 1),
    system: {
      ...{ api: createApi(api, key), origin: api, key, database: 'volley' },
      query: <T>(sql: string) => query<T>(clickhouse, sql),
    },
    environment: { command: '', commit: '', machine: '', settings: {} },
    ...{ signal: new AbortController().signal, log: () => {} },
  });
  if (!report.accounts.accounted) throw new Error(report.accounts.problems.join('; '));
  return report;
}
