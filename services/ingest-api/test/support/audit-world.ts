import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createClient } from '@clickhouse/client';
import { campaignIdFrom, directMessageIdOf, messageIdOf } from '@volley/contract';
import type { ExecutionContext } from 'ava';
import { createAuditReader } from '../../src/adapters/clickhouse/audit.ts';
import { createAuditStore } from '../../src/adapters/postgres/audit-store.ts';
import { createAuditor } from '../../src/audit.ts';
import type { AuditLog } from '../../src/audit-ports.ts';
import { isOutage, quietLog } from './audit.ts';
import { createTestDatabase } from './database.ts';
import { silent } from './log.ts';

const MIGRATE = fileURLToPath(new URL('../../../sink/src/migrate.ts', import.meta.url));
export const TOPIC = 'audited';
const MINUTE_MS = 60_000;
/** A full hour, so that what lies in which bucket is known; lately, so that nothing of it is too old. */
export const BEGAN = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 6 * 3_600_000;

export interface TestEvent {
  readonly ordinal: number;
  readonly kind: string;
  readonly previous_kind?: string;
  readonly run?: number;
  readonly deferrals?: number;
  readonly repeat?: boolean;
  /** Of a direct message, by the client's id. */
  readonly direct?: string;
  readonly message_id?: string;
}

/**
 * A database of its own in Postgres, and one in ClickHouse with the sink's tables. The log is as the test says: partition 0,
 * everything in it counted and stored.
 */
