import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';
import { ask } from '../api/client.ts';
import { apiIsAway, onReach } from '../api/reach.ts';

const LOOK_MS = 2_000;

/** True while the API does not answer; meanwhile it is asked, and everything is asked again when it is back. */
export function useAway(): boolean {
  const away = useSyncExternalStore(onReach, apiIsAway);
  const cache = useQueryClient();
  useEffect(() => {
    if (!away) return;
    const timer = setInterval(() => void ask('/openapi.json').catch(() => {}), LOOK_MS);
    return () => {
      clearInterval(timer);
      void cache.invalidateQueries();
    };
  }, [away, cache]);
  return away;
}
