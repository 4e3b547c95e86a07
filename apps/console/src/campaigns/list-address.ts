import { useLocation, useNavigate, useSearchParams } from 'react-router';

export const FILTERS = ['status', 'channel', 'name'] as const;
export type FilterName = (typeof FILTERS)[number];
export type CampaignFilters = Readonly<Record<FilterName, string>>;

interface ListAddress {
  readonly filters: CampaignFilters;
  readonly isFiltered: boolean;
  readonly cursor: string | undefined;
  /** Undefined on the first page. */
  readonly previous: (() => void) | undefined;
  setFilter(name: FilterName, value: string): void;
  clear(): void;
  next(cursor: string): void;
}

/**
 * What the list shows stands in the address, so that it can be kept and shared. The cursors of the pages before go with
 * the history entry: an address that came from somebody else has none, and leads back to the first page.
 */
export function useListAddress(): ListAddress {
  const [search, setSearch] = useSearchParams();
  const navigate = useNavigate();
  const { pathname, state } = useLocation();
  const filters: CampaignFilters = {
    status: search.get('status') ?? '',
    channel: search.get('channel') ?? '',
    name: search.get('name') ?? '',
  };
  const cursor = search.get('cursor') ?? undefined;
  const before: readonly string[] = Array.isArray(state?.before) ? state.before : [];

  const goTo = (to: string | undefined, stack: readonly string[]) => {
    const next = new URLSearchParams(search);
    if (to) next.set('cursor', to);
    else next.delete('cursor');
    void navigate({ pathname, search: next.toString() }, { state: { before: stack } });
  };
  return {
    filters,
    isFiltered: FILTERS.some((name) => filters[name] !== ''),
    cursor,
    previous: cursor === undefined ? undefined : () => goTo(before.at(-1), before.slice(0, -1)),
    next: (to) => goTo(to, cursor === undefined ? [] : [...before, cursor]),
    setFilter: (name, value) =>
      setSearch(
        (old) => {
          const next = new URLSearchParams(old);
          next.delete('cursor');
          if (value === '') next.delete(name);
          else next.set(name, value);
          return next;
        },
        { replace: true },
      ),
    clear: () => setSearch({}),
  };
}
