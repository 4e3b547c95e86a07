import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { ask } from '../api/client.ts';
import type { RedriveView } from '../api/types.ts';
import { jobKey, jobPath, tellChanged } from './selection.ts';

const LOOK_MS = 1_000;

/** A redrive or purge as it goes on, also while nobody looks at it; its end is told to whatever shows what it changed. */
export function useJob(id: string | undefined, campaignId: string | undefined) {
  const cache = useQueryClient();
  const job = useQuery({
    queryKey: jobKey(id ?? ''),
    queryFn: ({ signal }) => ask<RedriveView>(jobPath(id ?? ''), { signal }),
    enabled: id !== undefined,
    refetchInterval: ({ state }) => (state.data && state.data.status !== 'running' ? false : LOOK_MS),
  });
  const stop = useMutation({
    mutationFn: () => ask<RedriveView>(`${jobPath(id ?? '')}/cancel`, { method: 'POST' }),
    onSuccess: (stopped) => cache.setQueryData(jobKey(stopped.redrive_id), stopped),
  });
  const hasEnded = job.data !== undefined && job.data.status !== 'running';
  useEffect(() => {
    if (!hasEnded) return;
    tellChanged(cache, campaignId);
    // The lists are as far behind the log as the sink is.
    const later = setTimeout(() => tellChanged(cache, campaignId), 3_000);
    return () => clearTimeout(later);
  }, [hasEnded, campaignId, cache]);
  return { job: job.data, error: job.error, stop };
}
