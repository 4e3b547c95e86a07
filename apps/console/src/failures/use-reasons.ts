import { keepPreviousData, useQueries, useQuery } from '@tanstack/react-query';
import { ask } from '../api/client.ts';
import type { DeadLetterCountView, DeadLetterView, Page } from '../api/types.ts';
import { countSelected } from '../redrive/selection.ts';
import { type LetterFilters, selectionOf } from './filters.ts';

const LOOK_MS = 10_000;
const MANY = 10_000;
const MANY_LOOK_MS = 60_000;

export type ReasonRow = DeadLetterCountView['reasons'][number] & {
  /** One of them, to look at. */
  readonly newest: DeadLetterView | undefined;
};

/** What waits, by reason: counted as a redrive would, so that the count is what the button then says. */
export function useReasons(filters: LetterFilters) {
  const count = useQuery({
    queryKey: ['dlq', 'count', filters],
    queryFn: ({ signal }) => countSelected('redrive', selectionOf(filters), signal),
    placeholderData: keepPreviousData,
    // Counting looks at each letter.
    refetchInterval: ({ state: { data } }) => ((data?.matched ?? 0) > MANY ? MANY_LOOK_MS : LOOK_MS),
  });
  const found = count.data?.reasons ?? [];
  const newest = useQueries({
    queries: found.map(({ reason, count: matched }) => ({
      queryKey: ['dlq', 'newest', { ...filters, reason }, matched],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        ask<Page<DeadLetterView>>('/v1/dlq', { query: { ...filters, reason, limit: 1 }, signal }),
      placeholderData: keepPreviousData,
      staleTime: LOOK_MS,
    })),
  });
  const rows = found.map((each, i): ReasonRow => ({ ...each, newest: newest[i]?.data?.data[0] }));
  return { count, rows };
}
