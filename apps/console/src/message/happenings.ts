import type { MessageDetailView } from '../api/types.ts';
import type { Tone } from '../ui/parts.tsx';

/** One event as the API tells it; fields of its kind, beside those that every one has. */
export interface TimelineEvent {
  readonly kind: string;
  readonly at: string;
  readonly attempt?: number;
  readonly run?: number;
  readonly tier?: string;
  readonly channel?: string;
  readonly provider?: string;
  readonly reason?: string;
  readonly detail?: string;
  readonly provider_ms?: number;
  readonly e2e_ms?: number;
  readonly is_repeat?: boolean;
}

export interface Happening {
  readonly title: string;
  readonly tone: Tone;
  readonly at: string | null;
  readonly event?: TimelineEvent;
  readonly note?: string;
}

const KINDS: Readonly<Record<string, { title: string; tone: Tone }>> = {
  sent: { title: 'Sent', tone: 'good' },
  deferred: { title: 'Put off, to be tried again', tone: 'warn' },
  failed: { title: 'Failed for good', tone: 'bad' },
  dead: { title: 'Gave up', tone: 'bad' },
  suppressed: { title: 'Suppressed', tone: 'neutral' },
  cancelled: { title: 'Cancelled', tone: 'neutral' },
  expired: { title: 'Expired', tone: 'bad' },
  redriven: { title: 'Sent again by hand', tone: 'info' },
  delivered: { title: 'Delivered', tone: 'good' },
  bounced: { title: 'Bounced', tone: 'bad' },
  opened: { title: 'Opened', tone: 'info' },
  clicked: { title: 'Clicked', tone: 'info' },
  complained: { title: 'Complained about', tone: 'bad' },
};

const TIERS: Readonly<Record<string, string>> = {
  memory: 'tried again in a moment',
  '5s': 'tried again after 5 seconds',
  '1m': 'tried again after a minute',
  '10m': 'tried again after 10 minutes',
  '1h': 'tried again after an hour',
  held: 'held until its campaign goes on',
};
export const waitOf = (tier: string): string => TIERS[tier] ?? `waits in ${tier}`;

/** Everything that happened to a message, oldest first. */
export function happeningsOf(message: MessageDetailView): Happening[] {
  const events = (message.timeline as TimelineEvent[])
    .toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at))
    .map((event): Happening => {
      const { title, tone } = KINDS[event.kind] ?? { title: event.kind, tone: 'neutral' as const };
      const note = event.kind === 'redriven' ? 'Somebody asked for it; it stood in the log once more.' : undefined;
      return { title, tone: event.is_repeat ? 'neutral' : tone, at: event.at, event, ...(note && { note }) };
    });
  const begun: Happening[] = [
    { title: 'Accepted', tone: 'neutral', at: message.accepted_at, note: 'The audience of its campaign was frozen.' },
  ];
  // After a redrive it is the last time it was queued, which the event says already.
  const firstAt = events[0]?.at;
  if (message.queued_at && (!firstAt || message.queued_at <= firstAt))
    begun.push({ title: 'Queued', tone: 'neutral', at: message.queued_at, note: 'It stood in the log, to be sent.' });
  return [...begun, ...events];
}
