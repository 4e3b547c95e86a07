import { campaignPart, emptyTally, hasFailures, hasSurplus, isComplete, sumTallies } from '../../core/progress.ts';
import type { CampaignPart, ProgressReader, ProgressStore, Tally } from '../../ports.ts';
import { isRedriven } from './redrives.ts';
import { later, type MemoryState } from './state.ts';

const keyOf = (topic: string, partition: number) => `${topic} ${partition}`;
const UNDER_WAY = new Set(['running', 'paused', 'cancelling']);

/** Counts of their own, by partition: what the caller goes on counting in must not change what is saved. */
export const talliesAsSaved = (state: MemoryState, campaignId: string): Map<number, Tally> =>
  new Map([...(state.parts.get(campaignId) ?? [])].map(([partition, tally]) => [partition, { ...tally }]));

export function createMemoryProgress(state: MemoryState): ProgressStore {
  return {
    async offsets(topic, partitions) {
      await later();
      return new Map(
        partitions.flatMap((p) => {
          const saved = state.offsets.get(keyOf(topic, p));
          return saved ? [[p, { next: saved.next, cluster: saved.cluster }]] : [];
        }),
      );
    },
    async part(campaignId, partition): Promise<CampaignPart | undefined> {
      await later();
      const campaign = state.campaigns.get(campaignId)?.state;
      if (campaign === undefined || campaign.status === 'draft') return undefined;
      const saved = state.parts.get(campaignId)?.get(partition);
      return campaignPart(campaign.expected, saved === undefined ? emptyTally() : { ...saved });
    },
    async save({ topic, cluster, partitions }) {
      await later();
      const moved = partitions.some(({ partition, from }) => {
        const saved = state.offsets.get(keyOf(topic, partition));
        return (saved?.next ?? 0) !== from || (saved?.cluster ?? cluster) !== cluster;
      });
      if (moved) return 'fenced';
      for (const { partition, next, logEnd, eventAtMs, changed } of partitions) {
        state.offsets.set(keyOf(topic, partition), { next, cluster, logEnd, eventAtMs });
        for (const { campaignId, part } of changed) {
          const ofCampaign = state.parts.get(campaignId) ?? new Map<number, Tally>();
          state.parts.set(campaignId, ofCampaign.set(partition, { ...part.tally }));
        }
      }
      return 'saved';
    },
    async complete() {
      await later();
      const done = [];
      let surplus = 0;
      for (const [campaignId, { state: campaign, accepted }] of state.campaigns) {
        if (!UNDER_WAY.has(campaign.status)) continue;
        const open = campaign.open && campaign.status !== 'cancelling';
        const totals = { expected: campaign.expected, accepted, open };
        const sum = sumTallies(state.parts.get(campaignId)?.values() ?? []);
        if (hasSurplus(totals, sum)) surplus += 1;
        else if (isComplete(totals, sum) && !isRedriven(state, campaignId))
          done.push({ campaignId, failures: hasFailures(sum) });
      }
      return { done, surplus };
    },
  };
}

export function createMemoryProgressReader(state: MemoryState): ProgressReader {
  return {
    async tallies(campaignId) {
      await later();
      return talliesAsSaved(state, campaignId);
    },
    async countedTo(topic) {
      await later();
      const saved = [...state.offsets].flatMap(([key, { next, eventAtMs }]) => {
        const partition = Number(key.slice(topic.length + 1));
        return key === keyOf(topic, partition) ? [[partition, { next, eventAtMs }] as const] : [];
      });
      return new Map(saved);
    },
  };
}
