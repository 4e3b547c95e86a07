import type { Checkpoint, FanoutStore, Lease, Leases, Outbox, Tally } from '../../ports.ts';
import { campaignOf } from './campaigns.ts';
import { type FanoutRow, type LeaseRow, later, type MemoryState } from './state.ts';

export interface LeaseTerms {
  /** Who asks. Another one waits until the lease is given back or its time is over. */
  readonly owner: string;
  readonly leaseMs: number;
  readonly monotonicMs: () => number;
}

const leaseOf = (row: LeaseRow, terms: LeaseTerms): Lease => ({
  fence: row.fence,
  valid: () => terms.monotonicMs() < row.untilMs,
});

/** As in Postgres: another owner waits, and whoever takes it anew has a higher fence, also a restart of the same owner. */
function taken(known: LeaseRow | undefined, terms: LeaseTerms, held: number | undefined): LeaseRow | undefined {
  const now = terms.monotonicMs();
  const mine = known?.owner === terms.owner && (held === undefined || held === known.fence);
  if (known !== undefined && !mine && now < known.untilMs) return undefined;
  const fence = mine && held === known.fence ? known.fence : (known?.fence ?? 0) + 1;
  return { owner: terms.owner, fence, untilMs: now + terms.leaseMs };
}

export function createMemoryLeases(state: MemoryState, terms: LeaseTerms): Leases {
  const held = new Map<string, number>();
  return {
    async hold(name) {
      await later();
      const row = taken(state.leases.get(name), terms, held.get(name));
      held.delete(name);
      if (row === undefined) return undefined;
      held.set(name, row.fence);
      state.leases.set(name, row);
      return leaseOf(row, terms);
    },
    async release() {
      for (const [name, row] of state.leases)
        if (row.owner === terms.owner && row.fence === held.get(name))
          state.leases.set(name, { ...row, untilMs: Number.NEGATIVE_INFINITY });
      held.clear();
    },
  };
}

export function createMemoryOutbox(state: MemoryState): Outbox {
  return {
    async due(limit, also) {
      await later();
      const out = [];
      for (const [campaignId, { state: campaign, facts, publishedVersion }] of state.campaigns) {
        if (campaign.version > publishedVersion || also.includes(campaignId))
          out.push({ campaignId, publishedVersion, facts: [...facts] });
      }
      return out.slice(0, limit);
    },
    async advance({ name, fence }, published) {
      await later();
      if (state.leases.get(name)?.fence !== fence) return;
      for (const [campaignId, version] of published) {
        const row = state.campaigns.get(campaignId);
        if (row !== undefined && version > row.publishedVersion)
          state.campaigns.set(campaignId, { ...row, publishedVersion: version });
      }
    },
  };
}

const UNDER_WAY = new Set(['running', 'paused', 'cancelling']);
const NEVER_WRITTEN: Checkpoint = { ordinal: 0, logEnds: undefined };

export function createMemoryFanout(
  state: MemoryState,
  terms: LeaseTerms,
  talliesOf: (campaignId: string) => ReadonlyMap<number, Tally>,
): FanoutStore {
  return {
    async underWay() {
      await later();
      return [...state.campaigns.values()]
        .filter(({ state: campaign }) => UNDER_WAY.has(campaign.status))
        .map((known) => {
          const campaign = campaignOf(known);
          const row = state.fanout.get(campaign.campaign_id);
          return {
            campaign,
            written: row?.checkpoint.ordinal ?? 0,
            tallies: talliesOf(campaign.campaign_id),
            finished: row?.finished ?? campaign.expected === 0,
            published: known.publishedVersion >= campaign.sent_version,
          };
        });
    },
    async claim(campaignId) {
      await later();
      const known = state.fanout.get(campaignId);
      const lease = known?.finished ? undefined : taken(known, terms, undefined);
      if (lease === undefined) return undefined;
      const row: FanoutRow = { checkpoint: NEVER_WRITTEN, finished: false, ...known, ...lease };
      state.fanout.set(campaignId, row);
      return { lease: leaseOf(row, terms), checkpoint: row.checkpoint };
    },
    async page(campaignId, afterOrdinal, limit) {
      await later();
      // Ordinals have no gap, so a row's place is its ordinal less one.
      return (state.recipients.get(campaignId) ?? []).slice(afterOrdinal, afterOrdinal + limit);
    },
    async checkpoint(campaignId, fence, checkpoint, mode) {
      await later();
      const known = state.fanout.get(campaignId);
      if (known === undefined || known.fence !== fence || known.owner !== terms.owner) return undefined;
      const untilMs = mode === 'release' ? Number.NEGATIVE_INFINITY : terms.monotonicMs() + terms.leaseMs;
      const row = { ...known, checkpoint, finished: known.finished || mode === 'finished', untilMs };
      state.fanout.set(campaignId, row);
      return leaseOf(row, terms);
    },
  };
}
