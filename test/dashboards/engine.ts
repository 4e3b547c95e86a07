import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import {
  createClickHouseMigrationTarget,
  migrationFiles,
} from '../../services/sink/src/adapters/migrator-clickhouse.ts';
import { migrate } from '../../services/sink/src/core/migrations.ts';
import type { History } from './events.ts';
import { text } from './read.ts';

/** What the read-only user of Grafana may use (deploy/compose/clickhouse/users.xml): queries run within the same limits. */
const profile = /<dashboards>([\s\S]*?)<constraints>/.exec(text('deploy/compose/clickhouse/users.xml'))?.[1] ?? '';
const LIMITS = [...profile.matchAll(/<(\w+)>(\d+)<\/\1>/g)].map(([, name, value]) => [name, value] as [string, string]);

const SQL_FOLDER = fileURLToPath(new URL('../../services/sink/sql', import.meta.url));
const ROWS_AT_ONCE = 5_000;

/** A result as the plugin makes a frame of it: columns with their types, values by row. */
export interface Frame {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly unknown[])[];
}

export interface Engine {
  /** As the read-only user. */
  ask(sql: string): Promise<Frame>;
  /** As the owner. */
  order(sql: string): Promise<void>;
  drop(): Promise<void>;
}

/** A database of its own with the project's tables and views, and what happened in them. */
export async function createEngine(address: string, happened: History): Promise<Engine> {
  const name = `dash_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  const target = createClickHouseMigrationTarget({ url: address, database: name });
  await target.prepare();
  const result = await migrate(target, await migrationFiles(SQL_FOLDER));
  await target.close();
  if (!result.ok) throw new Error(result.errors.join('\n'));

  const url = new URL(address);
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = '';
  url.password = '';
  url.searchParams.set('database', name);
  url.searchParams.set('default_format', 'JSONCompact');
  url.searchParams.set('output_format_json_quote_64bit_integers', '0');
  const limited = new URL(url);
  for (const [setting, value] of LIMITS) limited.searchParams.set(setting, value);
  async function post(body: string, to = url): Promise<string> {
    const response = await fetch(to, {
      method: 'POST',
      body,
      headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
      signal: AbortSignal.timeout(60_000),
    });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${answer.slice(0, 600)}\n${body.slice(0, 2_000)}`);
    return answer;
  }

  for (let i = 0; i < happened.rows.length; i += ROWS_AT_ONCE) {
    const lines = happened.rows.slice(i, i + ROWS_AT_ONCE).map((row) => JSON.stringify(row));
    await post(`INSERT INTO delivery_raw FORMAT JSONEachRow\n${lines.join('\n')}`);
  }

  return {
    async ask(sql) {
      const { meta, data } = JSON.parse(await post(sql, limited)) as { meta: Frame['columns']; data: unknown[][] };
      return { columns: meta, rows: data };
    },
    async order(sql) {
      await post(sql);
    },
    async drop() {
      await post(`DROP DATABASE IF EXISTS ${name} SYNC`);
    },
  };
}

export const isTime = (type: string) => /^DateTime/.test(type);
export const isNumber = (type: string) => /^(Nullable\()?(U?Int|Float|Decimal)\d+/.test(type);
export const isText = (type: string) => /^(LowCardinality\()?String/.test(type);
/** Without a zone in the text: the engine's times are in UTC. */
export const timeOf = (value: unknown) => Date.parse(`${String(value).replace(' ', 'T')}Z`);
