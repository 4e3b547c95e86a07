import {
  REPLAY_BRIEF_SQL,
  REPLAY_JOB_SQL,
  type ReplayJob,
  type ReplayStatus,
  type ReplayTarget,
  replayJobOf,
} from '@volley/contract/replays';
import type { Result } from '../../ports.ts';
import type { ReplayStore, StandingReplay } from '../../replay-ports.ts';
import { ask, inTransaction, type Pool, type Transaction } from './pool.ts';

const KEPT_ACTIONS = 100;

interface Row {
  readonly job: ReplayJob;
  readonly pause_requested: boolean;
  readonly cancel_requested: boolean;
  readonly actions: StandingReplay['actions'];
}
const FLAGS = 'pause_requested, cancel_requested';

const standingOf = (row: Row): StandingReplay => ({
  job: replayJobOf(row.job),
  pauseRequested: row.pause_requested,
  cancelRequested: row.cancel_requested,
  actions: row.actions,
});

const time = (parameter: string) => `to_timestamp(${parameter}::double precision / 1000)`;

export async function addReplay(tx: Transaction, job: ReplayJob): Promise<void> {
  await tx.count(
    `INSERT INTO replays (replay_id, tenant_id, target, status, reason_text, asked_by, campaign_id, from_at, to_at, kinds,
       rate_per_second, options, ranges, total, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, ${time('$8')}, ${time('$9')}, $10, $11, $12, $13, $14, ${time('$15')})`,
    [
      job.replay_id,
      job.tenant_id,
      job.target,
      job.status,
      job.reason,
      job.asked_by,
      job.campaign_id ?? null,
      job.from ?? null,
      job.to ?? null,
      job.kinds === undefined ? null : JSON.stringify(job.kinds),
      job.rate_per_second,
      JSON.stringify(job.options),
      JSON.stringify(job.ranges),
      job.total,
      job.created_at,
    ],
  );
}

export function createReplayStore(pool: Pool): ReplayStore {
  return {
    async find(tenantId, replayId) {
      const [row] = await ask<Row>(
        pool,
        `SELECT ${REPLAY_JOB_SQL}, ${FLAGS}, actions FROM replays WHERE tenant_id = $1 AND replay_id = $2`,
        [tenantId, replayId],
      );
      return row && standingOf(row);
    },

    async list(tenantId, { before, limit }) {
      const values: unknown[] = [tenantId, limit];
      const below = before === undefined ? '' : ` AND replay_id < $${values.push(before)}`;
      const rows = await ask<Row>(
        pool,
        `SELECT ${REPLAY_BRIEF_SQL}, ${FLAGS}, '[]'::jsonb AS actions FROM replays
         WHERE tenant_id = $1${below} ORDER BY replay_id DESC LIMIT $2`,
        values,
      );
      return rows.map(standingOf);
    },

    change: (tenantId, replayId, asked, decide) =>
      inTransaction<Result<StandingReplay> | undefined>(pool, async (tx) => {
        // A process that saves its progress waits for the end of this transaction, and then hears of what was asked.
        const [row] = await tx.rows<Row>(
          `SELECT ${REPLAY_JOB_SQL}, ${FLAGS}, actions FROM replays WHERE tenant_id = $1 AND replay_id = $2 FOR UPDATE`,
          [tenantId, replayId],
        );
        if (!row) return { undo: undefined };
        const standing = standingOf(row);
        const decided = decide(standing);
        if (!decided.ok) return { undo: decided };
        const change = decided.value;
        if (Object.keys(change).length === 0) return { undo: { ok: true, value: standing } };
        const actions = [...standing.actions, asked].slice(-KEPT_ACTIONS);
        const [changed] = await tx.rows<Row>(
          `UPDATE replays SET status = coalesce($2, status), pause_requested = coalesce($3, pause_requested),
             cancel_requested = coalesce($4, cancel_requested), undo_requested = coalesce($5, undo_requested),
             finished_at = CASE WHEN $6 THEN ${time('$7')} ELSE finished_at END, actions = $8
           WHERE replay_id = $1 RETURNING ${REPLAY_JOB_SQL}, ${FLAGS}, actions`,
          [
            replayId,
            change.status ?? null,
            change.pauseRequested ?? null,
            change.cancelRequested ?? null,
            change.undoRequested ?? null,
            change.ended ?? false,
            asked.at,
            JSON.stringify(actions),
          ],
        );
        return { commit: { ok: true, value: standingOf(changed as Row) } };
      }),

    async unfinished(tenantId) {
      const [row] = await ask<{ n: number }>(
        pool,
        `SELECT count(*)::integer AS n FROM replays WHERE tenant_id = $1 AND status IN ('pending', 'running', 'paused')`,
        [tenantId],
      );
      return row?.n ?? 0;
    },

    async pace(target) {
      const [row] = await ask<{ pace: number | null }>(
        pool,
        `SELECT max(done / extract(epoch FROM finished_at - started_at))::double precision AS pace FROM (
           SELECT done, started_at, finished_at FROM replays
           WHERE target = $1 AND status = 'done' AND done >= 1000 AND finished_at > started_at
           ORDER BY replay_id DESC LIMIT 5) AS last`,
        [target],
      );
      return row?.pace ?? undefined;
    },

    counts: () =>
      ask<{ target: ReplayTarget; status: ReplayStatus; jobs: number }>(
        pool,
        'SELECT target, status, count(*)::integer AS jobs FROM replays GROUP BY target, status',
      ),
  };
}
