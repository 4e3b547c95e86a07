import { useCallback, useMemo } from 'react';
import { useSearchParams } from 'react-router';

/** Filters of a list, in the address, so that it can be passed on. `names` is the same array at every call. */
export function useFilters<N extends string>(names: readonly N[]) {
  const [search, setSearch] = useSearchParams();
  const filters = useMemo(
    () => Object.fromEntries(names.map((name) => [name, search.get(name) ?? ''])) as Readonly<Record<N, string>>,
    [search, names],
  );
  const change = useCallback(
    (part: Partial<Readonly<Record<N, string>>>) =>
      setSearch(
        (before) => {
          const after = new URLSearchParams(before);
          for (const [name, value] of Object.entries<string | undefined>(part))
            value ? after.set(name, value) : after.delete(name);
          return after;
        },
        { replace: true },
      ),
    [setSearch],
  );
  return { filters, change, isFiltered: names.some((name) => filters[name] !== '') };
}
