import type { QueryClient } from '@tanstack/react-query';
import { ask } from '../api/client.ts';
import type { DeadLetterCountView, RedriveView } from '../api/types.ts';
import { formatCount } from '../format.ts';

/** Which dead letters: everything that is given must fit; nothing given is all of them. */
export interface Selection {
  readonly campaign_id?: string | undefined;
  readonly reason?: string | undefined;
  readonly kind?: 'failed' | 'dead' | undefined;
  readonly recipient?: string | undefined;
  readonly message_ids?: readonly string[] | undefined;
}

/** `redrive`: send again. `purge`: take out of the list for good. */
export type Action = 'redrive' | 'purge';

export interface Wishes {
  readonly ratePerSecond: number | undefined;
  readonly why: string;
}

export const countSelected = (action: Action, selection: Selection, signal: AbortSignal) =>
  ask<DeadLetterCountView>(`/v1/dlq/${action}`, { method: 'POST', body: { ...selection, dry_run: true }, signal });

export const start = (action: Action, selection: Selection, { ratePerSecond, why }: Wishes) =>
  ask<RedriveView>(`/v1/dlq/${action}`, {
    method: 'POST',
    body: {
      ...selection,
      ...(why === '' ? {} : { reason_text: why }),
      ...(ratePerSecond === undefined ? {} : { rate_per_second: ratePerSecond }),
    },
  });

export const jobKey = (id: string) => ['redrives', 'one', id];
export const jobPath = (id: string) => `/v1/dlq/redrives/${encodeURIComponent(id)}`;

/** Whatever shows what a job changes is asked for again. */
export function tellChanged(cache: QueryClient, campaignId: string | undefined): void {
  const topics = ['campaigns', 'messages', 'message', 'failures', 'dlq', 'redrives'].map((topic) => [topic]);
  const ofCampaign = campaignId
    ? [
        ['campaign', campaignId],
        ['stats', campaignId],
      ]
    : [['campaign'], ['stats']];
  for (const queryKey of [...topics, ...ofCampaign]) void cache.invalidateQueries({ queryKey });
}

export const countText = (count: { matched: number; matched_at_least: boolean }): string =>
  `${count.matched_at_least ? 'at least ' : ''}${formatCount(count.matched)}`;

/** What a job has dealt with, one way or the other. */
export const dealtWith = (job: RedriveView): number => job.redriven + job.purged + job.skipped + job.unreadable;
