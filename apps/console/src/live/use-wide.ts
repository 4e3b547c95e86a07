import { useSyncExternalStore } from 'react';

/** From here on a table of figures has room beside its names. As `lg` of the style sheet. */
const wide = matchMedia('(min-width: 64rem)');

function subscribe(listener: () => void): () => void {
  wide.addEventListener('change', listener);
  return () => wide.removeEventListener('change', listener);
}

export const useWide = (): boolean => useSyncExternalStore(subscribe, () => wide.matches);
