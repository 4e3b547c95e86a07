import { type CampaignStatus, rehearsalTenantOf, TERMINAL_KINDS } from '@volley/contract';
import type { AuditRun, AuditStore, CampaignFacts } from '../../audit-ports.ts';
import { totalsOf } from '../../core/audit.ts';
import { emptyTally, type Tally } from '../../core/progress.ts';
import { ask, inTransaction, type Pool } from './pool.ts';

/** Counting five million frozen rows, or what has changed among a hundred thousand campaigns, takes a few seconds. */
const LONG_TIMEOUT_MS = 60_000;
/** What has not changed is audited once a night, also where a run that failed in part is made again. */
const REST = '12 hours';
const SHOWN = 100;
const KEPT_RUNS = 100;
/** Of a run that could compare everything. */
const COMPLETE = 'finished_at IS NOT NULL AND partitions IS NOT NULL AND failed = 0';
const COUNTERS = [...TERMINAL_KINDS, 'retrying', 'redriven', 'surplus'] as const;
const sums = COUNTERS.map((name) => `coalesce(sum(p.${name}), 0)::bigint AS ${name}`).join(', ');
/** What a campaign has, in one value: another one after anything that an audit compares has changed. */
const SEEN = `concat_ws(' ', c.version, c.status, c.expected, c.accepted, ${COUNTERS.map((name) => `p.${name}`).join(', ')})`;

interface FactsRow extends Record<(typeof COUNTERS)[number], number> {
  campaign_id: string;
  tenant_id: string;
  status: CampaignStatus;
  sent_at: number | null;
  expected: number;
  accepted: number;
  frozen: number;
  offsets: { partition: number; next: number }[];
  partitions: number[];
  seen: string;
}

interface RunRow {
  run_id: number;
  started_at: Date;
  finished_at: Date | null;
  checked: number;
  failed: number;
  left_over: number;
  partitions: AuditRun['partitions'];
}
const runOf = (row: RunRow): AuditRun => ({
  runId: row.run_id,
  startedAtMs: row.started_at.getTime(),
  finishedAtMs: row.finished_at?.getTime() ?? null,
  checked: row.checked,
  failed: row.failed,
  left: row.left_over,
  partitions: row.partitions,
});

function factsOf(row: FactsRow): CampaignFacts {
  const cut: number[] = [];
  for (const { partition, next } of row.offsets) cut[partition] = next;
  const counts = Object.fromEntries(COUNTERS.map((name) => [name, row[name]]));
  return {
    campaign_id: row.campaign_id,
    tenant_id: row.tenant_id,
    status: row.status,
    sentAtMs: row.sent_at ?? 0,
    expected: row.expected,
    accepted: row.accepted,
    frozen: row.frozen,
    tally: { ...emptyTally(), ...counts } as Tally,
    cut: Array.from(cut, (next) => next ?? 0),
    partitions: row.partitions,
    seen: row.seen,
  };
}

/** A rehearsal gives its audience back when it has ended: nothing of it adds up any more, and nobody relies on it. */
const AUDITED = `NOT c.deleted AND right(c.tenant_id, ${rehearsalTenantOf('').length}) <> '${rehearsalTenantOf('')}'`;

