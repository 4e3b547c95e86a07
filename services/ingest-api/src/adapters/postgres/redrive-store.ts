import type { Clock, Failpoints } from '@volley/runtime';
import { markKey } from '../../core/redrive.ts';
import type {
  ClaimedRedrive,
  DeadLetterFilter,
  LeftCause,
  Mark,
  RedriveJob,
  RedriveJobs,
  RedriveStore,
} from '../../dead-letter-ports.ts';
import type { Campaign } from '../../ports.ts';
import { LEASE_MS, leaseFrom } from './leases.ts';
import { ask, inTransaction, type Pool, type Transaction } from './pool.ts';

/** Longer than the log and the index keep what a mark is about. */
const FORGET_AFTER = "interval '100 days'";
const SELECT_TIMEOUT_MS = 10_000;

interface JobRow {
  redrive_id: string;
  tenant_id: string;
  action: RedriveJob['action'];
  status: RedriveJob['status'];
  filter: DeadLetterFilter;
  max_messages: number | null;
  rate_per_second: number | null;
  reason_text: string;
  created_at: Date;
  finished_at: Date | null;
  matched: number;
  matched_at_least: boolean;
  selected: number;
  redriven: number;
  purged: number;
  left_as_they_are: Partial<Record<LeftCause, number>>;
}
const JOB = `redrive_id, tenant_id, action, status, filter, max_messages, rate_per_second, reason_text, created_at,
  finished_at, matched, matched_at_least, selected, redriven, purged, left_as_they_are`;

const jobOf = (row: JobRow): RedriveJob => ({
  redrive_id: row.redrive_id,
  tenant_id: row.tenant_id,
  action: row.action,
  status: row.status,
  filter: row.filter,
  limit: row.max_messages,
  rate_per_second: row.rate_per_second,
  reason_text: row.reason_text,
  createdAtMs: row.created_at.getTime(),
  finishedAtMs: row.finished_at?.getTime() ?? null,
  matched: row.matched,
  matchedAtLeast: row.matched_at_least,
  selected: row.selected,
  redriven: row.redriven,
  purged: row.purged,
  left: row.left_as_they_are,
});

/** Marks as columns, for unnest. */
const columnsOf = (marks: readonly Mark[]) => [
  marks.map((m) => m.message_id),
  marks.map((m) => m.run),
  marks.map((m) => m.campaign_id),
  marks.map((m) => m.kind),
  marks.map((m) => m.reason),
  marks.map((m) => m.place?.partition ?? null),
  marks.map((m) => m.place?.offset ?? null),
];

export function createRedriveJobs(pool: Pool): RedriveJobs {
  return {
    async create(job) {
      const [row] = await ask<JobRow>(
        pool,
        `INSERT INTO redrives (redrive_id, tenant_id, action, filter, max_messages, rate_per_second, reason_text,
           created_at, matched, matched_at_least)
         VALUES ($1, $2, $3, $4, $5, $6, $7, to_timestamp($8::double precision / 1000), $9, $10) RETURNING ${JOB}`,
        [
          job.redrive_id,
          job.tenant_id,
          job.action,
          JSON.stringify(job.filter),
          job.limit,
          job.rate_per_second,
          job.reason_text,
          job.createdAtMs,
          job.matched,
          job.matchedAtLeast,
        ],
      );
      return jobOf(row as JobRow);
    },
    async find(tenantId, redriveId) {
      const [row] = await ask<JobRow>(pool, `SELECT ${JOB} FROM redrives WHERE tenant_id = $1 AND redrive_id = $2`, [
        tenantId,
        redriveId,
      ]);
      return row && jobOf(row);
    },
    async list(tenantId, { before, limit }) {
      const values: unknown[] = [tenantId, limit];
      const below = before === undefined ? '' : ` AND redrive_id < $${values.push(before)}`;
      const sql = `SELECT ${JOB} FROM redrives WHERE tenant_id = $1${below} ORDER BY redrive_id DESC LIMIT $2`;
      return (await ask<JobRow>(pool, sql, values)).map(jobOf);
    },
    async cancel(tenantId, redriveId) {
      await ask(pool, 'UPDATE redrives SET cancel_requested = true WHERE tenant_id = $1 AND redrive_id = $2', [
        tenantId,
        redriveId,
      ]);
      return this.find(tenantId, redriveId);
    },
    async marked(marks) {
      if (marks.length === 0) return new Map();
      const rows = await ask<{ message_id: string; run: number; state: string }>(
        pool,
        `SELECT m.message_id, m.run, m.state FROM unnest($1::uuid[], $2::int[]) AS w (message_id, run)
         JOIN redriven_messages AS m USING (message_id, run)`,
        [marks.map((m) => m.message_id), marks.map((m) => m.run)],
      );
      return new Map(rows.map((row) => [markKey(row), row.state === 'purged' ? 'purged' : 'redriven']));
    },
  };
}

