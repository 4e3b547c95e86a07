import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { isClusterName, onEveryMember, statementsOn } from '../core/cluster.ts';
import type { AppliedMigration, MigrationFile, MigrationTarget } from '../core/migrations.ts';
import { RAW_DAYS, type RawDay } from '../core/rebuild.ts';
import { CLUSTER_SETTINGS, syncReplicas } from '../core/replicas.ts';
import { INSERTS } from '../core/standstill.ts';

const DATABASE = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const LEDGER = `CREATE TABLE IF NOT EXISTS schema_migrations
(
    name String,
    checksum String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY name`;

export async function migrationFiles(folder: string): Promise<MigrationFile[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql'));
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(path.join(folder, name), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

/** `prepare` first: it creates the database and the account of migrations where missing. */
export interface ClickHouseMigrationTarget extends MigrationTarget {
  prepare(): Promise<void>;
  /** Query ids of inserts under way in the database. */
  inserts(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export function createClickHouseMigrationTarget(options: {
  readonly url: string;
  readonly database: string;
  /** '' (the default): one server. */
  readonly cluster?: string;
}): ClickHouseMigrationTarget {
  const { url, database, cluster = '' } = options;
  if (cluster !== '' && !isClusterName(cluster)) throw new Error(`${cluster} is no name for a cluster`);
  if (!DATABASE.test(database)) throw new Error(`${database} is no name for a database`);
  const common = {
    url,
    application: 'volley-sink-migrate',
    // A new table is filled from all raw rows in one statement.
    request_timeout: 3_600_000,
    log: { level: ClickHouseLogLevel.OFF },
    ...(cluster === '' ? {} : { clickhouse_settings: CLUSTER_SETTINGS }),
  };
  let client: ClickHouseClient | undefined;
  const prepared = (): ClickHouseClient => {
    if (client === undefined) throw new Error('the database is not prepared');
    return client;
  };
  const rows = async <T>(query: string): Promise<T[]> =>
    (await prepared().query({ query, format: 'JSONEachRow' })).json<T>();
  const run = async (on: ClickHouseClient, statement: string) => {
    for (const query of statementsOn(cluster, statement)) await on.command({ query });
  };

  return {
    async prepare() {
      const outside = createClient(common);
      try {
        await run(outside, `CREATE DATABASE IF NOT EXISTS ${database}`);
      } finally {
        await outside.close();
      }
      // The files name no database: unqualified names are resolved, and stored, in the one of the connection.
      client = createClient({ ...common, database });
      await run(client, LEDGER);
      if (cluster !== '') await syncReplicas(rows, (statement) => prepared().command({ query: statement }));
    },
    async version() {
      const [found] = await rows<{ version: string }>('SELECT version() AS version');
      return found?.version ?? '';
    },
    applied: () => rows<AppliedMigration>('SELECT DISTINCT name, checksum FROM schema_migrations ORDER BY name'),
    inserts: async () =>
      (await rows<{ query_id: string }>(onEveryMember(cluster, database, INSERTS))).map(({ query_id }) => query_id),
    rawDays: () => rows<RawDay>(RAW_DAYS),
    run: (statement) => run(prepared(), statement),
    async record({ name, checksum }) {
      await prepared().insert({ table: 'schema_migrations', values: [{ name, checksum }], format: 'JSONEachRow' });
    },
    close: async () => client?.close(),
  };
}
