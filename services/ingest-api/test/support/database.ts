import { randomBytes } from 'node:crypto';
import { createFailpoints } from '@volley/runtime';
import pg from 'pg';
import { migrate } from '../../src/adapters/postgres/migrations.ts';
import { createPool, type Pool } from '../../src/adapters/postgres/pool.ts';

export const inert = createFailpoints(undefined);

export interface TestDatabase {
  readonly url: string;
  readonly pool: Pool;
  /** A pool of its own: another process, as the store sees it. */
  another(timeoutMs?: number): Pool;
  /** Rows of every table: what a refused request must leave as it was. */
  counts(): Promise<Record<string, number>>;
  drop(): Promise<void>;
}

const TABLES = [
  'contacts',
  'campaigns',
  'campaign_events',
  'campaign_recipients',
  'campaign_fanout',
  'idempotency_keys',
  'progress_counts',
];

/** A database of its own in the Postgres of VOLLEY_TEST_POSTGRES, migrated; `drop` removes it. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const admin = process.env.VOLLEY_TEST_POSTGRES;
  if (!admin) throw new Error('VOLLEY_TEST_POSTGRES is not set: the URL of a Postgres where databases may be created');
  const name = `ingest_test_${randomBytes(6).toString('hex')}`;
  const target = new URL(admin);
  target.pathname = `/${name}`;
  const url = target.toString();
  await migrate(url);
  const pools: Pool[] = [];
  const another = (timeoutMs = 5_000) => {
    const pool = createPool({ url, applicationName: 'test', max: 8, timeoutMs, onError: () => {} });
    pools.push(pool);
    return pool;
  };
  const pool = another();
  return {
    url,
    pool,
    another,
    async counts() {
      const all = TABLES.map((table) => `SELECT '${table}' AS name, count(*)::int AS n FROM ${table}`).join(
        ' UNION ALL ',
      );
      const { rows } = await pool.query(all);
      return Object.fromEntries(rows.map((row) => [row.name, row.n]));
    },
    async drop() {
      await Promise.all(pools.map((p) => p.end()));
      const client = new pg.Client({ connectionString: admin });
      await client.connect();
      await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await client.end();
    },
  };
}
