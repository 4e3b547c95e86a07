import type { MessageDetailView } from '../api/types.ts';
import { formatCount, formatDuration } from '../format.ts';
import { Badge, Foreign, Time, type Tone } from '../ui/parts.tsx';
import { Reason } from '../ui/reason.tsx';
import { type Happening, happeningsOf, type TimelineEvent, waitOf } from './happenings.ts';

const DOTS: Record<Tone, string> = {
  neutral: 'bg-cancelled',
  info: 'bg-info',
  good: 'bg-good',
  warn: 'bg-warn',
  bad: 'bg-bad',
};

/** What happened, oldest first, each step with what the provider said. */
export function Timeline({ message }: { message: MessageDetailView }) {
  const happenings = happeningsOf(message);
  const isWaiting = message.status === 'queued' || message.status === 'retrying';
  return (
    <>
      {message.truncated && (
        <p className="mb-3 text-sm text-warn">It has more events than can be shown: these are the newest 1,000.</p>
      )}
      <ol aria-label="Timeline" className="flex flex-col">
        {happenings.map((happening, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they only grow at the end
          <Step key={i} happening={happening} isLast={!isWaiting && i === happenings.length - 1} />
        ))}
        {isWaiting && (
          <li className="flex gap-3 text-soft">
            <span aria-hidden className="mt-1.5 size-3 shrink-0 animate-pulse rounded-full border-2 border-info" />
            {message.status === 'queued' ? 'Waiting to be sent' : 'Waiting for the next attempt'}
          </li>
        )}
      </ol>
    </>
  );
}

function Step({ happening: { title, tone, at, event, note }, isLast }: { happening: Happening; isLast: boolean }) {
  return (
    <li className={`relative flex gap-3 ${isLast ? '' : 'pb-5'} ${event?.is_repeat ? 'opacity-80' : ''}`}>
      {!isLast && <span aria-hidden className="absolute start-[5px] top-5 -bottom-1 w-0.5 bg-line" />}
      <span aria-hidden className={`mt-1.5 size-3 shrink-0 rounded-full ${DOTS[tone]}`} />
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-baseline justify-between gap-x-4">
          <span className="flex flex-wrap items-center gap-2 font-medium">
            {title}
            {event?.attempt ? <Badge>attempt {formatCount(event.attempt)}</Badge> : null}
            {event?.run ? <Badge tone="info">run {formatCount(event.run + 1)}</Badge> : null}
            {event?.is_repeat && <Badge>repeat, counts nowhere</Badge>}
          </span>
          <span className="text-sm text-soft">
            <Time iso={at} />
          </span>
        </p>
        {note && <p className="text-sm text-soft">{note}</p>}
        {event && event.kind !== 'redriven' && <Facts event={event} />}
      </div>
    </li>
  );
}

function Facts({ event }: { event: TimelineEvent }) {
  const facts = [
    event.provider_ms ? `provider took ${formatDuration(event.provider_ms)}` : '',
    event.kind !== 'deferred' && event.e2e_ms ? `${formatDuration(event.e2e_ms)} after it was queued` : '',
    event.tier ? waitOf(event.tier) : '',
  ].filter(Boolean);
  return (
    <div className="mt-0.5 flex flex-col gap-1 text-sm">
      {event.reason && (
        <p>
          <Reason code={event.reason} long />
        </p>
      )}
      {event.detail && (
        <p className="max-w-prose rounded-md bg-raised px-2.5 py-1.5">
          <span className="sr-only">Answer: </span>
          <Foreign text={event.detail} />
        </p>
      )}
      <p className="num text-soft">
        {event.provider && (
          <>
            {event.channel} through <bdi className="wrap-anywhere">{event.provider}</bdi>
            {facts.length > 0 && ' · '}
          </>
        )}
        {facts.join(' · ')}
      </p>
    </div>
  );
}