/** `topic`: of the delivery events, whose offsets progress saves. `owner` is stable for a slot, see leases.ts. */
export function createRedriveStore(
  pool: Pool,
  o: { readonly owner: string; readonly clock: Clock; readonly failpoints: Failpoints; readonly topic: string },
): RedriveStore {
  const { owner, clock } = o;
  const committing = async (commit: () => Promise<void>) => {
    await o.failpoints.hit('redrive.beforeCommit');
    await commit();
  };

  /** Under the fence, and the lease begins anew. What the work wrote goes with the fence: all of it or nothing. */
  function fenced<T>(redriveId: string, fence: number, work: (tx: Transaction, action: string) => Promise<T>) {
    const asked = clock.monotonicMs();
    return inTransaction<{ lease: ReturnType<typeof leaseFrom>; result: T } | undefined>(
      pool,
      async (tx) => {
        const [job] = await tx.rows<{ action: string }>(
          `UPDATE redrives SET lease_until = now() + $4 * interval '1 ms'
           WHERE redrive_id = $1 AND owner = $2 AND fence = $3 AND status = 'running' RETURNING action`,
          [redriveId, owner, fence, LEASE_MS],
          SELECT_TIMEOUT_MS,
        );
        if (!job) return { undo: undefined };
        return { commit: { result: await work(tx, job.action), lease: leaseFrom(clock, asked, fence) } };
      },
      committing,
    );
  }

  return {
    async due() {
      const rows = await ask<{ redrive_id: string; cancel_requested: boolean }>(
        pool,
        "SELECT redrive_id, cancel_requested FROM redrives WHERE status = 'running' ORDER BY redrive_id",
      );
      return rows.map((row) => ({ redriveId: row.redrive_id, cancelRequested: row.cancel_requested }));
    },

    async claim(redriveId): Promise<ClaimedRedrive | undefined> {
      const asked = clock.monotonicMs();
      const [row] = await ask<
        JobRow & { fence: number; after_campaign: string | null; after_message: string | null; all_selected: boolean }
      >(
        pool,
        `UPDATE redrives SET owner = $2, fence = fence + 1, lease_until = now() + $3 * interval '1 ms'
         WHERE redrive_id = $1 AND status = 'running' AND (owner = $2 OR lease_until < now())
         RETURNING fence, after_campaign, after_message, all_selected, ${JOB}`,
        [redriveId, owner, LEASE_MS],
      );
      if (!row) return undefined;
      const cursor =
        row.after_campaign !== null && row.after_message !== null
          ? { campaign_id: row.after_campaign, message_id: row.after_message }
          : undefined;
      return { lease: leaseFrom(clock, asked, row.fence), job: jobOf(row), cursor, allSelected: row.all_selected };
    },

    async select(redriveId, fence, { marks, cursor, last }) {
      const done = await fenced(redriveId, fence, async (tx, action) => {
        await tx.count('UPDATE redrive_campaigns SET open = false WHERE redrive_id = $1 AND open', [redriveId]);
        const taken = await tx.rows<{ campaign_id: string }>(
          `INSERT INTO redriven_messages (message_id, run, campaign_id, kind, reason, dlq_partition, dlq_offset, redrive_id, state)
           SELECT *, $8::uuid, $9::text FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::text[], $5::text[], $6::int[], $7::bigint[])
           ON CONFLICT DO NOTHING RETURNING campaign_id`,
          [...columnsOf(marks), redriveId, action === 'purge' ? 'purged' : 'selected'],
        );
        if (action === 'redrive' && taken.length > 0)
          await tx.count(
            `INSERT INTO redrive_campaigns (redrive_id, campaign_id, topic) SELECT $1, id, $3 FROM unnest($2::uuid[]) AS id
             ON CONFLICT (redrive_id, campaign_id) DO UPDATE SET open = true`,
            [redriveId, [...new Set(taken.map((row) => row.campaign_id))], o.topic],
          );
        await tx.count(
          `UPDATE redrives SET selected = selected + $2, purged = purged + $3, all_selected = $4,
             after_campaign = coalesce($5::uuid, after_campaign), after_message = coalesce($6::uuid, after_message)
           WHERE redrive_id = $1`,
          [
            redriveId,
            taken.length,
            action === 'purge' ? taken.length : 0,
            last,
            cursor?.campaign_id ?? null,
            cursor?.message_id ?? null,
          ],
        );
        return taken.length;
      });
      return done && { lease: done.lease, selected: done.result };
    },

    async pending(redriveId, limit) {
      const rows = await ask<Omit<Mark, 'place'> & { dlq_partition: number | null; dlq_offset: number | null }>(
        pool,
        `SELECT message_id, run, campaign_id, kind, reason, dlq_partition, dlq_offset FROM redriven_messages
         WHERE redrive_id = $1 AND state = 'selected' ORDER BY campaign_id, dlq_partition, dlq_offset, message_id LIMIT $2`,
        [redriveId, limit],
      );
      return rows.map(({ dlq_partition, dlq_offset, ...mark }) => ({
        ...mark,
        place:
          dlq_partition === null || dlq_offset === null ? undefined : { partition: dlq_partition, offset: dlq_offset },
      }));
    },

    async standing(campaignId) {
      const [row] = await ask<{ state: Campaign; published_version: number; outstanding: number }>(
        pool,
        `SELECT c.state, c.published_version, coalesce(f.ordinal, 0) + c.accepted - coalesce(p.ended, 0) AS outstanding
         FROM campaigns c LEFT JOIN campaign_fanout f USING (campaign_id)
         LEFT JOIN LATERAL (
           SELECT sum(sent + failed + dead + suppressed + cancelled + expired)::bigint AS ended
           FROM progress_counts WHERE campaign_id = c.campaign_id
         ) p ON true
         WHERE c.campaign_id = $1`,
        [campaignId],
      );
      return row && { campaign: row.state, publishedVersion: row.published_version, outstanding: row.outstanding };
    },

    async settle(redriveId, fence, { redriven, left, campaignId, eventEnds }) {
      const done = await fenced(redriveId, fence, async (tx) => {
        if (redriven.length > 0)
          await tx.count(
            `UPDATE redriven_messages AS m SET state = 'redriven' FROM unnest($1::uuid[], $2::int[]) AS d (message_id, run)
             WHERE m.message_id = d.message_id AND m.run = d.run AND m.redrive_id = $3`,
            [redriven.map((m) => m.message_id), redriven.map((m) => m.run), redriveId],
          );
        if (left.length > 0)
          await tx.count(
            `DELETE FROM redriven_messages AS m USING unnest($1::uuid[], $2::int[]) AS d (message_id, run)
             WHERE m.message_id = d.message_id AND m.run = d.run AND m.redrive_id = $3`,
            [left.map(({ mark }) => mark.message_id), left.map(({ mark }) => mark.run), redriveId],
          );
        const byCause = Object.fromEntries([...Map.groupBy(left, (l) => l.cause)].map(([c, list]) => [c, list.length]));
        if (redriven.length + left.length > 0)
          await tx.count(
            `UPDATE redrives SET redriven = redriven + $2, left_as_they_are = left_as_they_are || (
               SELECT coalesce(jsonb_object_agg(key, coalesce((left_as_they_are->>key)::bigint, 0) + value::bigint), '{}')
               FROM jsonb_each_text($3::jsonb))
             WHERE redrive_id = $1`,
            [redriveId, redriven.length, JSON.stringify(byCause)],
          );
        if (campaignId !== undefined && eventEnds !== undefined)
          await tx.count(
            `UPDATE redrive_campaigns SET event_ends = event_ends || (
               SELECT coalesce(jsonb_object_agg(key, greatest(coalesce((event_ends->>key)::bigint, 0), value::bigint)), '{}')
               FROM jsonb_each_text($3::jsonb))
             WHERE redrive_id = $1 AND campaign_id = $2`,
            [redriveId, campaignId, JSON.stringify(eventEnds)],
          );
      });
      return done?.lease;
    },

    async finish(redriveId, fence, status) {
      const done = await fenced(redriveId, fence, async (tx) => {
        await tx.count('UPDATE redrive_campaigns SET open = false WHERE redrive_id = $1 AND open', [redriveId]);
        await tx.count('UPDATE redrives SET status = $2, finished_at = now() WHERE redrive_id = $1', [
          redriveId,
          status,
        ]);
      });
      return done !== undefined;
    },

    async release(redriveId, fence) {
      const sql = `UPDATE redrives SET lease_until = '-infinity' WHERE redrive_id = $1 AND owner = $2 AND fence = $3`;
      await ask(pool, sql, [redriveId, owner, fence]);
    },
  };
}

/** Marks outlive what they are about, and no longer. */
export async function forgetOldMarks(pool: Pool): Promise<void> {
  await ask(pool, `DELETE FROM redriven_messages WHERE state <> 'selected' AND marked_at < now() - ${FORGET_AFTER}`);
  await ask(
    pool,
    `DELETE FROM redrive_campaigns AS h USING redrives AS r
     WHERE r.redrive_id = h.redrive_id AND r.finished_at < now() - ${FORGET_AFTER}`,
  );
}
