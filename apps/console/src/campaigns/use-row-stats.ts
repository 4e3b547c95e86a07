import { useQuery, useQueryClient } from '@tanstack/react-query';
import { ask } from '../api/client.ts';
import type { CampaignView, StatsView } from '../api/types.ts';
import { isUnderWay } from '../states.ts';

const REFRESH_MS = 2_000;
/** So long after the end the sink may still be storing the last events: percentiles are not final before. */
const SETTLES_MS = 15_000;

/**
 * Statistics of one campaign of the list: asked for again and again while it is under way and can be seen, once when it
 * has ended (a redrive gives it a new version), never for a draft.
 */
export function useRowStats(campaign: CampaignView, onScreen: boolean): StatsView | undefined {
  const { campaign_id, status, version, ended_at } = campaign;
  const cache = useQueryClient();
  const underWay = isUnderWay(status);
  const live = ['stats', campaign_id];
  const { data } = useQuery({
    queryKey: underWay ? live : [...live, version],
    queryFn: ({ signal }) => ask<StatsView>(`/v1/campaigns/${encodeURIComponent(campaign_id)}/stats`, { signal }),
    enabled: status !== 'draft',
    staleTime: underWay ? 1_000 : Number.POSITIVE_INFINITY,
    refetchInterval: () =>
      onScreen && (underWay || (ended_at !== null && Date.now() - Date.parse(ended_at) < SETTLES_MS))
        ? REFRESH_MS
        : false,
    // At the moment of the end the last live figures stay until the final ones are there.
    placeholderData: () => cache.getQueryData<StatsView>(live),
  });
  return data;
}
