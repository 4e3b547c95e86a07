import type { RedriveView } from '../api/types.ts';
import { formatCount, formatRate } from '../format.ts';
import { labelOfState } from '../states.ts';
import { labelOfReason } from '../ui/reason.tsx';

/** Keeps the direction of a name inside a sentence (first strong isolate … pop). */
const isolated = (text: string): string => `\u2068${text.slice(0, 200)}\u2069`;

/** What a job was asked to take, in words. */
export function filterText({ filter, rate_per_second, limit }: RedriveView, nameOf: (id: string) => string): string {
  const given = (name: string): string | undefined =>
    typeof filter[name] === 'string' && filter[name] !== '' ? (filter[name] as string) : undefined;
  const ids = Array.isArray(filter.message_ids) ? filter.message_ids.length : 0;
  const [campaign, kind, reason, recipient] = ['campaign_id', 'kind', 'reason', 'recipient'].map(given);
  const parts = [
    ids > 0 ? `${formatCount(ids)} chosen ${ids === 1 ? 'message' : 'messages'}` : '',
    campaign ? `of ${isolated(nameOf(campaign))}` : '',
    kind ? labelOfState(kind).toLowerCase() : '',
    reason ? `“${labelOfReason(reason)}”` : '',
    recipient ? `to ${isolated(recipient)}` : '',
  ].filter(Boolean);
  const which = parts.length === 0 ? 'All dead letters' : ids > 0 ? parts.join(', ') : `All ${parts.join(', ')}`;
  const bounds = [
    limit === null ? '' : `at most ${formatCount(limit)}`,
    rate_per_second === null ? '' : `at most ${formatRate(rate_per_second)} per second`,
  ].filter(Boolean);
  return [which, ...bounds].join('; ');
}
