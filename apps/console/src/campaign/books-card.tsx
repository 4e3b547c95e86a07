import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { ask } from '../api/client.ts';
import type { CampaignAuditView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { STATES } from '../states.ts';
import { Button } from '../ui/controls.tsx';
import { Badge, Card, Time, type Tone } from '../ui/parts.tsx';
import { Failure } from '../ui/states.tsx';
import { SETTLED_MS } from './reports.ts';

const VERDICTS: Readonly<Record<CampaignAuditView['verdict'], { label: string; tone: Tone }>> = {
  equal: { label: 'adds up', tone: 'good' },
  different: { label: 'does not add up', tone: 'bad' },
  lagging: { label: 'still on its way', tone: 'warn' },
  not_kept: { label: 'too old to compare', tone: 'neutral' },
};

interface BooksCardProps {
  readonly id: string;
  readonly version: number;
  readonly endedAt: string | null;
}

/** The auditor's comparison of what was accepted with what is counted and stored: by itself once a run is final. */
export function BooksCard({ id, version, endedAt }: BooksCardProps) {
  const isFinal = useIsSettled(endedAt);
  const audit = useQuery({
    queryKey: ['audit', id, version],
    queryFn: ({ signal }) => ask<CampaignAuditView>(`/v1/campaigns/${encodeURIComponent(id)}/audit`, { signal }),
    enabled: isFinal,
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: (before) => before,
    refetchOnWindowFocus: false,
  });
  const { data } = audit;
  return (
    <Card
      title="The books"
      aside={
        <span className="flex flex-wrap items-center gap-3">
          {data && (
            <span className="num">
              checked <Time iso={data.as_of} />
            </span>
          )}
          <Button busy={audit.isFetching} onClick={() => void audit.refetch()}>
            Check the books
          </Button>
        </span>
      }
    >
      <div role="status" className="min-h-14">
        {data ? (
          <Verdict audit={data} />
        ) : audit.error ? (
          <Failure error={audit.error} />
        ) : (
          <p className="text-soft">
            Compares what was accepted with what is counted and stored, message by message. It is done by itself when
            the campaign has ended.
          </p>
        )}
      </div>
    </Card>
  );
}

function Verdict({ audit }: { audit: CampaignAuditView }) {
  const parts = STATES.filter(({ name }) => audit.states[name] > 0);
  const unknown = audit.figures.some(({ difference }) => difference === null);
  const difference = audit.figures.reduce((sum, figure) => sum + Math.abs(figure.difference ?? 0), 0);
  const different = audit.figures.filter((figure) => figure.difference !== null && figure.difference !== 0);
  const { label, tone } = VERDICTS[audit.verdict];
  return (
    <>
      <p className="num flex flex-wrap items-baseline gap-x-2 gap-y-1">
        <span>
          accepted <strong>{formatCount(audit.accepted)}</strong>
        </span>
        <span aria-hidden>=</span>
        <span className="sr-only">is</span>
        {parts.map(({ name, label: state }, i) => (
          <span key={name}>
            {i > 0 && '+ '}
            {state.toLowerCase()} <strong>{formatCount(audit.states[name])}</strong>
          </span>
        ))}
        <span>
          · difference <strong>{unknown && difference === 0 ? 'not known yet' : formatCount(difference)}</strong>
        </span>
        <Badge tone={tone}>{label}</Badge>
      </p>
      <p className="num mt-1 text-sm text-soft">
        {formatCount(audit.figures.length)} comparisons
        {audit.stored && (
          <>
            , {formatCount(audit.stored.raw_rows)} events stored of {formatCount(audit.stored.messages)} messages,{' '}
            {formatCount(audit.stored.marked_repeats)} marked repeats
          </>
        )}
        .
      </p>
      {different.length > 0 && (
        <ul className="mt-2 ms-4 list-disc text-sm">
          {different.map((figure) => (
            <li key={figure.figure} className="num wrap-anywhere">
              <strong className="text-bad">{figure.figure.replaceAll('_', ' ')}</strong>: expected{' '}
              {formatCount(figure.expected)}, found {formatCount(figure.found)}
              {figure.ids.slice(0, 5).map(({ id, detail }) => (
                <span key={id} className="block text-soft">
                  <bdi>{id}</bdi>: {detail}
                </span>
              ))}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** It ended so long ago that everything of it is stored. */
function useIsSettled(endedAt: string | null): boolean {
  const [settled, setSettled] = useState<string | null>(null);
  useEffect(() => {
    if (endedAt === null) return;
    const waitMs = Math.max(0, Math.min(SETTLED_MS, Date.parse(endedAt) + SETTLED_MS - Date.now()));
    const timer = setTimeout(() => setSettled(endedAt), waitMs);
    return () => clearTimeout(timer);
  }, [endedAt]);
  return endedAt !== null && settled === endedAt;
}
