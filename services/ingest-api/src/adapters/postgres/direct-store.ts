import type { Failpoints } from '@volley/runtime';
import { packRecords } from '../../core/direct.ts';
import type { DirectBatch, DirectRecord, DirectStore, Known, Reservation, Reserved } from '../../direct-ports.ts';
import { ask, inTransaction, type Pool, type Transaction } from './pool.ts';

/** Named messages that one pass forgets: a statement of a few hundred milliseconds. */
const FORGET_ROWS = 10_000;

/** In the order of their ids: two requests with the same ids then wait for each other and never in a circle. */
const NAME_SQL = `
  WITH r AS MATERIALIZED (SELECT coalesce($3::bigint, nextval('direct_requests')) AS request), fresh AS (
    INSERT INTO direct_messages (message_id, request, partition)
    SELECT message_id, request, partition FROM unnest($1::uuid[], $2::int[]) AS line(message_id, partition), r
    ORDER BY message_id ON CONFLICT DO NOTHING RETURNING message_id
  )
  SELECT r.request, (SELECT count(*) FROM fresh) AS taken, CASE WHEN (SELECT count(*) FROM fresh) < cardinality($1::uuid[])
    THEN ARRAY(SELECT message_id::text FROM fresh) END AS fresh FROM r`;

/** A request with a batch that is still kept: the log may not have its messages. */
const KNOWN_SQL = `
  SELECT m.message_id::text AS id, m.request, m.partition,
    EXISTS (SELECT 1 FROM direct_batches b WHERE b.request = m.request) AS pending
  FROM direct_messages m WHERE m.message_id = ANY($1::uuid[])`;

interface KnownRow {
  readonly id: string;
  readonly request: number;
  readonly partition: number;
  readonly pending: boolean;
}

async function named(tx: Transaction, r: Reservation) {
  const records = r.records.filter((record) => record.named);
  if (records.length === 0 && r.request !== undefined) return { request: r.request, taken: 0, earlier: new Map() };
  const [row] = await tx.rows<{ request: number; taken: number; fresh: string[] | null }>(NAME_SQL, [
    records.map((record) => record.messageId),
    records.map((record) => record.partition),
    r.request ?? null,
  ]);
  const { request, taken, fresh } = row as NonNullable<typeof row>;
  const earlier = new Map<string, KnownRow>();
  if (fresh) {
    const mine = new Set(fresh);
    const others = records.map((record) => record.messageId).filter((id) => !mine.has(id));
    for (const known of await tx.rows<KnownRow>(KNOWN_SQL, [others])) earlier.set(known.id, known);
  }
  return { request, taken, earlier };
}

/** How long a batch may be on its way to the log before somebody else writes it: longer than a request waits for it. */
const REDO_MS = 60_000;

export function createDirectStore(pool: Pool, failpoints: Failpoints, redoMs = REDO_MS): DirectStore {
  const committing = async (commit: () => Promise<void>) => {
    await commit();
    await failpoints.hit('direct.afterReserve');
  };
  return {
    reserve: (r) =>
      inTransaction<Reserved | 'refused'>(
        pool,
        async (tx) => {
          const { request, taken, earlier } = await named(tx, r);
          const known: Known[] = [];
          const write: DirectRecord[] = [];
          for (const record of r.records) {
            const first = earlier.get(record.messageId);
            if (!first) {
              known.push('new');
              write.push(record);
            } else if (first.request === request) known.push('own');
            else if (!first.pending) known.push('known');
            else {
              known.push('again');
              write.push({ ...record, partition: first.partition });
            }
          }
          let batch: number | undefined;
          if (write.length > 0) {
            const [row] = await tx.rows<{ batch: number }>(
              `WITH gone AS (DELETE FROM direct_batches WHERE batch = ANY($6::bigint[]))
               INSERT INTO direct_batches (request, campaign_id, tenant_id, lane, log_from, records, due_at)
               VALUES ($1, $2, $3, $4, $8, $5, now() + $7 * interval '1 ms') RETURNING batch`,
              [request, r.campaignId, r.tenantId, r.lane, packRecords(write), r.written, redoMs, r.logFrom],
            );
            batch = row?.batch;
          } else if (r.written.length > 0) {
            await tx.count('DELETE FROM direct_batches WHERE batch = ANY($1::bigint[])', [r.written]);
          }
          // Last, because every other batch of the campaign waits for it. Also without new ones: whoever closed the campaign,
          // or paused it, must be seen.
          const unnamed = r.records.reduce((n, record) => n + (record.named ? 0 : 1), 0);
          const counted = await tx.count(
            `UPDATE campaigns SET accepted = accepted + $2
             WHERE campaign_id = $1 AND status = 'running' AND (state->>'open')::boolean`,
            [r.campaignId, taken + unnamed],
          );
          if (counted !== 1) return { undo: 'refused' };
          return { commit: { request, batch, known, write } };
        },
        committing,
      ),

    async written(batches) {
      await ask(pool, 'DELETE FROM direct_batches WHERE batch = ANY($1::bigint[])', [batches]);
    },

    async due() {
      const [row] = await ask<DirectBatch>(
        pool,
        `UPDATE direct_batches SET due_at = now() + $1 * interval '1 ms' WHERE batch = (
           SELECT batch FROM direct_batches WHERE due_at < now() ORDER BY batch LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING batch, campaign_id AS "campaignId", tenant_id AS "tenantId", lane,
           log_from AS "logFrom", records`,
        [redoMs],
      );
      return row;
    },

    async forget() {
      const rows = await ask(
        pool,
        `WITH range AS (
           SELECT campaign_id, coalesce((state->>'open')::boolean, false) AS open,
             (left(campaign_id::text, 18) || '-8000-000000000000')::uuid AS low,
             (left(campaign_id::text, 18) || '-bfff-ffffffffffff')::uuid AS high
           FROM campaigns WHERE accepted > 0
         ), gone AS (
           SELECT m.message_id FROM range r CROSS JOIN LATERAL (
             SELECT message_id FROM direct_messages WHERE message_id BETWEEN r.low AND r.high LIMIT ${FORGET_ROWS}) AS m
           WHERE NOT r.open AND NOT EXISTS (SELECT 1 FROM range o WHERE o.open AND o.low = r.low) LIMIT ${FORGET_ROWS}
         )
         DELETE FROM direct_messages WHERE message_id IN (SELECT message_id FROM gone) RETURNING 1`,
      );
      return rows.length === FORGET_ROWS;
    },
  };
}
