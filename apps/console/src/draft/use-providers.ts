import { useQuery } from '@tanstack/react-query';
import type { ProviderListView } from '@volley/contract/http';
import { ask } from '../api/client.ts';

export type ProviderView = ProviderListView['data'][number];

/** The configured providers; undefined while they are not known. */
export const useProviders = (): readonly ProviderView[] | undefined =>
  useQuery({
    queryKey: ['providers'],
    queryFn: ({ signal }) => ask<ProviderListView>('/v1/providers', { signal }),
    staleTime: 60_000,
  }).data?.data;
