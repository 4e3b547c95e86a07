import { randomUUID } from 'node:crypto';
import { createClient } from '@clickhouse/client';
import test from 'ava';
import { createClickHouseMigrationTarget, migrationFiles } from '../../src/adapters/migrator-clickhouse.ts';
import { createClickHouseRowStore } from '../../src/adapters/row-store-clickhouse.ts';
import { migrate } from '../../src/core/migrations.ts';
import { COLUMNS } from '../../src/core/to-row.ts';
import { clickHouseUrl, createTestDatabase, SQL_FOLDER, type TestDatabase } from '../clickhouse.ts';
import { START, write } from '../views.ts';
import { contentsOf, history } from './derived.ts';

const url = clickHouseUrl();

/** A database that has been migrated up to a file, and no further. */
async function databaseAt(last: string): Promise<TestDatabase & { migrateOn(): Promise<readonly string[]> }> {
  const name = `sink_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  const target = createClickHouseMigrationTarget({ url, database: name });
  await target.prepare();
  const files = (await migrationFiles(SQL_FOLDER)).sort((a, b) => (a.name < b.name ? -1 : 1));
  const bring = async (upTo: string) => {
    const result = await migrate(
      target,
      files.filter((f) => f.name.slice(0, 4) <= upTo),
    );
    if (!result.ok) throw new Error(result.errors.join('\n'));
    return result.applied;
  };
  await bring(last);
  const client = createClient({ url, database: name });
  const store = createClickHouseRowStore({
    url,
    database: name,
    columns: COLUMNS,
    insertTimeoutMs: 30_000,
    maxOpenConnections: 2,
  });
  return {
    url,
    name,
    client,
    store,
    rows: async <T>(query: string) => (await client.query({ query, format: 'JSONEachRow' })).json<T>(),
    migrateOn: () => bring('9999'),
    async drop() {
      await client.command({ query: `DROP DATABASE IF EXISTS ${name} SYNC` });
      await client.close();
      await store.close();
      await target.close();
    },
  };
}

test('tables that come later hold what views would have put there, also when their migration runs twice', async (t) => {
  const events = history(START - 2 * 86_400_000, 2, 100);
  const rest = history(START, 1, 30);
  const live = await createTestDatabase();
  const later = await databaseAt('0004');
  try {
    for (const db of [live, later])
      for (let from = 0; from < events.length; from += 200) await write(db, from, events.slice(from, from + 200));
    const wanted = await contentsOf(live);

    t.true((await later.migrateOn()).length >= 2);
    t.deepEqual(await contentsOf(later), wanted);

    // As after a death before the last file was recorded.
    await later.client.command({ query: 'TRUNCATE TABLE schema_migrations' });
    await later.migrateOn();
    t.deepEqual(await contentsOf(later), wanted);

    // From here on the views feed them.
    await write(live, 500_000, rest);
    await write(later, 500_000, rest);
    t.deepEqual(await contentsOf(later), await contentsOf(live));
  } finally {
    await later.drop();
    await live.drop();
  }
});
