import type { Clock } from '@volley/runtime';
import type { Checkpoint, FanoutStore, FrozenRow } from '../../ports.ts';
import { type CampaignRow, campaignOf } from './campaign-store.ts';
import { LEASE_MS, leaseFrom } from './leases.ts';
import { ask, type Pool, storeError } from './pool.ts';
import { COUNTS_AS_JSON, type CountRow, tallyOf } from './progress-store.ts';

/** Fan-out has no use for texts, which are most of a campaign's bytes. */
const UNDER_WAY_SQL = `
  SELECT c.state || '{"template":"","subject":""}' AS state, c.accepted, coalesce(f.ordinal, 0) AS ordinal,
    coalesce(f.finished, true) AS finished, c.published_version >= (c.state->>'sent_version')::int AS published,
    (SELECT json_agg(${COUNTS_AS_JSON}) FROM progress_counts WHERE campaign_id = c.campaign_id) AS counts
  FROM campaigns c LEFT JOIN campaign_fanout f USING (campaign_id)
  WHERE c.status IN ('running', 'paused', 'cancelling') ORDER BY c.campaign_id`;

/**
 * Ordinals have no gap, so a page is a range with two ends. With LIMIT in place of the upper end the planner, which knows
 * nothing yet of rows inserted a second ago, read and sorted the whole rest for each page: 55 ms instead of 1.
 */
const PAGE_SQL = `SELECT ordinal, recipient, name, array_to_string(tags, E'\\x1f') AS tags, attributes::text AS attributes
  FROM campaign_recipients WHERE campaign_id = $1 AND ordinal > $2 AND ordinal <= $2::bigint + $3::bigint ORDER BY ordinal`;

/** `owner` is stable for a slot, see leases.ts. */
export function createFanoutStore(pool: Pool, owner: string, clock: Clock): FanoutStore {
  return {
    async underWay() {
      const rows = await ask<
        CampaignRow & { ordinal: number; finished: boolean; published: boolean; counts: CountRow[] | null }
      >(pool, UNDER_WAY_SQL);
      return rows.map((row) => ({
        campaign: campaignOf(row),
        written: row.ordinal,
        tallies: new Map((row.counts ?? []).map((counts) => [counts.partition, tallyOf(counts)])),
        finished: row.finished,
        published: row.published,
      }));
    },

    async claim(campaignId) {
      const asked = clock.monotonicMs();
      const rows = await ask<{ fence: number; ordinal: number; log_ends: Checkpoint['logEnds'] | null }>(
        pool,
        `UPDATE campaign_fanout SET owner = $2, fence = fence + 1, lease_until = now() + $3 * interval '1 ms'
         WHERE campaign_id = $1 AND NOT finished AND (owner = $2 OR lease_until < now())
         RETURNING fence, ordinal, log_ends`,
        [campaignId, owner, LEASE_MS],
      );
      const row = rows[0];
      if (!row) return undefined;
      return {
        lease: leaseFrom(clock, asked, row.fence),
        checkpoint: { ordinal: row.ordinal, logEnds: row.log_ends ?? undefined },
      };
    },

    async page(campaignId, afterOrdinal, limit) {
      try {
        const result = await pool.query({
          text: PAGE_SQL,
          values: [campaignId, afterOrdinal, limit],
          rowMode: 'array',
        });
        // Tags hold no control characters, so one separates them; parsing array literals was the dearest part of a row.
        return result.rows.map(
          ([ordinal, recipient, name, tags, attributes]): FrozenRow => ({
            ordinal,
            recipient,
            name,
            tags: tags === '' ? [] : tags.split('\x1f'),
            attributes,
          }),
        );
      } catch (error) {
        throw storeError(error);
      }
    },

    async checkpoint(campaignId, fence, checkpoint, mode) {
      const asked = clock.monotonicMs();
      const rows = await ask<{ fence: number }>(
        pool,
        `UPDATE campaign_fanout SET ordinal = $4, log_ends = $5, finished = finished OR $6,
           lease_until = CASE WHEN $7 THEN '-infinity' ELSE now() + $8 * interval '1 ms' END
         WHERE campaign_id = $1 AND owner = $2 AND fence = $3 RETURNING fence`,
        [
          campaignId,
          owner,
          fence,
          checkpoint.ordinal,
          checkpoint.logEnds ?? null,
          mode === 'finished',
          mode !== undefined,
          LEASE_MS,
        ],
      );
      return rows[0] && leaseFrom(clock, asked, fence);
    },
  };
}
