import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { ask } from '../api/client.ts';
import type { FailuresView, HistogramView, SeriesView } from '../api/types.ts';

const EVERY_MS = 2_500;
/** The analytics store is complete at most 5 s after the end. */
export const SETTLED_MS = 6_000;
const REPORTS = ['series', 'histogram', 'failures'] as const;

function useReport<T>(id: string, name: (typeof REPORTS)[number], underWay: boolean) {
  return useQuery({
    queryKey: [name, id],
    queryFn: ({ signal }) => ask<T>(`/v1/campaigns/${encodeURIComponent(id)}/${name}`, { signal }),
    refetchInterval: underWay ? EVERY_MS : false,
  });
}

/** What the API says of a campaign over time: again and again while it is under way, and once more after its end. */
export function useReports(id: string, underWay: boolean, endedAt: string | null) {
  const cache = useQueryClient();
  const wasUnderWay = useRef(underWay);
  useEffect(() => {
    const hasJustEnded = wasUnderWay.current || (endedAt !== null && Date.now() - Date.parse(endedAt) < SETTLED_MS);
    wasUnderWay.current = underWay;
    if (underWay || !hasJustEnded) return;
    const timer = setTimeout(() => {
      for (const name of REPORTS) void cache.invalidateQueries({ queryKey: [name, id] });
    }, SETTLED_MS);
    return () => clearTimeout(timer);
  }, [underWay, endedAt, cache, id]);
  return {
    series: useReport<SeriesView>(id, 'series', underWay),
    histogram: useReport<HistogramView>(id, 'histogram', underWay),
    failures: useReport<FailuresView>(id, 'failures', underWay),
  };
}
