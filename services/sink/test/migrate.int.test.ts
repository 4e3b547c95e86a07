import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createClient } from '@clickhouse/client';
import { groupsOf, topicsOf } from '@volley/contract';
import { createKafkaClient } from '@volley/stream/kafka';
import test from 'ava';
import { createClickHouseMigrationTarget, migrationFiles } from '../src/adapters/migrator-clickhouse.ts';
import { migrate } from '../src/core/migrations.ts';
import { clickHouseUrl, createTestDatabase, SQL_FOLDER } from './clickhouse.ts';
import { until } from './support.ts';
import { startProcess } from './tables/process.ts';

const start = (env: Record<string, string>) => startProcess(new URL('../src/migrate.ts', import.meta.url), env);
async function migrateProcess(env: Record<string, string>): Promise<{ code: number | null; stdout: string }> {
  const process = start(env);
  return { code: await process.ended, stdout: process.stdout() };
}

test('the process makes database, tables and views, and a second run changes nothing', async (t) => {
  const name = `sink_migrate_${process.pid}`;
  const env = { VOLLEY_CLICKHOUSE_URL: clickHouseUrl(), VOLLEY_CLICKHOUSE_DATABASE: name };
  const client = createClient({ url: clickHouseUrl() });
  const described = async () => {
    const query = `SELECT name, create_table_query FROM system.tables WHERE database = '${name}' ORDER BY name`;
    return (await client.query({ query, format: 'JSONEachRow' })).json<{ name: string }>();
  };
  try {
    t.is((await migrateProcess(env)).code, 0);
    const first = await described();
    t.is((await migrateProcess(env)).code, 0);
    t.deepEqual(await described(), first);
    const names = first.map((table) => table.name);
    for (const view of [
      'delivery_events',
      'campaign_stats',
      'throughput_per_minute',
      'latency_per_minute',
      'provider_health',
      'failure_reasons',
    ]) {
      t.true(names.includes(view), view);
    }
  } finally {
    await client.command({ query: `DROP DATABASE IF EXISTS ${name} SYNC` });
    await client.close();
  }
});

test('without ClickHouse the process says so and ends with 1', async (t) => {
  const { code, stdout } = await migrateProcess({ VOLLEY_CLICKHOUSE_URL: 'http://127.0.0.1:1' });
  t.is(code, 1);
  t.regex(stdout, /could not be migrated/);
});

test('an applied file that was edited is refused, and nothing more is applied', async (t) => {
  const db = await createTestDatabase();
  const folder = await mkdtemp(path.join(tmpdir(), 'volley-sql-'));
  try {
    await cp(SQL_FOLDER, folder, { recursive: true });
    const files = await migrationFiles(folder);
    const last = String(files.length + 1).padStart(4, '0');
    await writeFile(
      path.join(folder, `${last}_more.sql`),
      'CREATE TABLE more (a UInt8) ENGINE = MergeTree ORDER BY a;',
    );
    await writeFile(path.join(folder, '0001_delivery_raw.sql'), '-- edited\nSELECT 1;\n');
    const target = createClickHouseMigrationTarget({ url: db.url, database: db.name });
    await target.prepare();
    const result = await migrate(target, await migrationFiles(folder));
    await target.close();
    t.false(result.ok);
    if (!result.ok)
      t.regex(result.errors.join(), /0001_delivery_raw\.sql was applied to this database with another text/);
    t.is((await db.rows(`SELECT 1 FROM system.tables WHERE database = '${db.name}' AND name = 'more'`)).length, 0);
  } finally {
    await rm(folder, { recursive: true });
    await db.drop();
  }
});

test('a run that died in the middle of a file is completed by the next one', async (t) => {
  const db = await createTestDatabase();
  try {
    await db.client.command({ query: 'TRUNCATE TABLE schema_migrations' });
    await db.client.command({ query: 'DROP VIEW campaign_stats' });
    const target = createClickHouseMigrationTarget({ url: db.url, database: db.name });
    await target.prepare();
    const files = await migrationFiles(SQL_FOLDER);
    const result = await migrate(target, files);
    await target.close();
    t.deepEqual(result, { ok: true, applied: files.map(({ name }) => name).sort() });
    t.deepEqual(await db.rows('SELECT sent FROM campaign_stats'), []);
  } finally {
    await db.drop();
  }
});

