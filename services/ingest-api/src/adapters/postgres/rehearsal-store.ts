import { ask, type Pool } from './pool.ts';

/** Takes about a second. */
const ROWS_AT_ONCE = 50_000;

/**
 * The frozen rows of one campaign, in pieces that each stay below the time a statement may take. By ordinals, which have no
 * gap: of a campaign that is new the planner expects one row, and asked anything else it looks at all of them for each one
 * (3,000 rows took longer than 5 s until the table was analyzed, 2026-11-22).
 */
export async function forgetAudience(pool: Pool, campaignId: string): Promise<void> {
  const sql = `WITH gone AS (
      DELETE FROM campaign_recipients WHERE campaign_id = $1
        AND ordinal < ${ROWS_AT_ONCE} + (SELECT min(ordinal) FROM campaign_recipients WHERE campaign_id = $1)
      RETURNING 1)
    SELECT count(*)::int AS rows FROM gone`;
  for (let rows = ROWS_AT_ONCE; rows === ROWS_AT_ONCE; )
    rows = (await ask<{ rows: number }>(pool, sql, [campaignId]))[0]?.rows ?? 0;
}
