import type { ReactNode } from 'react';
import { formatAgo, formatTime, formatUtc } from '../format.ts';
import { useNow } from '../live/use-now.ts';
import { STATUSES } from '../states.ts';
import { tabTitle } from './tab-title.ts';
import { takeOver } from './use-arrival.ts';

interface PageProps {
  readonly title: ReactNode;
  /** Of the tab, when the title is not plain text. */
  readonly name?: string;
  readonly actions?: ReactNode;
  readonly about?: ReactNode;
  readonly children: ReactNode;
}

/** A page: one h1, what can be done with it, then its parts. React puts the title into the head. */
export function Page({ title, name, actions, about, children }: PageProps) {
  return (
    <>
      <title>{`${tabTitle(name ?? (typeof title === 'string' ? title : 'Volley'))} · Volley`}</title>
      <header className="mb-5 flex flex-wrap items-start justify-between gap-3">
        <div className="min-w-0 flex-1 basis-64">
          <h1 ref={takeOver} tabIndex={-1} className="text-2xl font-semibold wrap-anywhere outline-none">
            {title}
          </h1>
          {about && <div className="mt-1 text-soft">{about}</div>}
        </div>
        {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
      </header>
      <div className="flex flex-col gap-5">{children}</div>
    </>
  );
}

interface CardProps {
  readonly title?: ReactNode;
  readonly aside?: ReactNode;
  readonly children: ReactNode;
  readonly className?: string;
}

export function Card({ title, aside, children, className = '' }: CardProps) {
  return (
    <section className={`min-w-0 rounded-lg border border-line bg-panel p-4 ${className}`}>
      {(title || aside) && (
        <div className="mb-3 flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
          {title && <h2 className="font-semibold">{title}</h2>}
          {aside && <div className="text-sm text-soft">{aside}</div>}
        </div>
      )}
      {children}
    </section>
  );
}

/** Text of somebody else: a name, an address. It keeps its own direction and cannot turn around what stands beside it. */
export function Foreign({
  text,
  className = '',
  lines = false,
}: {
  text: string;
  className?: string;
  lines?: boolean;
}) {
  return (
    <bdi
      dir="auto"
      title={text.length > 60 ? text.slice(0, 1_000) : undefined}
      className={`wrap-anywhere ${lines ? 'whitespace-pre-wrap' : ''} ${className}`}
    >
      {text}
    </bdi>
  );
}

/** In one line, cut where there is no room. */
export const ForeignLine = ({ text, className = '' }: { text: string; className?: string }) => (
  <bdi dir="auto" title={text.slice(0, 1_000)} className={`block truncate ${className}`}>
    {text.length > 500 ? `${text.slice(0, 500)}…` : text}
  </bdi>
);

export function Time({ iso, ago = false }: { iso: string | null | undefined; ago?: boolean }) {
  return iso ? <KnownTime iso={iso} ago={ago} /> : <span className="text-soft">–</span>;
}
function KnownTime({ iso, ago }: { iso: string; ago: boolean }) {
  return (
    <time
      dateTime={iso}
      title={ago ? `${formatTime(iso)}\n${formatUtc(iso)}` : formatUtc(iso)}
      className="whitespace-nowrap"
    >
      {ago ? <Ago iso={iso} /> : formatTime(iso)}
    </time>
  );
}
const Ago = ({ iso }: { iso: string }) => formatAgo(iso, useNow());

const TONES = {
  neutral: 'border-line text-soft',
  info: 'border-info text-info',
  good: 'border-good text-good',
  warn: 'border-warn text-warn',
  bad: 'border-bad text-bad',
} as const;
export type Tone = keyof typeof TONES;

export const Badge = ({ tone = 'neutral', children }: { tone?: Tone; children: ReactNode }) => (
  <span
    className={`inline-flex items-center gap-1.5 rounded-full border px-2 py-0.5 text-xs font-medium whitespace-nowrap ${TONES[tone]}`}
  >
    {children}
  </span>
);

export function StatusBadge({ status }: { status: string }) {
  const { label, tone } = STATUSES[status] ?? { label: status, tone: 'neutral' as const };
  return <Badge tone={tone}>{label}</Badge>;
}

/** One figure with its name; its place keeps its size while the figure changes. */
export function Figure({
  label,
  value,
  note,
  tone,
}: {
  label: string;
  value: ReactNode;
  note?: ReactNode;
  tone?: Tone;
}) {
  return (
    <div className="min-w-24">
      <dt className="text-sm text-soft">{label}</dt>
      <dd
        className={`num text-xl font-semibold whitespace-nowrap ${tone && tone !== 'neutral' ? TONES[tone].split(' ')[1] : ''}`}
      >
        {value}
      </dd>
      {note && <dd className="text-xs text-soft">{note}</dd>}
    </div>
  );
}

export const Figures = ({ children }: { children: ReactNode }) => (
  <dl className="flex flex-wrap gap-x-8 gap-y-3">{children}</dl>
);
