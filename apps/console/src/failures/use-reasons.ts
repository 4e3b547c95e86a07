import { keepPreviousData, useQueries, useQuery } from '@tanstack/react-query';
import { ask } from '../api/client.ts';
import type { DeadLetterView, FailuresView, Page } from '../api/types.ts';
import { countSelected } from '../redrive/selection.ts';
import { type LetterFilters, selectionOf } from './filters.ts';

const LOOK_MS = 10_000;

export interface ReasonRow {
  readonly reason: string;
  readonly count: number;
  /** Only known within one campaign. */
  readonly first: string | null;
  readonly newest: DeadLetterView | undefined;
}

/** What waits, by reason: counted as a redrive would, so that the count is what the button then says. */
export function useReasons(filters: LetterFilters) {
  const count = useQuery({
    queryKey: ['dlq', 'count', filters],
    queryFn: ({ signal }) => countSelected('redrive', selectionOf(filters), signal),
    placeholderData: keepPreviousData,
    refetchInterval: LOOK_MS,
  });
  const found = Object.entries(count.data?.by_reason ?? {}).sort(([, a], [, b]) => b - a);
  const newest = useQueries({
    queries: found.map(([reason, matched]) => ({
      queryKey: ['dlq', 'newest', { ...filters, reason }, matched],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        ask<Page<DeadLetterView>>('/v1/dlq', { query: { ...filters, reason, limit: 1 }, signal }),
      placeholderData: keepPreviousData,
      staleTime: LOOK_MS,
    })),
  });
  const { campaign_id } = filters;
  const failures = useQuery({
    queryKey: ['failures', campaign_id, count.data?.matched],
    queryFn: ({ signal }) => ask<FailuresView>(`/v1/campaigns/${encodeURIComponent(campaign_id)}/failures`, { signal }),
    placeholderData: keepPreviousData,
    enabled: campaign_id !== '',
  });
  const firstOf = (reason: string) =>
    (campaign_id && failures.data?.data.find((each) => each.reason === reason)?.first) || null;
  const rows = found.map(
    ([reason, matched], i): ReasonRow => ({
      reason,
      count: matched,
      first: firstOf(reason),
      newest: newest[i]?.data?.data[0],
    }),
  );
  return { count, rows };
}
