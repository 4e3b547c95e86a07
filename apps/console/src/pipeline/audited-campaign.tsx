import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { Link } from 'react-router';
import { ApiProblem, ask } from '../api/client.ts';
import type { AuditView, CampaignAuditView, CampaignView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { Button } from '../ui/controls.tsx';
import { Foreign, StatusBadge, Time } from '../ui/parts.tsx';
import { AuditLine } from './audit-line.tsx';
import { nameOfFigure } from './figures.tsx';

export interface Audited {
  readonly campaignId: string;
  /** Of those whose last audit found a difference, only the id is given with it. */
  readonly campaign: CampaignView | undefined;
  readonly different: AuditView['different'][number] | undefined;
}

interface AuditedCampaignProps {
  readonly audited: Audited;
  /** Compared without being asked for, once it is its turn. */
  readonly turn: boolean;
  onCompared(key: string): void;
}

const WAIT_S = 5;

/** A campaign that has run on, or runs again, is another one to compare. */
export const keyOfAudit = ({ campaignId, campaign }: Audited): string => `${campaignId} ${campaign?.version ?? ''}`;

export function AuditedCampaign({ audited, turn, onCompared }: AuditedCampaignProps) {
  const { campaignId, campaign, different } = audited;
  const query = useQuery({
    queryKey: ['audit', campaignId, campaign?.version ?? null],
    queryFn: ({ signal }) =>
      ask<CampaignAuditView>(`/v1/campaigns/${encodeURIComponent(campaignId)}/audit`, {
        query: { wait: WAIT_S },
        signal,
      }),
    enabled: turn,
    // It reads every event of the campaign some ten times: not again unless somebody wants it.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  const isSettled = query.isFetched && !query.isFetching;
  const key = keyOfAudit(audited);
  useEffect(() => {
    if (turn && isSettled) onCompared(key);
  }, [turn, isSettled, key, onCompared]);
  const name = campaign?.name ?? campaignId;
  return (
    <li className="flex flex-wrap items-start justify-between gap-x-4 gap-y-2 border-b border-line py-3 last:border-b-0">
      <div className="min-w-0 flex-1 basis-80">
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <h3 className="min-w-0 font-medium">
            <Link to={`/campaigns/${campaignId}`} className="text-accent underline">
              <Foreign text={name.length > 200 ? `${name.slice(0, 200)}…` : name} />
            </Link>
          </h3>
          {campaign && <StatusBadge status={campaign.status} />}
        </div>
        <div className="mt-1 min-h-12">
          {query.data ? (
            <AuditLine audit={query.data} name={name} />
          ) : (
            <NotCompared audited={audited} isFetching={query.isFetching} />
          )}
          {query.error && !query.isFetching && (
            <p role="alert" className="text-sm text-bad wrap-anywhere">
              Could not be compared: {sentenceOf(query.error)}
            </p>
          )}
        </div>
      </div>
      <Button
        className="min-w-36"
        busy={query.isFetching}
        aria-label={`${query.data || different ? 'Compare again' : 'Compare now'}: ${name.slice(0, 80)}`}
        onClick={() => void query.refetch()}
      >
        {query.data || different ? 'Compare again' : 'Compare now'}
      </Button>
    </li>
  );
}

function NotCompared({ audited: { campaign, different }, isFetching }: { audited: Audited; isFetching: boolean }) {
  if (different)
    return (
      <p>
        <strong className="text-bad">
          {Object.entries(different.differences)
            .map(([figure, difference]) => `${nameOfFigure(figure)}: difference ${formatCount(difference)}`)
            .join(', ')}
        </strong>{' '}
        <span className="text-soft">
          found <Time iso={different.audited_at} />; compare again to see the ids
        </span>
      </p>
    );
  return (
    <p className="num text-soft">
      {campaign && `audience ${formatCount(campaign.expected)} · `}
      {isFetching ? 'comparing…' : 'not compared on this page yet'}
    </p>
  );
}

const sentenceOf = (error: Error): string =>
  error instanceof ApiProblem && error.code === 'busy'
    ? 'two other audits are under way. Try again in a moment.'
    : error.message;
