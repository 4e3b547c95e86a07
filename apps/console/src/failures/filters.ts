import type { Selection } from '../redrive/selection.ts';
import { useFilters } from '../ui/use-filters.ts';

const NAMES = ['campaign_id', 'kind', 'reason', 'recipient'] as const;
export type FilterName = (typeof NAMES)[number];
export type LetterFilters = Readonly<Record<FilterName, string>>;

/** Which dead letters are looked at. */
export const useLetterFilters = () => useFilters(NAMES);

/** The same as the API wants it in a body: what is not asked for is not there. */
export function selectionOf({ campaign_id, kind, reason, recipient }: LetterFilters): Selection {
  return {
    ...(campaign_id && { campaign_id }),
    ...(kind === 'failed' || kind === 'dead' ? { kind } : {}),
    ...(reason && { reason }),
    ...(recipient && { recipient }),
  };
}
