import { useQueries } from '@tanstack/react-query';
import { useEffect, useReducer } from 'react';
import { ask } from '../api/client.ts';
import type { Known, MessageView, Page } from '../api/types.ts';
import { cursorAt, EMPTY_CHAIN, pageOfRow, rowsOf, withPage } from './chain.ts';

const PAGE_ROWS = 100;
/** Pages out of sight are forgotten after this; scrolled back to, they are asked for again. */
const FORGET_MS = 5_000;
const LIVE_MS = 3_000;
/** Pages without a row that are read in a row before somebody is asked whether to look further. */
export const EMPTY_PAGES = 25;

export interface MessageFilters {
  readonly status: string;
  readonly recipient: string;
  readonly reason: string;
}
export type MessagePageView = Page<MessageView> & Known;

interface Want {
  readonly campaignId: string;
  readonly filters: MessageFilters;
  /** First and last row in sight, of the whole list; `toEnd`: also what comes after the last that is known. */
  readonly from: number;
  readonly to: number;
  readonly toEnd: boolean;
  readonly isLive: boolean;
  /** Pages without a row before it waits to be told to go on. */
  readonly patience: number;
}

/** The messages in sight, and how many are known: no more pages are held than are looked at. */
export function useMessageList({ campaignId, filters, from, to, toEnd, isLive, patience }: Want) {
  const [chain, read] = useReducer(withPage, EMPTY_CHAIN);
  const known = rowsOf(chain);
  const hasMore = chain.next !== null;
  const wanted: number[] = [];
  if (known > 0) {
    const last = Math.min(pageOfRow(chain, Math.min(to, known - 1)), chain.links.length - 1);
    for (let at = pageOfRow(chain, Math.min(from, known - 1)); at <= last; at++) wanted.push(at);
  }
  if (toEnd && hasMore && chain.emptyRun < patience) wanted.push(chain.links.length);

  const pages = useQueries({
    queries: wanted.map((at) => {
      const cursor = cursorAt(chain, at);
      return {
        queryKey: ['messages', campaignId, filters, cursor ?? ''],
        queryFn: ({ signal }: { signal: AbortSignal }) =>
          ask<MessagePageView>(`/v1/campaigns/${encodeURIComponent(campaignId)}/messages`, {
            query: { ...filters, limit: PAGE_ROWS, cursor },
            signal,
          }),
        gcTime: FORGET_MS,
        staleTime: isLive ? LIVE_MS : 60_000,
        refetchInterval: isLive ? LIVE_MS : (false as const),
      };
    }),
  });

  useEffect(() => {
    for (const [i, page] of pages.entries()) {
      const at = wanted[i] as number;
      if (page.data)
        read({ at, cursor: cursorAt(chain, at), count: page.data.data.length, next: page.data.next_cursor });
    }
  });

  const held = new Map(wanted.map((at, i) => [at, pages[i]]));
  return {
    known,
    hasMore,
    pagesRead: chain.links.length,
    emptyRun: chain.emptyRun,
    /** undefined: not here yet. */
    row(index: number): MessageView | undefined {
      const at = pageOfRow(chain, index);
      const link = chain.links[at];
      return link && held.get(at)?.data?.data[index - link.start];
    },
    asOf: pages.find((page) => page.data)?.data,
    error: pages.find((page) => page.error)?.error ?? null,
    retry: () => {
      for (const page of pages) if (page.error) void page.refetch();
    },
  };
}
