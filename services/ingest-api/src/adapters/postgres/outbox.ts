import type { Outbox } from '../../ports.ts';
import { FACTS_SQL, factOf } from './campaign-store.ts';
import { ask, type Pool } from './pool.ts';

export function createOutbox(pool: Pool): Outbox {
  return {
    async due(limit, also) {
      const rows = await ask<{ campaign_id: string; published_version: number }>(
        pool,
        `(SELECT campaign_id, published_version FROM campaigns WHERE version > published_version
          ORDER BY campaign_id LIMIT $1)
         UNION SELECT campaign_id, published_version FROM campaigns WHERE campaign_id = ANY($2::uuid[])`,
        [limit, also],
      );
      if (rows.length === 0) return [];
      const facts = (await ask<Parameters<typeof factOf>[0]>(pool, FACTS_SQL, [rows.map((r) => r.campaign_id)])).map(
        factOf,
      );
      const byCampaign = Map.groupBy(facts, (fact) => fact.campaign_id);
      return rows.map((row) => ({
        campaignId: row.campaign_id,
        publishedVersion: row.published_version,
        facts: byCampaign.get(row.campaign_id) ?? [],
      }));
    },

    async advance(lease, published) {
      await ask(
        pool,
        `UPDATE campaigns SET published_version = greatest(published_version, v)
         FROM unnest($1::uuid[], $2::int[]) AS done(id, v)
         WHERE campaign_id = id AND EXISTS (SELECT 1 FROM leases WHERE name = $3 AND fence = $4)`,
        [[...published.keys()], [...published.values()], lease.name, lease.fence],
      );
    },
  };
}
