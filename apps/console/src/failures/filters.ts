import { useCallback, useMemo } from 'react';
import { useSearchParams } from 'react-router';
import type { Selection } from '../redrive/selection.ts';

const NAMES = ['campaign_id', 'kind', 'reason', 'recipient'] as const;
export type FilterName = (typeof NAMES)[number];
export type LetterFilters = Readonly<Record<FilterName, string>>;

/** Which dead letters are looked at: in the address, so that it can be passed on. */
export function useLetterFilters() {
  const [search, setSearch] = useSearchParams();
  const filters = useMemo(
    () => Object.fromEntries(NAMES.map((name) => [name, search.get(name) ?? ''])) as LetterFilters,
    [search],
  );
  const change = useCallback(
    (part: Partial<LetterFilters>) =>
      setSearch(
        (before) => {
          const after = new URLSearchParams(before);
          for (const [name, value] of Object.entries(part)) value ? after.set(name, value) : after.delete(name);
          return after;
        },
        { replace: true },
      ),
    [setSearch],
  );
  return { filters, change, isFiltered: NAMES.some((name) => filters[name] !== '') };
}

/** The same as the API wants it in a body: what is not asked for is not there. */
export function selectionOf({ campaign_id, kind, reason, recipient }: LetterFilters): Selection {
  return {
    ...(campaign_id && { campaign_id }),
    ...(kind === 'failed' || kind === 'dead' ? { kind } : {}),
    ...(reason && { reason }),
    ...(recipient && { recipient }),
  };
}
