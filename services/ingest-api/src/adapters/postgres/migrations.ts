import { readdirSync } from 'node:fs';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { ask, type Pool } from './pool.ts';

const FOLDER = new URL('../../../sql', import.meta.url).pathname;
const TABLE = 'volley_migrations';
const DATABASE_DOES_NOT_EXIST = '3D000';
const DATABASE_EXISTS = '42P04';

const names = (): string[] => readdirSync(FOLDER).map((file) => file.replace(/\.sql$/, ''));

/**
 * Brings the schema to the newest version; again and from several processes at once it does nothing twice (an advisory
 * lock orders them). Creates the database when it is missing and the role may. Answers what was applied.
 */
export async function migrate(url: string): Promise<string[]> {
  await ensureDatabase(url);
  const applied = await runner({
    databaseUrl: url,
    dir: FOLDER,
    migrationsTable: TABLE,
    direction: 'up',
    checkOrder: true,
    singleTransaction: true,
    advisoryLockMode: 'wait',
    log: () => {},
  });
  return applied.map((m) => m.name);
}

async function ensureDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    return;
  } catch (error) {
    if ((error as { code?: string }).code !== DATABASE_DOES_NOT_EXIST) throw error;
  } finally {
    await client.end().catch(() => {});
  }
  const maintenance = new URL(url);
  const name = decodeURIComponent(maintenance.pathname.slice(1));
  maintenance.pathname = '/postgres';
  const admin = new pg.Client({ connectionString: maintenance.toString(), connectionTimeoutMillis: 5_000 });
  await admin.connect();
  try {
    await admin.query(`CREATE DATABASE ${admin.escapeIdentifier(name)}`);
  } catch (error) {
    // Another process was faster.
    if ((error as { code?: string }).code !== DATABASE_EXISTS) throw error;
  } finally {
    await admin.end();
  }
}

/** Names of migrations that are here and not in the database. */
export async function missingMigrations(pool: Pool): Promise<string[]> {
  const [table] = await ask<{ there: boolean }>(pool, 'SELECT to_regclass($1) IS NOT NULL AS there', [TABLE]);
  if (!table?.there) return names();
  const rows = await ask<{ name: string }>(pool, `SELECT name FROM ${TABLE}`);
  const there = new Set(rows.map((row) => row.name));
  return names().filter((name) => !there.has(name));
}
