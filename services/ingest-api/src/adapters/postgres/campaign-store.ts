import type { Failpoints } from '@volley/runtime';
import {
  type Answer,
  type Campaign,
  type CampaignFact,
  type CampaignStore,
  type CampaignTransaction,
  type Segment,
  type StoredFact,
  StoreUnavailable,
} from '../../ports.ts';
import { ask, inTransaction, type Pool, type Transaction } from './pool.ts';
import { addReplay } from './replay-store.ts';
import { segmentCondition } from './segment-sql.ts';

/** Freezing five million rows takes about a minute. */
const FREEZE_TIMEOUT_MS = 300_000;

interface FactRow {
  event_id: string;
  campaign_id: string;
  version: number;
  type: string;
  data: Record<string, unknown>;
  occurred_at: Date;
}

export interface CampaignRow {
  readonly state: Campaign;
  readonly accepted: number;
}
/** A state that an older version wrote does not say whether it is open: there were no direct messages. */
export const campaignOf = ({ state, accepted }: CampaignRow): Campaign => ({
  ...state,
  accepted,
  open: state.open ?? false,
});

export const factOf = (row: FactRow): StoredFact => ({
  event_id: row.event_id,
  campaign_id: row.campaign_id,
  version: row.version,
  occurred_at: row.occurred_at.getTime(),
  fact: { type: row.type, ...row.data } as unknown as CampaignFact,
});

export const FACTS_SQL = `SELECT event_id, campaign_id, version, type, data, occurred_at
  FROM campaign_events WHERE campaign_id = ANY($1::uuid[]) ORDER BY campaign_id, version`;

/** What a search looks for is text: its wildcards, and what takes their meaning away, are characters like others. */
const escapeLike = (text: string): string => text.replace(/[\\%_]/g, '\\$&');

