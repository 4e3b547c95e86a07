import { type UseQueryResult, useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState } from 'react';
import { ask } from '../api/client.ts';
import type { CampaignView } from '../api/types.ts';
import { type LiveStats, useLiveStats } from '../live/use-live-stats.ts';
import { isUnderWay } from '../states.ts';

const UNDER_WAY_MS = 2_000;
/** A campaign that has ended runs again only when somebody redrives; that may be somebody else. */
const ENDED_MS = 10_000;
/** After a redrive was asked for here, it is looked for soon and for so long. */
const EXPECTED_MS = 1_000;
const EXPECTED_FOR_MS = 20_000;

export interface Run {
  readonly campaign: UseQueryResult<CampaignView>;
  readonly live: LiveStats;
  /** The newer one of what the campaign and its statistics say. */
  readonly status: string;
  readonly underWay: boolean;
  /** It is about to run again: look for it. */
  expectMore(): void;
}

/** A campaign and its statistics as they come, also when it runs again after its end. */
export function useRun(id: string): Run {
  const cache = useQueryClient();
  const [epoch, setEpoch] = useState(0);
  const [expectedUntilMs, setExpectedUntilMs] = useState(0);
  const campaign = useQuery({
    queryKey: ['campaign', id],
    queryFn: ({ signal }) => ask<CampaignView>(`/v1/campaigns/${encodeURIComponent(id)}`, { signal }),
    refetchInterval: ({ state }) => {
      if (Date.now() < expectedUntilMs) return EXPECTED_MS;
      return isUnderWay(state.data?.status ?? '') ? UNDER_WAY_MS : ENDED_MS;
    },
  });
  const live = useLiveStats(id, String(epoch));
  const { liveness, stats, heardAtMs } = live;

  // The stream has ended. Whatever the campaign does after that has a higher version, and asks for a new stream.
  const ended = useRef<{ atMs: number; version: number | undefined } | undefined>(undefined);
  useEffect(() => {
    if (liveness !== 'ended') {
      ended.current = undefined;
      return;
    }
    ended.current = { atMs: Date.now(), version: undefined };
    void cache.invalidateQueries({ queryKey: ['campaign', id] });
  }, [liveness, cache, id]);
  const { data, dataUpdatedAt } = campaign;
  useEffect(() => {
    const end = ended.current;
    if (!end || !data || dataUpdatedAt <= end.atMs) return;
    if (isUnderWay(data.status) || (end.version !== undefined && data.version > end.version)) {
      ended.current = undefined;
      setEpoch((before) => before + 1);
    } else end.version = data.version;
  }, [data, dataUpdatedAt]);

  const isCampaignNewer = stats === undefined || dataUpdatedAt > (heardAtMs ?? 0);
  const status = (isCampaignNewer ? data?.status : stats.status) ?? '';
  const expectMore = useCallback(() => {
    setExpectedUntilMs(Date.now() + EXPECTED_FOR_MS);
    void cache.invalidateQueries({ queryKey: ['campaign', id] });
  }, [cache, id]);
  return { campaign, live, status, underWay: isUnderWay(status), expectMore };
}
