import { useQuery } from '@tanstack/react-query';
import { ask } from '../api/client.ts';
import type { CampaignView, Page } from '../api/types.ts';

const SHOWN = 100;

/** The newest campaigns, to choose from and to name what is listed; older ones go by the end of their id. */
export function useCampaignNames() {
  const campaigns = useQuery({
    queryKey: ['campaigns', 'names'],
    queryFn: ({ signal }) => ask<Page<CampaignView>>('/v1/campaigns', { query: { limit: SHOWN }, signal }),
    staleTime: 30_000,
    select: ({ data }) => data.map(({ campaign_id, name }) => ({ id: campaign_id, name })),
  });
  const known = campaigns.data ?? [];
  return { campaigns: known, nameOf: (id: string) => known.find((each) => each.id === id)?.name ?? shortId(id) };
}
/** Its last 8 digits are zero in every campaign. */
const shortId = (id: string): string => `…${id.slice(-17, -9)}`;
