import { TERMINAL_KINDS } from '@volley/contract';
import type { Failpoints } from '@volley/runtime';
import { campaignPart, emptyTally } from '../../core/progress.ts';
import type { FrozenRecipients, FrozenRow, ProgressReader, ProgressStore, Tally } from '../../ports.ts';
import { ask, inTransaction, type Pool } from './pool.ts';

const ENDED = TERMINAL_KINDS.join(' + ');
const COUNTS = [...TERMINAL_KINDS, 'retrying', 'redriven', 'surplus'] as const;
const COLUMNS = [...COUNTS, 'first_at', 'last_at'];
const SAVE_TIMEOUT_MS = 10_000;

export type CountRow = Record<(typeof COUNTS)[number] | 'partition', number> & {
  readonly first_at?: Date | null;
  readonly last_at?: Date | null;
};

const COUNTS_SQL = `SELECT partition, ${COLUMNS.join(', ')} FROM progress_counts WHERE campaign_id = $1`;
/** Without the times, for whoever needs only numbers of many campaigns at once. */
export const COUNTS_AS_JSON = `json_build_object('partition', partition, ${COUNTS.map((c) => `'${c}', ${c}`).join(', ')})`;

export function tallyOf(row: CountRow): Tally {
  const { partition: _, first_at, last_at, ...counts } = row;
  return { ...counts, firstAtMs: first_at?.getTime() ?? null, lastAtMs: last_at?.getTime() ?? null };
}

export function createProgressStore(pool: Pool, failpoints: Failpoints): ProgressStore {
  const committing = async (commit: () => Promise<void>) => {
    await failpoints.hit('progress.beforeCommit');
    await commit();
  };
  return {
    async offsets(topic, partitions) {
      const rows = await ask<{ partition: number; next: number; cluster: string | null }>(
        pool,
        'SELECT partition, next_offset AS next, cluster FROM progress_offsets WHERE topic = $1 AND partition = ANY($2::int[])',
        [topic, partitions],
      );
      return new Map(rows.map(({ partition, next, cluster }) => [partition, { next, cluster }]));
    },

    async part(campaignId, partition) {
      const [campaign] = await ask<{ expected: number }>(
        pool,
        "SELECT expected FROM campaigns WHERE campaign_id = $1 AND status <> 'draft'",
        [campaignId],
      );
      if (!campaign) return undefined;
      const [counts] = await ask<CountRow>(pool, `${COUNTS_SQL} AND partition = $2`, [campaignId, partition]);
      return campaignPart(campaign.expected, counts ? tallyOf(counts) : emptyTally());
    },

    save: (save) =>
      inTransaction<'saved' | 'fenced'>(
        pool,
        async (tx) => {
          const offsets = save.partitions.map((p) => ({
            p: p.partition,
            f: p.from,
            n: p.next,
            e: p.logEnd,
            t: p.eventAtMs === null ? null : new Date(p.eventAtMs).toISOString(),
          }));
          await tx.count(
            `INSERT INTO progress_offsets (topic, partition, next_offset, log_end, event_at)
           SELECT $1, p, 0, 0, NULL FROM json_to_recordset($2::json) AS o(p int, f bigint) WHERE f = 0
           ON CONFLICT DO NOTHING`,
            [save.topic, JSON.stringify(offsets)],
            SAVE_TIMEOUT_MS,
          );
          // A zombie saves from an offset that is no longer the one in here. All or nothing: its counts go with it.
          const saved = await tx.count(
            `UPDATE progress_offsets SET next_offset = n, log_end = e, event_at = t, saved_at = now(), cluster = $3
           FROM json_to_recordset($2::json) AS o(p int, f bigint, n bigint, e bigint, t timestamptz)
           WHERE topic = $1 AND partition = p AND next_offset = f AND coalesce(cluster, $3) = $3`,
            [save.topic, JSON.stringify(offsets), save.cluster],
          );
          if (saved !== offsets.length) return { undo: 'fenced' };
          const counts = save.partitions.flatMap((p) =>
            p.changed.map(({ campaignId, part }) => ({
              ...part.tally,
              campaign_id: campaignId,
              partition: p.partition,
              first_at: part.tally.firstAtMs === null ? null : new Date(part.tally.firstAtMs).toISOString(),
              last_at: part.tally.lastAtMs === null ? null : new Date(part.tally.lastAtMs).toISOString(),
            })),
          );
          if (counts.length > 0) {
            await tx.count(
              `INSERT INTO progress_counts (campaign_id, partition, ${COLUMNS.join(', ')})
             SELECT campaign_id, partition, ${COLUMNS.join(', ')} FROM json_to_recordset($1::json) AS c(campaign_id uuid,
               partition int, ${COLUMNS.map((c) => `${c} ${c.endsWith('_at') ? 'timestamptz' : 'bigint'}`).join(', ')})
             ON CONFLICT (campaign_id, partition) DO UPDATE SET ${COLUMNS.map((c) => `${c} = excluded.${c}`).join(', ')}`,
              [JSON.stringify(counts)],
            );
          }
          return { commit: 'saved' };
        },
        committing,
      ),

    async complete() {
      // As in core/progress.ts: hasSurplus and isComplete. In one statement, because what holds a redriven campaign ends
      // with the save that takes its messages out of the sum.
      const rows = await ask<{ campaignId: string; failures: boolean; surplus: boolean }>(
        pool,
        `SELECT campaign_id AS "campaignId", failures, surplus > 0 OR ended > total AS surplus
         FROM (
           SELECT c.campaign_id, c.expected + c.accepted AS total,
             c.status <> 'cancelling' AND coalesce((c.state->>'open')::boolean, false) AS open,
             coalesce(sum(${ENDED}), 0) AS ended, coalesce(sum(surplus), 0) AS surplus,
             coalesce(sum(failed + dead + expired), 0) > 0 AS failures
           FROM campaigns c LEFT JOIN progress_counts p USING (campaign_id)
           WHERE c.status IN ('running', 'paused', 'cancelling') GROUP BY c.campaign_id
         ) AS u
         WHERE surplus > 0 OR NOT open AND (
           ended > total OR ended = total AND NOT EXISTS (SELECT 1 FROM redrive_holds h WHERE h.campaign_id = u.campaign_id))`,
      );
      const done = rows.filter((row) => !row.surplus);
      return { done, surplus: rows.length - done.length };
    },
  };
}