function transactionOn(tx: Transaction): CampaignTransaction {
  /** Takes the row: whoever else commands this campaign waits for the end of this transaction. */
  async function isOutdated({ campaign_id, version }: Campaign): Promise<boolean> {
    const sql = 'SELECT version FROM campaigns WHERE campaign_id = $1 FOR UPDATE';
    const [row] = await tx.rows<{ version: number }>(sql, [campaign_id]);
    return row?.version !== version;
  }

  async function freezeOf(campaign: Campaign, tenantId: string, segment: Segment): Promise<number | 'conflict'> {
    if (await isOutdated(campaign)) return 'conflict';
    const values: unknown[] = [campaign.campaign_id, tenantId];
    return tx.count(
      `INSERT INTO campaign_recipients (campaign_id, ordinal, contact_id, recipient, name, tags, attributes)
       SELECT $1, row_number() OVER (ORDER BY contact_id), contact_id, recipient, name, coalesce(tags, '{}'), attributes
       FROM contacts WHERE tenant_id = $2${segmentCondition(segment, values)}`,
      values,
      FREEZE_TIMEOUT_MS,
    );
  }

  return {
    facts: async (campaignId) => (await tx.rows<FactRow>(FACTS_SQL, [[campaignId]])).map(factOf),

    async append(stored, state) {
      const { type, ...data } = stored.fact;
      const columns = [state.campaign_id, state.version, state.status, state.deleted, state.expected, state];
      const changed =
        stored.version === 1
          ? await tx.count(
              `INSERT INTO campaigns (campaign_id, version, status, deleted, expected, state, tenant_id)
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
              [...columns, state.tenant_id],
            )
          : // Waits for another command on this row; then the version is no longer the one that was decided on.
            await tx.count(
              `UPDATE campaigns SET version = $2, status = $3, deleted = $4, expected = $5, state = $6
               WHERE campaign_id = $1 AND version = $2 - 1`,
              columns,
            );
      if (changed !== 1) return 'conflict';
      await tx.count(
        `INSERT INTO campaign_events (campaign_id, version, event_id, type, data, occurred_at)
         VALUES ($1, $2, $3, $4, $5, to_timestamp($6::double precision / 1000))`,
        [stored.campaign_id, stored.version, stored.event_id, type, data, stored.occurred_at],
      );
      if (type === 'sent')
        await tx.count('INSERT INTO campaign_fanout (campaign_id) VALUES ($1)', [stored.campaign_id]);
      return 'appended';
    },

    freeze: (campaign, segment) => freezeOf(campaign, campaign.tenant_id, segment),

    async freezeAs(campaign, source, segment) {
      if (source.sent_at === null) return freezeOf(campaign, source.tenant_id, segment);
      if (await isOutdated(campaign)) return 'conflict';
      return tx.count(
        `INSERT INTO campaign_recipients (campaign_id, ordinal, contact_id, recipient, name, tags, attributes)
         SELECT $1, ordinal, contact_id, recipient, name, tags, attributes FROM campaign_recipients WHERE campaign_id = $2`,
        [campaign.campaign_id, source.campaign_id],
        FREEZE_TIMEOUT_MS,
      );
    },

    async recall(tenantId, { key, fingerprint }) {
      const [row] = await tx.rows<{ fingerprint: string } & Answer>(
        'SELECT fingerprint, status, body FROM idempotency_keys WHERE tenant_id = $1 AND key = $2',
        [tenantId, key],
      );
      if (!row) return undefined;
      return row.fingerprint === fingerprint ? { status: row.status, body: row.body } : 'other';
    },

    async redriven(campaignId) {
      const [row] = await tx.rows<{ held: boolean }>(
        'SELECT EXISTS (SELECT 1 FROM redrive_holds WHERE campaign_id = $1) AS held',
        [campaignId],
      );
      return row?.held === true;
    },

    async remember(tenantId, { key, fingerprint }, answer) {
      const stored = await tx.count(
        `INSERT INTO idempotency_keys (tenant_id, key, fingerprint, status, body) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING`,
        [tenantId, key, fingerprint, answer.status, JSON.stringify(answer.body)],
      );
      return stored === 1 ? 'stored' : 'conflict';
    },

    addReplay: (job) => addReplay(tx, job),
  };
}

export function createCampaignStore(pool: Pool, failpoints: Failpoints): CampaignStore {
  const committing = async (commit: () => Promise<void>) => {
    await failpoints.hit('ingest.beforeCommit');
    try {
      await failpoints.around('ingest.commit', commit);
    } catch (error) {
      // Whether it is there is not known. The caller hears 503 and repeats: under the same key it gets the same answer.
      throw new StoreUnavailable('postgres', `the outcome of the commit is not known: ${(error as Error).message}`);
    }
    await failpoints.hit('ingest.afterCommit');
  };
  return {
    transaction: (work) => inTransaction(pool, (tx) => work(transactionOn(tx)), committing),

    async find(tenantId, campaignId) {
      const [row] = await ask<CampaignRow>(
        pool,
        'SELECT state, accepted FROM campaigns WHERE tenant_id = $1 AND campaign_id = $2 AND NOT deleted',
        [tenantId, campaignId],
      );
      return row && campaignOf(row);
    },

    async list(tenantId, page) {
      const values: unknown[] = [tenantId, page.limit];
      let where = 'tenant_id = $1 AND NOT deleted';
      if (page.before) where += ` AND campaign_id < $${values.push(page.before)}`;
      if (page.status) where += ` AND status = $${values.push(page.status)}`;
      if (page.channel) where += ` AND channel = $${values.push(page.channel)}`;
      // No index finds a part of a name. One that many have is found on the first rows, newest first; one that hardly any has
      // costs a look at each row: 480 ms of 100,000 with 0.8 KB of template, 32 ms of 20,000 with 8 KB, which lie beside the row
      // (EXPLAIN ANALYZE, 2026-11-22, 2 cores shared with other work).
      if (page.name) where += ` AND name ILIKE $${values.push(`%${escapeLike(page.name)}%`)}`;
      const rows = await ask<CampaignRow>(
        pool,
        `SELECT state, accepted FROM campaigns WHERE ${where} ORDER BY campaign_id DESC LIMIT $2`,
        values,
      );
      return rows.map(campaignOf);
    },

    async between(tenantId, { from, to }) {
      const rows = await ask<CampaignRow>(
        pool,
        `SELECT state, accepted FROM campaigns
         WHERE tenant_id = $1 AND campaign_id BETWEEN $2 AND $3 AND NOT deleted ORDER BY campaign_id`,
        [tenantId, from, to],
      );
      return rows.map(campaignOf);
    },
  };
}

/** Answers are kept for a day: whoever repeats a request does so within minutes. */
export async function forgetOldKeys(pool: Pool): Promise<number> {
  return (await ask(pool, "DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours' RETURNING 1"))
    .length;
}