test('an update waits for sinks to leave, one that has nothing to apply does not', async (t) => {
  const brokers = process.env.VOLLEY_TEST_KAFKA;
  if (!brokers) throw new Error('VOLLEY_TEST_KAFKA is not set');
  const namespace = `migrate-${process.pid}-${Date.now()}`;
  const topic = topicsOf(namespace).deliveries;
  const db = await createTestDatabase();
  const client = createKafkaClient({ brokers: [brokers], clientId: namespace });
  const admin = await client.admin();
  const env = {
    VOLLEY_CLICKHOUSE_URL: clickHouseUrl(),
    VOLLEY_CLICKHOUSE_DATABASE: db.name,
    VOLLEY_KAFKA_BROKERS: brokers,
    VOLLEY_NAMESPACE: namespace,
  };
  const applied = async () => (await db.rows<{ name: string }>('SELECT name FROM schema_migrations')).length;
  try {
    await admin.ensureTopics([{ topic, partitions: 1, replicationFactor: 1, config: {} }]);
    const ignore = () => {};
    const events = { onBatch: ignore, onAssigned: ignore, onRevoked: ignore, onFatal: ignore };
    const groupId = groupsOf(namespace).sink;
    const sink = client.consumer({ groupId, topics: [topic], clientId: 'sink', events, maxWaitMs: 50 });
    await sink.start();
    await until('a sink is in', async () => (await admin.members(groupId)).length === 1);
    t.is((await migrateProcess(env)).code, 0);

    const all = await applied();
    await db.client.command({
      query: "ALTER TABLE schema_migrations DELETE WHERE name LIKE '0012%' SETTINGS mutations_sync = 2",
    });
    const update = start(env);
    await until('it waits', () => /waiting: somebody is in the group of the sinks \(sink\)/.test(update.stdout()));
    t.is(await applied(), all - 1);
    await sink.stop();
    t.is(await update.ended, 0, update.stdout());
    t.is(await applied(), all);
  } finally {
    await admin.deleteTopics([topic]);
    await client.close();
    await db.drop();
  }
});

test('an insert that goes on after its client has died is known, until it has ended', async (t) => {
  const db = await createTestDatabase();
  const target = createClickHouseMigrationTarget({ url: db.url, database: db.name });
  try {
    await target.prepare();
    t.deepEqual(await target.inserts(), []);
    const gone = new AbortController();
    const filling = db.client.command({
      query:
        "INSERT INTO FUNCTION null('x UInt8') SELECT sleepEachRow(1) FROM numbers(300) SETTINGS max_block_size = 1",
      abort_signal: gone.signal,
    });
    await until('it is under way', async () => (await target.inserts()).length === 1);
    gone.abort();
    await t.throwsAsync(filling);
    const [left] = await target.inserts();
    t.truthy(left);
    await db.client.command({
      query: `KILL QUERY WHERE current_database = '${db.name}' AND query_kind = 'Insert' ASYNC`,
    });
    await until('it has ended', async () => (await target.inserts()).length === 0);
  } finally {
    await target.close();
    await db.drop();
  }
});

test('a file that fills a table makes it anew: what an insert of before still writes is not in it', async (t) => {
  const since = (await migrationFiles(SQL_FOLDER)).filter(({ name }) => name >= '0011');
  t.true(since.length >= 2);
  for (const { name, sql } of since) {
    t.notRegex(sql, /\bTRUNCATE\b/i, name);
    for (const [statement] of sql.matchAll(/^DROP TABLE [^;]*/gm)) t.regex(statement, /SYNC$/, name);
    for (const [, table] of sql.matchAll(/^INSERT INTO (\w+)/gm))
      t.true(sql.includes(`DROP TABLE IF EXISTS ${table} SYNC;\n\nCREATE TABLE ${table} `), `${name}: ${table}`);
  }
});

test('a database name that is no identifier is refused before anything is asked', (t) => {
  t.throws(() => createClickHouseMigrationTarget({ url: 'http://127.0.0.1:1', database: 'a; DROP DATABASE b' }), {
    message: /no name for a database/,
  });
});

test('every table that receives has a deduplication window, and raw rows expire by whole parts', async (t) => {
  const db = await createTestDatabase();
  try {
    const tables = await db.rows<{ name: string; create: string }>(
      `SELECT name, create_table_query AS create FROM system.tables WHERE database = '${db.name}' AND endsWith(engine, 'MergeTree')`,
    );
    const receiving = tables.filter(({ name }) => name !== 'schema_migrations');
    t.true(receiving.length >= 2);
    for (const { name, create } of receiving) {
      t.regex(create, /non_replicated_deduplication_window = 100000/, name);
      // How far the log was stored is kept for ever.
      if (name !== 'delivery_ends') t.regex(create, /ttl_only_drop_parts = 1/, name);
    }
  } finally {
    await db.drop();
  }
});
