import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type ClickHouseClient, createClient } from '@clickhouse/client';
import { messageIdOf, ordinalIn } from '@volley/contract';

const MIGRATE = fileURLToPath(new URL('../../../sink/src/migrate.ts', import.meta.url));

export interface TestEvent {
  readonly campaign_id: string;
  readonly ordinal?: number;
  /** Of a direct message. */
  readonly message_id?: string;
  readonly kind: string;
  readonly [column: string]: unknown;
}

export interface AnalyticsDatabase {
  readonly url: string;
  readonly name: string;
  readonly client: ClickHouseClient;
  /** As the sink stores them, in one block: the order is that of the log. */
  store(events: readonly TestEvent[]): Promise<void>;
  /** Questions of the store's own list that contain this text. */
  running(text: string): Promise<number>;
  drop(): Promise<void>;
}

/** The tables forget after 90 days: what a test stores is of yesterday. */
export const DAY = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);

const stored = (time: string) => time.replace('T', ' ').replace('Z', '');

/** A database with the tables and views that the sink makes; it runs as a process, as in an installation. */
export async function createAnalyticsDatabase(): Promise<AnalyticsDatabase> {
  const url = process.env.VOLLEY_TEST_CLICKHOUSE;
  if (!url)
    throw new Error('VOLLEY_TEST_CLICKHOUSE is not set: the URL of a ClickHouse where databases may be created');
  const name = `ingest_test_${randomBytes(6).toString('hex')}`;
  const env = { ...process.env, VOLLEY_CLICKHOUSE_URL: url, VOLLEY_CLICKHOUSE_DATABASE: name };
  await promisify(execFile)(process.execPath, [MIGRATE], { env });
  const client = createClient({ url, database: name });
  let offset = 0;
  return {
    url,
    name,
    client,
    async store(events) {
      const values = events.map(({ ordinal = 0, ...event }) => ({
        message_id: event.message_id ?? messageIdOf(event.campaign_id, ordinal),
        run: 0,
        tenant_id: 'default',
        ordinal: ordinal || ordinalIn(event.message_id ?? '', event.campaign_id) || 0,
        recipient: `p${ordinal}@b.example`,
        previous_kind: null,
        attempt: 1,
        deferrals: 0,
        tier: event.kind === 'deferred' ? 'memory' : '',
        lane: 'bulk',
        channel: 'simulated',
        provider: 'simulated',
        reason: '',
        detail: '',
        provider_ms: 5,
        e2e_ms: 10,
        source_partition: 0,
        source_offset: offset++,
        ...event,
        queued_at: stored(String(event.queued_at ?? `${DAY}T10:00:00.000Z`)),
        occurred_at: stored(String(event.occurred_at ?? `${DAY}T10:00:01.000Z`)),
        appended_at: stored(String(event.occurred_at ?? `${DAY}T10:00:01.000Z`)),
      }));
      await client.insert({ table: 'delivery_raw', values, format: 'JSONEachRow' });
    },
    async running(text) {
      const sql =
        'SELECT count() AS n FROM system.processes WHERE position(query, {text:String}) > 0 AND query NOT LIKE {own:String}';
      const params = { text, own: '%system.processes%' };
      const result = await client.query({ query: sql, query_params: params, format: 'JSONEachRow' });
      return Number(((await result.json()) as { n: string }[])[0]?.n);
    },
    async drop() {
      await client.command({ query: `DROP DATABASE IF EXISTS ${name} SYNC` });
      await client.close();
    },
  };
}
