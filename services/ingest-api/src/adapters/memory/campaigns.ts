import { memoryReplay } from '@volley/contract/replays-memory';
import type { Campaign, CampaignStore, CampaignTransaction, FrozenRow, Outcome, StoredFact } from '../../ports.ts';
import { audienceOf } from './contacts.ts';
import { isRedriven } from './redrives.ts';
import { type CampaignRow, later, type MemoryState } from './state.ts';

export const campaignOf = ({ state, accepted }: CampaignRow): Campaign => ({ ...state, accepted });

/**
 * Transactions as Postgres has them at READ COMMITTED: others see nothing before the commit, and whoever wants a row or a
 * unique key that an open transaction has taken waits for its end and then finds out.
 */
export function createMemoryCampaigns(state: MemoryState): CampaignStore {
  /** What an open transaction has taken -> its end. */
  const taken = new Map<string, Promise<void>>();

  async function transaction<T>(work: (tx: CampaignTransaction) => Promise<Outcome<T>>): Promise<T> {
    const writes: (() => void)[] = [];
    const mine = new Set<string>();
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const take = async (key: string) => {
      await later();
      for (let other = taken.get(key); other !== undefined && !mine.has(key); other = taken.get(key)) await other;
      taken.set(key, ended);
      mine.add(key);
    };
    /** As of this transaction, its own writes included. */
    const versions = new Map<string, number>();
    const versionOf = (campaignId: string) =>
      versions.get(campaignId) ?? state.campaigns.get(campaignId)?.state.version ?? 0;
    const freeze = async (campaign: Campaign, audience: () => readonly FrozenRow[]) => {
      await take(`campaign ${campaign.campaign_id}`);
      if (versionOf(campaign.campaign_id) !== campaign.version) return 'conflict';
      const rows = audience();
      writes.push(() => state.recipients.set(campaign.campaign_id, rows));
      return rows.length;
    };

    const tx: CampaignTransaction = {
      async facts(campaignId) {
        await later();
        return [...(state.campaigns.get(campaignId)?.facts ?? [])];
      },
      async append(stored, next) {
        await take(`campaign ${stored.campaign_id}`);
        if (stored.version !== versionOf(stored.campaign_id) + 1) return 'conflict';
        versions.set(stored.campaign_id, stored.version);
        writes.push(() => {
          const row = state.campaigns.get(stored.campaign_id);
          const facts: readonly StoredFact[] = [...(row?.facts ?? []), stored];
          const kept = row ?? { publishedVersion: 0, accepted: 0 };
          state.campaigns.set(stored.campaign_id, { ...kept, state: next, facts });
        });
        return 'appended';
      },
      freeze: (campaign, segment) => freeze(campaign, () => audienceOf(state, campaign.tenant_id, segment)),
      freezeAs: (campaign, source, segment) =>
        freeze(campaign, () =>
          source.sent_at === null
            ? audienceOf(state, source.tenant_id, segment)
            : (state.recipients.get(source.campaign_id) ?? []),
        ),
      async recall(tenantId, { key, fingerprint }) {
        await later();
        const known = state.keys.get(`${tenantId} ${key}`);
        return known === undefined ? undefined : known.fingerprint === fingerprint ? known.answer : 'other';
      },
      async redriven(campaignId) {
        await later();
        return isRedriven(state, campaignId);
      },
      async remember(tenantId, { key, fingerprint }, answer) {
        const name = `${tenantId} ${key}`;
        await take(`key ${name}`);
        if (state.keys.has(name)) return 'conflict';
        writes.push(() => state.keys.set(name, { fingerprint, answer }));
        return 'stored';
      },
      async addReplay(job) {
        await later();
        writes.push(() => state.replays.set(job.replay_id, memoryReplay(job)));
      },
    };

    try {
      const outcome = await work(tx);
      await later();
      if (!('commit' in outcome)) return outcome.undo;
      for (const write of writes) write();
      return outcome.commit;
    } finally {
      for (const key of mine) taken.delete(key);
      end();
    }
  }

  const visible = (row: CampaignRow | undefined, tenantId: string) =>
    row !== undefined && row.state.tenant_id === tenantId && !row.state.deleted;

  return {
    transaction,
    async find(tenantId, campaignId) {
      await later();
      const row = state.campaigns.get(campaignId);
      return row !== undefined && visible(row, tenantId) ? campaignOf(row) : undefined;
    },
    async list(tenantId, { before, status, name, channel, limit }) {
      await later();
      return [...state.campaigns.values()]
        .filter((row) => visible(row, tenantId))
        .map(campaignOf)
        .filter(
          (c) =>
            (before === undefined || c.campaign_id < before) &&
            (status === undefined || c.status === status) &&
            (name === undefined || c.name.toLowerCase().includes(name.toLowerCase())) &&
            (channel === undefined || c.channel === channel),
        )
        .sort((a, b) => (a.campaign_id < b.campaign_id ? 1 : -1))
        .slice(0, limit);
    },
    async between(tenantId, { from, to }) {
      await later();
      return [...state.campaigns.values()]
        .filter(({ state: c }) => c.campaign_id >= from && c.campaign_id <= to)
        .filter((row) => visible(row, tenantId))
        .map(campaignOf);
    },
  };
}
