import { useRef } from 'react';
import { Link } from 'react-router';
import type { CampaignView, StatsView } from '../api/types.ts';
import { formatCompact, formatCount, formatDuration, formatRate, formatShare } from '../format.ts';
import { useOnScreen } from '../live/use-on-screen.ts';
import { endedOf, failuresOf } from '../states.ts';
import { ForeignLine, StatusBadge, Time } from '../ui/parts.tsx';
import { StateBar } from '../ui/state-bar.tsx';
import { NumTd, Td } from '../ui/table.tsx';
import { CHANNEL_LABELS } from './channels.ts';
import { useRowStats } from './use-row-stats.ts';

const UNKNOWN = <span className="text-soft">–</span>;

/** On narrow screens one cell says everything. */
export function CampaignRow({ campaign, isWide }: { campaign: CampaignView; isWide: boolean }) {
  const ref = useRef<HTMLTableRowElement>(null);
  const { stats, perSecond, isOld } = useRowStats(campaign, useOnScreen(ref));
  const isDraft = campaign.status === 'draft';
  const rate = perSecond === null ? undefined : `${formatRate(perSecond)}/s`;
  const name = <Name campaign={campaign} />;
  if (!isWide)
    return (
      <tr ref={ref} className="last:[&>td]:border-b-0">
        <Td className="w-full max-w-0">
          {name}
          <div className="mt-2 flex flex-col gap-1.5">
            <div className="flex items-center justify-between gap-2">
              <span className="flex items-center gap-2">
                <StatusBadge status={campaign.status} />
                {isOld && <NotRenewed />}
              </span>
              <span className="text-xs text-soft">
                <Age campaign={campaign} />
              </span>
            </div>
            {!isDraft && (
              <>
                <Progress campaign={campaign} stats={stats} />
                <p className="num flex flex-wrap gap-x-3 text-xs text-soft">
                  {rate && <span>{rate} now</span>}
                  <span>p95 {formatDuration(stats?.p95_ms ?? null)}</span>
                  <span>
                    failures <Failures stats={stats} />
                  </span>
                </p>
              </>
            )}
          </div>
        </Td>
      </tr>
    );
  return (
    <tr ref={ref} className="last:[&>td]:border-b-0 hover:bg-raised">
      <Td className="max-w-0">{name}</Td>
      <Td>
        <StatusBadge status={campaign.status} />
        {isOld && (
          // In the height that the name beside it needs.
          <div className="-mb-2 leading-none">
            <NotRenewed />
          </div>
        )}
      </Td>
      <Td>{isDraft ? UNKNOWN : <Progress campaign={campaign} stats={stats} />}</Td>
      <NumTd>{rate ?? UNKNOWN}</NumTd>
      <NumTd>{stats?.p95_ms == null ? UNKNOWN : formatDuration(stats.p95_ms)}</NumTd>
      <NumTd>
        <Failures stats={stats} />
      </NumTd>
      <NumTd className="text-soft">
        <Age campaign={campaign} />
      </NumTd>
    </tr>
  );
}

/** A draft is gone on with; anything else is looked at. */
const Name = ({ campaign }: { campaign: CampaignView }) => (
  <>
    <Link
      to={`/campaigns/${campaign.campaign_id}${campaign.status === 'draft' ? '/edit' : ''}`}
      className="block font-medium text-ink hover:underline"
    >
      <ForeignLine text={campaign.name} />
    </Link>
    <p className="truncate text-xs text-soft">
      {CHANNEL_LABELS[campaign.channel]}
      {campaign.provider && campaign.provider !== campaign.channel && (
        <>
          {' '}
          via <bdi>{campaign.provider}</bdi>
        </>
      )}
    </p>
  </>
);

const NotRenewed = () => (
  <span className="text-xs text-warn" title="Its figures could not be asked for again: these are the last known">
    not renewed
  </span>
);

/** Since it was sent, or made. */
const Age = ({ campaign }: { campaign: CampaignView }) => <Time iso={campaign.sent_at ?? campaign.created_at} ago />;

function Failures({ stats }: { stats: StatsView | undefined }) {
  if (!stats) return UNKNOWN;
  const failures = failuresOf(stats);
  return failures === 0 ? (
    <span className="text-soft">0</span>
  ) : (
    <span
      className="font-semibold text-bad"
      title={`${formatShare(failures, stats.total)} of ${formatCount(stats.total)}: failed, given up or expired`}
    >
      {formatCompact(failures)}
    </span>
  );
}

/** Whole numbers as long as there is room: 11,999 of 12,000 is not all. */
const MANY = 1_000_000;

/** As high before its figures are known as after. */
function Progress({ campaign, stats }: { campaign: CampaignView; stats: StatsView | undefined }) {
  const total = stats?.total ?? campaign.expected;
  const shown = total < MANY ? formatCount : formatCompact;
  return (
    <div className="flex flex-col gap-1 pt-1">
      {stats ? <StateBar stats={stats} slim /> : <div className="h-2 rounded-full bg-raised" />}
      <p className="num flex justify-between gap-2 text-xs whitespace-nowrap text-soft">
        <span>
          {stats ? shown(endedOf(stats)) : '–'} of {shown(total)}
        </span>
        <span>{stats && stats.total > 0 ? formatShare(endedOf(stats), stats.total) : '–'}</span>
      </p>
    </div>
  );
}