export function createAuditStore(pool: Pool): AuditStore {
  /** One statement that may take longer than a request's. */
  const askLong = <R>(text: string, values: readonly unknown[]) =>
    inTransaction<R[]>(pool, async (tx) => ({ commit: await tx.rows<R>(text, values, LONG_TIMEOUT_MS) }));

  return {
    async facts(campaignId, topic) {
      // One statement, so one moment: counts and the offsets up to which they count are saved together.
      const [row] = await askLong<FactsRow>(
        `WITH p AS (SELECT ${sums} FROM progress_counts p WHERE p.campaign_id = $1)
         SELECT c.campaign_id, c.tenant_id, c.status, (c.state->>'sent_at')::float8 AS sent_at, c.expected, c.accepted,
           p.*, ${SEEN} AS seen,
           (SELECT count(*) FROM campaign_recipients r WHERE r.campaign_id = $1) AS frozen,
           (SELECT coalesce(json_agg(json_build_object('partition', partition, 'next', next_offset)), '[]')
            FROM progress_offsets WHERE topic = $2) AS offsets,
           (SELECT coalesce(json_agg(partition), '[]') FROM progress_counts n WHERE n.campaign_id = $1) AS partitions
         FROM campaigns c CROSS JOIN p WHERE c.campaign_id = $1 AND ${AUDITED} AND c.status <> 'draft'`,
        [campaignId, topic],
      );
      return row && factsOf(row);
    },

    async save(audit, seen) {
      await ask(
        pool,
        `INSERT INTO campaign_audits (campaign_id, tenant_id, verdict, seen, differences, report, audited_at)
         SELECT campaign_id, tenant_id, $2, $3, $4, $5, $6 FROM campaigns WHERE campaign_id = $1
         ON CONFLICT (campaign_id) DO UPDATE SET verdict = excluded.verdict, seen = excluded.seen,
           differences = excluded.differences, report = excluded.report, audited_at = excluded.audited_at
         WHERE campaign_audits.audited_at <= excluded.audited_at
           AND NOT (campaign_audits.verdict = 'different' AND excluded.verdict IN ('lagging', 'not_kept'))`,
        [
          audit.campaign_id,
          audit.verdict,
          seen,
          JSON.stringify(totalsOf(audit.figures)),
          JSON.stringify(audit),
          audit.as_of,
        ],
      );
    },

    async due({ beforeMs, keptFromMs, limit }) {
      const rows = await askLong<{ campaign_id: string; due: number }>(
        `WITH p AS (SELECT p.campaign_id, ${sums} FROM progress_counts p GROUP BY p.campaign_id),
           none AS (SELECT ${COUNTERS.map((name) => `0::bigint AS ${name}`).join(', ')}),
           now AS (
             SELECT c.campaign_id, c.state, ${SEEN} AS seen FROM campaigns c JOIN p USING (campaign_id)
             WHERE c.status <> 'draft' AND ${AUDITED}
             UNION ALL
             SELECT c.campaign_id, c.state, ${SEEN} FROM campaigns c CROSS JOIN none p
             WHERE c.status <> 'draft' AND ${AUDITED}
               AND NOT EXISTS (SELECT 1 FROM progress_counts n WHERE n.campaign_id = c.campaign_id)),
           audited AS (
             SELECT now.campaign_id, audited_at, (now.state->>'sent_at')::float8 AS sent_at,
               a.seen IS DISTINCT FROM now.seen
                 OR a.verdict IN ('different', 'lagging') AND audited_at < to_timestamp($1::float8 / 1000) AS due
             FROM now LEFT JOIN campaign_audits a USING (campaign_id))
         SELECT campaign_id, count(*) FILTER (WHERE due) OVER () AS due FROM audited
         WHERE due OR sent_at >= $2 AND audited_at < to_timestamp($1::float8 / 1000) - interval '${REST}'
         ORDER BY audited.due DESC, audited_at NULLS FIRST, campaign_id LIMIT $3`,
        [beforeMs, keptFromMs, limit],
      );
      return { campaignIds: rows.map((row) => row.campaign_id), due: rows[0]?.due ?? 0 };
    },

    async lastRun() {
      const [row] = await ask<RunRow>(pool, 'SELECT * FROM audit_runs ORDER BY run_id DESC LIMIT 1');
      return row && runOf(row);
    },

    async beginRun(startedAtMs) {
      const [row] = await ask<RunRow>(
        pool,
        'INSERT INTO audit_runs (started_at) VALUES (to_timestamp($1::float8 / 1000)) RETURNING *',
        [startedAtMs],
      );
      const run = runOf(row as RunRow);
      // Whatever fails every hour for days must not take away what was found last.
      await ask(
        pool,
        `DELETE FROM audit_runs WHERE run_id <= $1
           AND run_id <> ALL (SELECT max(run_id) FROM audit_runs WHERE partitions IS NOT NULL
             UNION ALL SELECT max(run_id) FROM audit_runs WHERE ${COMPLETE})`,
        [run.runId - KEPT_RUNS],
      );
      return run;
    },

    async saveRun(run) {
      await ask(
        pool,
        `UPDATE audit_runs SET finished_at = to_timestamp($2::float8 / 1000), checked = $3, failed = $4, left_over = $5,
           partitions = $6 WHERE run_id = $1 AND finished_at IS NULL`,
        [
          run.runId,
          run.finishedAtMs,
          run.checked,
          run.failed,
          run.left,
          run.partitions === null ? null : JSON.stringify(run.partitions),
        ],
      );
    },

    async lastFound() {
      const [row] = await ask<{ partitions: AuditRun['partitions']; complete_at: Date | null }>(
        pool,
        `SELECT (SELECT partitions FROM audit_runs WHERE partitions IS NOT NULL ORDER BY run_id DESC LIMIT 1) AS partitions,
           (SELECT finished_at FROM audit_runs WHERE ${COMPLETE} ORDER BY run_id DESC LIMIT 1) AS complete_at`,
      );
      return { partitions: row?.partitions ?? null, completeAtMs: row?.complete_at?.getTime() ?? null };
    },

    async summary() {
      const [counts] = await ask<{ audited: number; different: number; lagging: number }>(
        pool,
        `SELECT count(*) AS audited, count(*) FILTER (WHERE verdict = 'different') AS different,
           count(*) FILTER (WHERE verdict = 'lagging') AS lagging FROM campaign_audits`,
      );
      const totals = await ask<{ figure: string; n: number }>(
        pool,
        `SELECT d.key AS figure, sum(d.value::bigint)::bigint AS n
         FROM campaign_audits a, jsonb_each_text(a.differences) d WHERE a.verdict IN ('different', 'lagging')
         GROUP BY d.key ORDER BY d.key`,
      );
      const shown = await ask<{ campaign_id: string; audited_at: Date; differences: Record<string, number> }>(
        pool,
        `SELECT campaign_id, audited_at, differences FROM campaign_audits WHERE verdict = 'different'
         ORDER BY campaign_id LIMIT ${SHOWN}`,
      );
      return {
        campaigns: counts ?? { audited: 0, different: 0, lagging: 0 },
        differences: Object.fromEntries(totals.map(({ figure, n }) => [figure, n])),
        different: shown.map((row) => ({ ...row, audited_at: row.audited_at.toISOString() })),
      };
    },
  };
}
