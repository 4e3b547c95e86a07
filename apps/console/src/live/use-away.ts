import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';
import { lookForApi } from '../api/look.ts';
import { apiIsAway, onReach } from '../api/reach.ts';

const REST_MS = 2_000;

/** True while the API does not answer; meanwhile it is asked, and everything is asked again when it is back. */
export function useAway(): boolean {
  const away = useSyncExternalStore(onReach, apiIsAway);
  const cache = useQueryClient();
  useEffect(() => {
    if (!away) return;
    const gone = new AbortController();
    let isLooking = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    /** One look after the other, at once when the tab is seen again, none while it is not. */
    const look = async () => {
      clearTimeout(timer);
      if (isLooking || document.hidden) return;
      isLooking = true;
      await lookForApi(gone.signal);
      isLooking = false;
      if (!gone.signal.aborted) later();
    };
    const later = () => {
      timer = setTimeout(() => void look(), REST_MS);
    };
    const seen = () => void look();
    document.addEventListener('visibilitychange', seen);
    later();
    return () => {
      gone.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
      void cache.invalidateQueries();
    };
  }, [away, cache]);
  return away;
}