export function createProgressReader(pool: Pool): ProgressReader {
  return {
    async tallies(campaignId) {
      const rows = await ask<CountRow>(pool, COUNTS_SQL, [campaignId]);
      return new Map(rows.map((row) => [row.partition, tallyOf(row)]));
    },
    async countedTo(topic) {
      const rows = await ask<{ partition: number; next: number; event_at: Date | null }>(
        pool,
        'SELECT partition, next_offset AS next, event_at FROM progress_offsets WHERE topic = $1',
        [topic],
      );
      return new Map(
        rows.map(({ partition, next, event_at }) => [partition, { next, eventAtMs: event_at?.getTime() ?? null }]),
      );
    },
  };
}

const FROZEN = `SELECT ordinal, recipient, name, tags, attributes::text AS attributes FROM campaign_recipients WHERE campaign_id = $1`;

export function createFrozenRecipients(pool: Pool): FrozenRecipients {
  return {
    // A range with two ends, as in fanout-store.ts.
    page: (campaignId, after, limit) =>
      ask<FrozenRow>(
        pool,
        `${FROZEN} AND ordinal > $2 AND ordinal <= $2::bigint + $3::bigint ORDER BY ordinal LIMIT $3`,
        [campaignId, after, limit],
      ),
    ofRecipient: (campaignId, recipient, after, last) =>
      ask<FrozenRow>(pool, `${FROZEN} AND ordinal > $2 AND ordinal <= $3 AND lower(recipient) = $4 ORDER BY ordinal`, [
        campaignId,
        after,
        last,
        recipient.toLowerCase(),
      ]),
    ofContact: async (campaignId, contactId) =>
      (await ask<FrozenRow>(pool, `${FROZEN} AND contact_id = $2`, [campaignId, contactId]))[0],
    byOrdinals: (campaignId, ordinals) =>
      ask<FrozenRow>(pool, `${FROZEN} AND ordinal = ANY($2::bigint[]) ORDER BY ordinal`, [campaignId, ordinals]),
  };
}
