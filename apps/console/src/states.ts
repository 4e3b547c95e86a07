import type { StatsView } from './api/types.ts';

/** States of messages in the order of their lives; they add up to the audience. */
export const STATES = [
  { name: 'sent', label: 'Sent', meaning: 'The provider has taken it' },
  { name: 'retrying', label: 'Retrying', meaning: 'Did not go through yet, tried again later' },
  { name: 'queued', label: 'Queued', meaning: 'Accepted, not tried yet' },
  { name: 'failed', label: 'Failed', meaning: 'The provider has refused it for good' },
  { name: 'dead', label: 'Gave up', meaning: 'All attempts are used up, or it cannot be made' },
  { name: 'expired', label: 'Expired', meaning: 'Not sent before its deadline' },
  { name: 'cancelled', label: 'Cancelled', meaning: 'Its campaign was cancelled before it was sent' },
  { name: 'suppressed', label: 'Suppressed', meaning: 'On the list of those who get nothing' },
] as const;
export type StateName = (typeof STATES)[number]['name'];

/** Written out, as the style sheet is made from what stands in the sources. */
export const STATE_FILL: Record<StateName, string> = {
  sent: 'bg-sent',
  retrying: 'bg-retrying',
  queued: 'bg-queued',
  failed: 'bg-failed',
  dead: 'bg-dead',
  expired: 'bg-expired',
  cancelled: 'bg-cancelled',
  suppressed: 'bg-suppressed',
};

export const labelOfState = (name: string): string => STATES.find((state) => state.name === name)?.label ?? name;

/** Did not get it, and will not by itself. */
export const failuresOf = (stats: StatsView): number => stats.failed + stats.dead + stats.expired;
export const endedOf = (stats: StatsView): number => stats.total - stats.queued - stats.retrying;

export const STATUSES: Readonly<Record<string, { label: string; tone: 'neutral' | 'info' | 'good' | 'warn' | 'bad' }>> =
  {
    draft: { label: 'Draft', tone: 'neutral' },
    running: { label: 'Running', tone: 'info' },
    paused: { label: 'Paused', tone: 'warn' },
    cancelling: { label: 'Cancelling', tone: 'warn' },
    cancelled: { label: 'Cancelled', tone: 'neutral' },
    completed: { label: 'Completed', tone: 'good' },
    completed_with_failures: { label: 'Completed with failures', tone: 'bad' },
    failed: { label: 'Could not start', tone: 'bad' },
  };
export const isUnderWay = (status: string): boolean => ['running', 'paused', 'cancelling'].includes(status);