export async function createAuditWorld() {
  const url = process.env.VOLLEY_TEST_CLICKHOUSE ?? '';
  if (url === '') throw new Error('VOLLEY_TEST_CLICKHOUSE is not set: a ClickHouse where databases may be created');
  const database = `audit_test_${randomBytes(6).toString('hex')}`;
  const postgres = await createTestDatabase();
  await promisify(execFile)(process.execPath, [MIGRATE], {
    env: { ...process.env, VOLLEY_CLICKHOUSE_URL: url, VOLLEY_CLICKHOUSE_DATABASE: database },
  });
  const clickhouse = createClient({ url, database });
  const reader = createAuditReader({ url, database, clientId: 'test' });
  const store = createAuditStore(postgres.pool);
  let end = 0;
  let campaigns = 0;
  const deliveries: { -readonly [K in keyof AuditLog]: AuditLog[K] } = {
    ...quietLog,
    committed: async () => [end],
    bounds: async () => [{ start: 0, end }],
  };
  const auditor = createAuditor({
    ...{ topic: TOPIC, store, reader, deliveries, log: silent, keptDays: 89, isOutage },
    clock: { now: () => Date.now(), monotonicMs: () => performance.now() },
  });

  const rowOf = (campaign: string, offset: number, e: TestEvent) => ({
    message_id:
      e.message_id ??
      (e.direct === undefined ? messageIdOf(campaign, e.ordinal) : directMessageIdOf(campaign, e.direct)),
    ...{
      run: e.run ?? 0,
      tenant_id: 'default',
      campaign_id: campaign,
      ordinal: e.direct === undefined ? e.ordinal : 0,
    },
    ...{ recipient: `p${e.ordinal}@b.example`, kind: e.kind, previous_kind: e.previous_kind ?? null, attempt: 1 },
    ...{ deferrals: e.deferrals ?? 0, tier: '', lane: 'bulk', channel: 'simulated', provider: 'simulated' },
    ...{ reason: e.kind === 'sent' ? '' : 'provider_transient', detail: '', provider_ms: 5, e2e_ms: 20 },
    queued_at: BEGAN,
    // A minute for each: three hours and more for two hundred messages.
    occurred_at: BEGAN + offset * MINUTE_MS,
    appended_at: BEGAN + offset * MINUTE_MS + 1,
    ...{ dlq_partition: null, dlq_offset: null, source_partition: 0, source_offset: offset },
    is_repeat: e.repeat ?? false,
  });

  return {
    ...{ auditor, store, reader, deliveries, clickhouse, database, pool: postgres.pool },
    end: () => end,
    /** Writes rows as the sink would: one block under one token. */
    async insert(campaign: string, from: number, events: readonly TestEvent[], token: string): Promise<void> {
      await clickhouse.insert({
        table: 'delivery_raw',
        values: events.map((e, i) => rowOf(campaign, from + i, e)),
        format: 'JSONEachRow',
        clickhouse_settings: { insert_deduplication_token: token },
      });
    },
    /** A finished campaign of these events: frozen, counted and stored. `rows`: those that are stored, where others were counted. */
    async campaign(
      events: readonly TestEvent[],
      o: { expected: number; accepted?: number; status?: string; rows?: readonly (TestEvent | null)[] } = {
        expected: 0,
      },
    ): Promise<string> {
      campaigns += 1;
      const id = campaignIdFrom(1_795_000_000_000 + campaigns, randomBytes(6));
      const of = (test: (e: TestEvent) => boolean) => events.filter((e) => !e.repeat && test(e)).length;
      const ended = (kind: string) =>
        of((e) => e.kind === kind) - of((e) => e.kind === 'redriven' && e.previous_kind === kind);
      const isEnd = (e: TestEvent) => ['sent', 'failed', 'dead', 'suppressed', 'cancelled', 'expired'].includes(e.kind);
      const retrying = of((e) => e.kind === 'deferred' && !e.deferrals) - of((e) => isEnd(e) && (e.deferrals ?? 0) > 0);
      await postgres.pool.query(
        `INSERT INTO campaigns (campaign_id, tenant_id, version, status, expected, accepted, state)
         VALUES ($1, 'default', 3, $2, $3, $4, $5)`,
        [id, o.status ?? 'completed', o.expected, o.accepted ?? 0, { sent_at: BEGAN }],
      );
      await postgres.pool.query(
        `INSERT INTO campaign_recipients (campaign_id, ordinal, contact_id, recipient, tags, attributes)
         SELECT $1, n, gen_random_uuid(), 'p' || n, '{}', '{}' FROM generate_series(1, $2::int) n`,
        [id, o.expected],
      );
      await postgres.pool.query(
        `INSERT INTO progress_counts (campaign_id, partition, sent, failed, dead, suppressed, cancelled, expired, retrying, redriven, surplus)
         VALUES ($1, 0, $2, $3, $4, $5, $6, $7, $8, $9, 0)`,
        [
          id,
          ...['sent', 'failed', 'dead', 'suppressed', 'cancelled', 'expired'].map(ended),
          retrying,
          of((e) => e.kind === 'redriven'),
        ],
      );
      const from = end;
      end += events.length;
      await postgres.pool.query(
        `INSERT INTO progress_offsets (topic, partition, next_offset, log_end) VALUES ($1, 0, $2, $2)
         ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset, log_end = excluded.log_end`,
        [TOPIC, end],
      );
      // A place whose row is left out stays empty.
      const rows = (o.rows ?? events).flatMap((e, i) => (e === null ? [] : [rowOf(id, from + i, e)]));
      if (rows.length > 0) await clickhouse.insert({ table: 'delivery_raw', values: rows, format: 'JSONEachRow' });
      return id;
    },
    async run(query: string): Promise<void> {
      await clickhouse.command({ query, clickhouse_settings: { mutations_sync: '1' } });
    },
    async stop() {
      await reader.close();
      await clickhouse.command({ query: `DROP DATABASE IF EXISTS ${database} SYNC` });
      await clickhouse.close();
      await postgres.drop();
    },
  };
}
export type AuditWorld = Awaited<ReturnType<typeof createAuditWorld>>;

export async function withAuditWorld(t: ExecutionContext, body: (world: AuditWorld) => Promise<void>): Promise<void> {
  const world = await createAuditWorld();
  t.teardown(() => world.stop());
  await body(world);
}
