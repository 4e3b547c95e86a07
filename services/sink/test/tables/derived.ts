import type { DeliveryEvent } from '@volley/contract';
import type { TestDatabase } from '../clickhouse.ts';
import { event, newCampaignId } from '../support.ts';
import type { Written } from '../views.ts';

/** The tables that views keep from delivery_raw. */
export const DERIVED = [
  'delivery_by_minute',
  'delivery_by_hour',
  'delivery_by_campaign',
  'latency_by_minute',
  'message_latest',
  'message_failures',
] as const;

/** Every row of a table as it is after merging, states by their bytes. */
export async function contentOf(db: TestDatabase, table: string): Promise<string[]> {
  const columns = await db.rows<{ name: string; type: string }>(
    `SELECT name, type FROM system.columns WHERE database = '${db.name}' AND table = '${table}' ORDER BY position`,
  );
  const values = columns.map(({ name, type }) =>
    type.startsWith('AggregateFunction') ? `hex(${name})` : `ifNull(toString(${name}), 'NULL')`,
  );
  const found = await db.rows<{ line: string }>(
    `SELECT arrayStringConcat([${values.join(', ')}], '|') AS line FROM ${table} FINAL ORDER BY line`,
  );
  return found.map(({ line }) => line);
}

export async function contentsOf(db: TestDatabase): Promise<Record<string, string[]>> {
  const contents: Record<string, string[]> = {};
  for (const table of DERIVED) contents[table] = await contentOf(db, table);
  return contents;
}

/** Of an event without a call. */
const NO_CALL: Partial<DeliveryEvent> = { channel: '', provider: '', provider_ms: 0 };

/**
 * Events of some campaigns as the log would hold them, `perDay` messages of each a day: deferrals, failures, redrives,
 * callbacks, direct messages, repeats.
 */
export function history(startMs: number, days: number, perDay: number): Written[] {
  const campaigns = [newCampaignId(), newCampaignId(), newCampaignId()];
  const written: Written[] = [];
  for (let day = 0; day < days; day++) {
    campaigns.forEach((campaign_id, c) => {
      for (let i = 1; i <= perDay; i++) {
        const n = day * perDay + i;
        const at = startMs + day * 86_400_000 + c * 1_000 + i * 97_000;
        const common: Partial<DeliveryEvent> = {
          campaign_id,
          queued_at: at - 500,
          provider: c === 2 ? 'smtp' : 'simulated',
        };
        const e = (kind: DeliveryEvent['kind'], ms: number, more: Partial<DeliveryEvent> = {}, repeat = false) =>
          void written.push({
            event: event(n, {
              ...common,
              kind,
              occurred_at: at + ms,
              e2e_ms: 500 + ms,
              provider_ms: 3 + (n % 40),
              ...more,
            }),
            repeat,
          });
        const deferred = n % 3 === 0;
        const throttled = !deferred && n % 4 === 0;
        const paused = deferred && n % 2 === 0;
        if (deferred) e('deferred', 0, { reason: 'provider_transient', tier: '5s' });
        // An answer that costs no attempt, and a wait without a call after an attempt was spent.
        if (throttled) e('deferred', 1, { reason: 'provider_throttled', tier: 'memory', attempt: 0 });
        if (paused) e('deferred', 2, { ...NO_CALL, reason: 'paused', tier: 'held', deferrals: 1 });
        const end = { deferrals: Number(deferred || throttled) + Number(paused), attempt: deferred ? 2 : 1 };
        if (n % 7 === 0) {
          e('failed', 40, { ...end, reason: 'recipient_refused', dlq_partition: 1, dlq_offset: n });
          if (n % 14 === 0) {
            e('redriven', 900, {
              run: 1,
              previous_kind: 'failed',
              reason: 'recipient_refused',
              attempt: 0,
              provider_ms: 0,
            });
            if (n % 28 === 0) e('sent', 950 + n, { run: 1 });
          }
        } else if (n % 11 === 0)
          e('cancelled', 30, { ...NO_CALL, attempt: Number(deferred), deferrals: end.deferrals });
        else if (n % 13 === 0)
          e('dead', 35, { ...end, reason: 'render_failed', attempt: Number(deferred), provider_ms: 0 });
        else {
          e('sent', 20 + ((n * 7_919) % 3_000), end);
          if (n % 5 === 0) e('sent', 25, end, true);
          if (n % 6 === 0) e('opened', 60_000);
        }
      }
    });
  }
  return written;
}
