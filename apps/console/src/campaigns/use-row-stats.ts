import { useQuery, useQueryClient } from '@tanstack/react-query';
import { ask } from '../api/client.ts';
import type { CampaignView, StatsView } from '../api/types.ts';
import { useTrail } from '../campaign/trail.ts';
import { isUnderWay } from '../states.ts';

const REFRESH_MS = 2_000;
/** Of an ended one that could not be asked for. */
const AGAIN_MS = 10_000;
/** So long after the end the sink may still be storing the last events: percentiles are not final before. */
const SETTLES_MS = 15_000;

export interface RowStats {
  readonly stats: StatsView | undefined;
  /** Messages that end in a second, now; null: not known, or it does not run. */
  readonly perSecond: number | null;
  /** They could not be asked for again. */
  readonly isOld: boolean;
}

/** By the API's own clocks alone: the reader's may be minutes off. */
const isFinal = (stats: StatsView, endedAt: string | null): boolean =>
  endedAt === null || Date.parse(stats.as_of) >= Date.parse(endedAt) + SETTLES_MS;

/** When the counts were read. What they cover at least, `as_of`, moves in steps of its own: by it a rate would jump. */
const answeredAtMs = (stats: StatsView): number => Date.parse(stats.as_of) + stats.lag_ms;

/**
 * Statistics of one campaign of the list: asked for again and again while it is under way and can be seen, and then
 * until they are final (a redrive gives it a new version); never for a draft.
 */
export function useRowStats(campaign: CampaignView, onScreen: boolean): RowStats {
  const { campaign_id, status, version, ended_at } = campaign;
  const cache = useQueryClient();
  const underWay = isUnderWay(status);
  const live = ['stats', campaign_id];
  const { data, error } = useQuery({
    queryKey: underWay ? live : [...live, version],
    queryFn: ({ signal }) => ask<StatsView>(`/v1/campaigns/${encodeURIComponent(campaign_id)}/stats`, { signal }),
    enabled: status !== 'draft',
    staleTime: underWay ? 1_000 : Number.POSITIVE_INFINITY,
    // Looked at again when the row comes into sight, however long ago the end was.
    refetchInterval: ({ state: { data: known } }) => {
      if (!onScreen || (!underWay && known && isFinal(known, ended_at))) return false;
      return underWay || known ? REFRESH_MS : AGAIN_MS;
    },
    // At the moment of the end the last live figures stay until the final ones are there.
    placeholderData: () => cache.getQueryData<StatsView>(live),
  });
  const trail = useTrail(underWay ? data : undefined, data && answeredAtMs(data));
  const isOld = error !== null;
  const runs = (status as string) === 'running' && !isOld;
  return { stats: data, perSecond: runs ? (trail.at(-1)?.perSecond ?? null) : null, isOld };
}
