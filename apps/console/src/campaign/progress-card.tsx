import { Link } from 'react-router';
import type { CampaignView, StatsView } from '../api/types.ts';
import { formatCount, formatDuration, formatRate, formatShare } from '../format.ts';
import type { LiveStats } from '../live/use-live-stats.ts';
import { endedOf } from '../states.ts';
import { Freshness, LiveBadge } from '../ui/freshness.tsx';
import { Card, Figure, Time } from '../ui/parts.tsx';
import { StateBar, StateLegend } from '../ui/state-bar.tsx';
import { Failure, Loading } from '../ui/states.tsx';

interface ProgressCardProps {
  readonly campaign: CampaignView;
  readonly live: LiveStats;
  readonly status: string;
  readonly underWay: boolean;
  /** From the counts that arrived here. */
  readonly perSecond: number | null;
}

export function ProgressCard(props: ProgressCardProps) {
  const { campaign, live } = props;
  const { stats } = live;
  return (
    <Card
      title="Progress"
      aside={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <Freshness asOf={stats?.as_of} lagMs={stats?.lag_ms} />
          <LiveBadge liveness={live.liveness} heardAtMs={live.heardAtMs} />
        </span>
      }
    >
      {stats ? (
        <>
          <p className="mb-2 flex flex-wrap items-baseline gap-x-3">
            <span className="num text-3xl font-semibold">{formatShare(endedOf(stats), stats.total)}</span>
            <span className="num text-soft">
              {formatCount(endedOf(stats))} of {formatCount(stats.total)} messages have ended
            </span>
          </p>
          <StateBar stats={stats} />
          <StateLegend
            stats={stats}
            link={(name, text) => (
              <Link
                to={`/campaigns/${encodeURIComponent(campaign.campaign_id)}/messages?status=${name}`}
                className="underline decoration-line underline-offset-3 hover:text-ink hover:decoration-current"
              >
                {text}
              </Link>
            )}
          />
          <RunFigures {...props} stats={stats} />
        </>
      ) : live.problem ? (
        <Failure error={live.problem} />
      ) : (
        <Loading rows={6} />
      )}
    </Card>
  );
}

function RunFigures({ campaign, live, stats, status, underWay, ...rest }: ProgressCardProps & { stats: StatsView }) {
  // What was the rate when the last counts came is not the rate now.
  const perSecond = live.liveness === 'live' || live.liveness === 'ended' ? rest.perSecond : null;
  const left = stats.queued + stats.retrying;
  const leftMs =
    underWay && status !== 'paused' && perSecond !== null && perSecond > 0 ? (left / perSecond) * 1_000 : null;
  const tookMs =
    campaign.sent_at && campaign.ended_at ? Date.parse(campaign.ended_at) - Date.parse(campaign.sent_at) : null;
  const percentile = (ms: number | null) => (ms === null ? '–' : formatDuration(ms));
  return (
    <>
      <dl className="mt-5 grid grid-cols-[repeat(auto-fit,minmax(min(9.5rem,44%),1fr))] gap-x-6 gap-y-4 border-t border-line pt-4">
        {underWay ? (
          <Figure
            label="Messages per second"
            value={perSecond === null ? '–' : formatRate(perSecond)}
            note={`5 s mean; overall ${formatRate(stats.throughput_per_s)}`}
          />
        ) : (
          <Figure
            label="Messages per second"
            value={formatRate(stats.throughput_per_s)}
            note="ended, from first to last"
          />
        )}
        {underWay ? (
          <Figure
            label="Time left"
            value={leftMs === null ? '–' : formatDuration(Math.max(1_000, Math.round(leftMs / 1_000) * 1_000))}
            note={status === 'paused' ? 'paused' : leftMs === null ? 'not known' : 'about, at this rate'}
          />
        ) : (
          <Figure label="Took" value={formatDuration(tookMs)} note="from the send to the end" />
        )}
        <Figure label="Latency p50" value={percentile(stats.p50_ms)} note="half took less" />
        <Figure label="Latency p95" value={percentile(stats.p95_ms)} note="1 in 20 took longer" />
        <Figure label="Latency p99" value={percentile(stats.p99_ms)} note="1 in 100 took longer" />
      </dl>
      <p className={`num mt-3 min-h-5 text-xs ${stats.stale ? 'text-warn' : 'text-soft'}`}>
        Latency is from being queued to being taken by the provider, of sent messages
        {stats.percentiles_as_of && (
          <>
            {' '}
            · as of <Time iso={stats.percentiles_as_of} />
          </>
        )}
        {stats.stale && ' · not renewed at the moment: the last that is known'}
      </p>
    </>
  );
}
