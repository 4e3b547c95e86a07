import { Link } from 'react-router';
import type { CampaignView, RedriveView, StatsView } from '../api/types.ts';
import { formatCount, formatShare } from '../format.ts';
import { JobAnnounced } from '../redrive/job-announced.tsx';
import { JobBar, JobLeft, JobText } from '../redrive/job-progress.tsx';
import { RedriveButton } from '../redrive/redrive-button.tsx';
import { useJob } from '../redrive/use-job.ts';
import { failuresOf } from '../states.ts';
import { Badge } from '../ui/parts.tsx';
import { resendOf } from './resend.ts';

/** A redrive that was asked for on this page, and the campaign as it was then. */
export interface AskedHere {
  readonly jobId: string;
  readonly version: number;
}

interface ResendBannerProps {
  readonly campaign: CampaignView;
  readonly status: string;
  readonly underWay: boolean;
  readonly stats: StatsView | undefined;
  readonly asked: AskedHere | undefined;
  onStarted(redrive: RedriveView): void;
}

/** After the end: who did not get it, and sending again to just those. Then how that goes. */
export function ResendBanner({ campaign, status, underWay, stats, asked, onStarted }: ResendBannerProps) {
  const id = campaign.campaign_id;
  const { job } = useJob(asked?.jobId, id);
  const failed = stats ? failuresOf(stats) : 0;
  // A cancelled campaign has others that did not go out, and sends nothing again.
  const isCancelled = status === 'cancelled' || status === 'failed';
  if (!stats || (!job && (underWay || isCancelled || failed === 0))) return null;
  const resend = resendOf(campaign, status, stats, Date.now());
  // A job may be done a moment before its campaign is seen to run again, which gives that a new version.
  const isStillToRun = job !== undefined && job.redriven > 0 && campaign.version === asked?.version;
  const isOver = !underWay && job?.status !== 'running' && !isStillToRun;
  return (
    <section
      aria-label="Messages that did not go out"
      className={`rounded-lg border-s-4 border-y border-e border-line bg-panel p-4 ${!isOver ? 'border-s-info' : failed > 0 ? 'border-s-bad' : 'border-s-good'}`}
    >
      <JobAnnounced job={job} />
      <div className="flex flex-wrap items-center justify-between gap-3">
        <div className="min-w-0 flex-1 basis-72">
          {job && (
            <p className="num flex flex-wrap items-center gap-2 text-sm">
              <Badge tone={isOver ? 'neutral' : 'info'}>{isOver ? 'sent again' : 'sending again'}</Badge>
              {isOver ? <>{formatCount(job.redriven)} were tried again</> : <JobText job={job} />}
            </p>
          )}
          {failed > 0 ? (
            <p className="mt-0.5">
              <strong className="num">
                {formatCount(failed)} of {formatCount(stats.total)} {job && isOver ? 'still ' : ''}did not go out
              </strong>{' '}
              <span className="num text-soft">({formatShare(failed, stats.total)})</span>
            </p>
          ) : (
            isOver && <p className="mt-0.5 font-semibold">None stands failed any more.</p>
          )}
          <Details stats={stats} whyNot={resend.whyNot} id={id} />
        </div>
        {resend.isPossible && isOver && (
          <RedriveButton
            kind="primary"
            selection={{ campaign_id: id }}
            label={`Send again to ${formatCount(resend.count)}`}
            onStarted={onStarted}
          />
        )}
      </div>
      {job && job.status === 'running' && (
        <div className="mt-3">
          <JobBar job={job} />
        </div>
      )}
      {job && <JobLeft job={job} />}
    </section>
  );
}

function Details({ stats, whyNot, id }: { stats: StatsView; whyNot: string | undefined; id: string }) {
  const base = `/campaigns/${encodeURIComponent(id)}/messages?status=`;
  const parts = [
    { name: 'failed', count: stats.failed, text: 'refused for good' },
    { name: 'dead', count: stats.dead, text: 'given up' },
    { name: 'expired', count: stats.expired, text: 'past their deadline, which cannot be sent again' },
  ].filter(({ count }) => count > 0);
  if (parts.length === 0) return null;
  return (
    <p className="num text-sm text-soft">
      {parts.map(({ name, count, text }, i) => (
        <span key={name}>
          {i > 0 && ', '}
          <Link to={base + name} className="underline decoration-line underline-offset-3 hover:text-ink">
            {formatCount(count)} {text}
          </Link>
        </span>
      ))}
      .{whyNot && ` ${whyNot}`}
    </p>
  );
}
