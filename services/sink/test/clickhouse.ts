import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { createClickHouseMigrationTarget, migrationFiles } from '../src/adapters/migrator-clickhouse.ts';
import { createClickHouseRowStore } from '../src/adapters/row-store-clickhouse.ts';
import { migrate } from '../src/core/migrations.ts';
import { COLUMNS } from '../src/core/to-row.ts';
import type { RowStore } from '../src/ports.ts';

export const SQL_FOLDER = fileURLToPath(new URL('../sql', import.meta.url));

export function clickHouseUrl(): string {
  const url = process.env.VOLLEY_TEST_CLICKHOUSE;
  if (!url)
    throw new Error(
      'VOLLEY_TEST_CLICKHOUSE is not set: run the tests with `npm test`, or name a ClickHouse HTTP address',
    );
  return url;
}

export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  readonly client: ClickHouseClient;
  readonly store: RowStore;
  rows<T>(query: string): Promise<T[]>;
  drop(): Promise<void>;
}

/** A migrated database of its own. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const url = clickHouseUrl();
  const name = `sink_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  const target = createClickHouseMigrationTarget({ url, database: name });
  await target.prepare();
  const result = await migrate(target, await migrationFiles(SQL_FOLDER));
  await target.close();
  if (!result.ok) throw new Error(result.errors.join('\n'));
  const client = createClient({ url, database: name, log: { level: ClickHouseLogLevel.OFF } });
  const store = createClickHouseRowStore({
    url,
    database: name,
    columns: COLUMNS,
    insertTimeoutMs: 30_000,
    maxOpenConnections: 4,
  });
  return {
    url,
    name,
    client,
    store,
    async rows<T>(query: string) {
      return (await client.query({ query, format: 'JSONEachRow' })).json<T>();
    },
    async drop() {
      await client.command({ query: `DROP DATABASE IF EXISTS ${name} SYNC` });
      await client.close();
      await store.close();
    },
  };
}
