import { useQuery } from '@tanstack/react-query';
import { ask } from '../api/client.ts';
import type { CampaignView, FailuresView, HistogramView, Known, SeriesView } from '../api/types.ts';

/** The stream says how it goes; reports are asked for whole each time. They change the most in the first minute. */
const EVERY_MS = 10_000;
const EVERY_AT_FIRST_MS = 2_500;
const FIRST_MS = 60_000;
/** The analytics store is complete at most 5 s after the end. */
export const SETTLED_MS = 6_000;

const between = (from: string, to: string): number => Date.parse(to) - Date.parse(from);

/** By the API's own clocks alone: the reader's may be minutes off. false: what is known is final. */
function askedEveryMs({ sent_at, ended_at }: CampaignView, underWay: boolean, known: Known | undefined) {
  const asOf = known?.as_of ?? null;
  if (underWay) return asOf && sent_at && between(sent_at, asOf) > FIRST_MS ? EVERY_MS : EVERY_AT_FIRST_MS;
  if (ended_at === null || known === undefined) return false;
  if (asOf === null) return EVERY_MS;
  const agoMs = between(ended_at, asOf);
  return agoMs >= SETTLED_MS ? false : agoMs > -FIRST_MS ? EVERY_AT_FIRST_MS : EVERY_MS;
}

function useReport<T extends Known>(campaign: CampaignView, name: string, underWay: boolean) {
  const id = campaign.campaign_id;
  return useQuery({
    queryKey: [name, id],
    queryFn: ({ signal }) => ask<T>(`/v1/campaigns/${encodeURIComponent(id)}/${name}`, { signal }),
    refetchInterval: ({ state }) => askedEveryMs(campaign, underWay, state.data),
  });
}

/** What the API says of a campaign over time: again and again while it is under way, and then until that is final. */
export const useReports = (campaign: CampaignView, underWay: boolean) => ({
  series: useReport<SeriesView>(campaign, 'series', underWay),
  histogram: useReport<HistogramView>(campaign, 'histogram', underWay),
  failures: useReport<FailuresView>(campaign, 'failures', underWay),
});
