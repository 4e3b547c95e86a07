import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { ask } from '../api/client.ts';
import type { CampaignView, PreviewView } from '../api/types.ts';

const SAMPLE = 10;

export const askPreview = (campaignId: string, signal?: AbortSignal): Promise<PreviewView> =>
  ask<PreviewView>(`/v1/campaigns/${encodeURIComponent(campaignId)}/preview`, { query: { limit: SAMPLE }, signal });

/** Audience and first messages of the draft as it is saved; those of the version before stay until they are there. */
export const useDraftPreview = (campaign: CampaignView | undefined) =>
  useQuery({
    queryKey: ['preview', campaign?.campaign_id, campaign?.version],
    queryFn: ({ signal }) => askPreview(campaign?.campaign_id ?? '', signal),
    enabled: campaign !== undefined,
    placeholderData: keepPreviousData,
    // Contacts may be imported in another tab.
    refetchOnWindowFocus: 'always',
  });
