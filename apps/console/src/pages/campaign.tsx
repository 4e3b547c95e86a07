import { useState } from 'react';
import { Link, Navigate, useParams } from 'react-router';
import type { CampaignView, RedriveView } from '../api/types.ts';
import { BooksCard } from '../campaign/books-card.tsx';
import { CampaignAbout } from '../campaign/campaign-about.tsx';
import { CampaignActions, CommandProblem, useCommand } from '../campaign/campaign-actions.tsx';
import { ContentCard } from '../campaign/content-card.tsx';
import { FailuresCard } from '../campaign/failures-card.tsx';
import { LatencyHistogram } from '../campaign/latency-histogram.tsx';
import { LiveRate } from '../campaign/live-rate.tsx';
import { ProgressCard } from '../campaign/progress-card.tsx';
import { useReports } from '../campaign/reports.ts';
import { type AskedHere, ResendBanner } from '../campaign/resend-banner.tsx';
import { LatencyChart, OutcomesChart } from '../campaign/series-charts.tsx';
import { useTrail } from '../campaign/trail.ts';
import { type Run, useRun } from '../campaign/use-run.ts';
import { buttonClass } from '../ui/controls.tsx';
import { Foreign, Page, StatusBadge } from '../ui/parts.tsx';
import { Failure, Loading } from '../ui/states.tsx';

export function CampaignPage() {
  const { id = '' } = useParams();
  return <CampaignById key={id} id={id} />;
}

function CampaignById({ id }: { id: string }) {
  const run = useRun(id);
  const { data, error, refetch } = run.campaign;
  if (data) return <CampaignRun campaign={data} run={run} />;
  return (
    <Page title="Campaign">
      {error ? <Failure error={error} retry={() => void refetch()} /> : <Loading rows={8} />}
    </Page>
  );
}

function CampaignRun({ campaign, run }: { campaign: CampaignView; run: Run }) {
  const { live, status, underWay, expectMore } = run;
  const id = campaign.campaign_id;
  const command = useCommand(id);
  const trail = useTrail(live.stats, live.heardAtMs);
  const { series, histogram, failures } = useReports(campaign, underWay);
  // Once there was something to see live, its chart stays after the end.
  const [wasUnderWay, setWasUnderWay] = useState(underWay);
  if (underWay && !wasUnderWay) setWasUnderWay(true);

  const [asked, setAsked] = useState<AskedHere>();
  const started = (redrive: RedriveView) => {
    if (redrive.action === 'redrive') setAsked({ jobId: redrive.redrive_id, version: campaign.version });
    expectMore();
  };

  const address = `/campaigns/${encodeURIComponent(id)}`;
  if (status === 'draft') return <Navigate to={`${address}/edit`} replace />;
  return (
    <Page
      name={campaign.name}
      title={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <Foreign text={campaign.name} />
          <StatusBadge status={status} />
        </span>
      }
      about={<CampaignAbout campaign={campaign} />}
      actions={
        <>
          <Link to={`${address}/messages`} className={buttonClass()}>
            Messages
          </Link>
          <CampaignActions campaign={campaign} status={status} stats={live.stats} command={command} />
        </>
      }
    >
      <CommandProblem command={command} />
      <ProgressCard
        campaign={campaign}
        live={live}
        status={status}
        underWay={underWay}
        perSecond={trail.at(-1)?.perSecond ?? null}
      />
      <ResendBanner
        campaign={campaign}
        status={status}
        underWay={underWay}
        stats={live.stats}
        asked={asked}
        onStarted={started}
      />
      <div className="grid gap-5 lg:grid-cols-2">
        {wasUnderWay && <LiveRate trail={trail} underWay={underWay} isLive={live.liveness === 'live'} />}
        <OutcomesChart query={series} stats={live.stats} />
        <LatencyChart query={series} stats={live.stats} />
        <LatencyHistogram query={histogram} stats={live.stats} className={wasUnderWay ? '' : 'lg:col-span-2'} />
      </div>
      <FailuresCard
        campaign={campaign}
        status={status}
        underWay={underWay}
        stats={live.stats}
        query={failures}
        onStarted={started}
      />
      <BooksCard id={id} version={campaign.version} endedAt={campaign.ended_at} />
      <ContentCard campaign={campaign} />
    </Page>
  );
}
