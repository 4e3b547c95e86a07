import { showAgo, showCount } from '../charts/axis.ts';
import { Plot } from '../charts/plot.tsx';
import { formatRate } from '../format.ts';
import { useNow } from '../live/use-now.ts';
import { Card } from '../ui/parts.tsx';
import { CHART_PX, ChartPlace } from './chart-card.tsx';
import { TRAIL_MS, type TrailPoint } from './trail.ts';

const SPAN_S = TRAIL_MS / 1_000;
const TICK_S = 30;

interface LiveRateProps {
  readonly trail: readonly TrailPoint[];
  readonly underWay: boolean;
  readonly isLive: boolean;
}

/** The last two minutes, from what arrived on this page; it stands still when the run has ended. */
export function LiveRate({ trail, underWay, isLive }: LiveRateProps) {
  const nowMs = useNow();
  const last = trail.at(-1);
  const endS = (underWay ? Math.max(nowMs, last?.atMs ?? 0) : (last?.atMs ?? nowMs)) / 1_000;
  const known = trail.filter(({ perSecond }) => perSecond !== null);
  const most = known.reduce((peak, { perSecond }) => Math.max(peak, perSecond ?? 0), 0);
  const latest = isLive ? (known.at(-1)?.perSecond ?? null) : null;
  const showX = (x: number) => (endS - x < 1 ? (underWay ? 'now' : 'end') : showAgo(endS - x));
  return (
    <Card title="Messages per second" className="flex flex-col">
      {known.length < 2 ? (
        <ChartPlace>
          {underWay ? 'It begins with the next counts.' : 'Nothing arrived while this page was open.'}
        </ChartPlace>
      ) : (
        <Plot
          label={`Messages per second as they arrived on this page: ${latest === null ? 'not known' : formatRate(latest)}, at most ${formatRate(most)}.`}
          xs={trail.map(({ atMs }) => atMs / 1_000)}
          range={[endS - SPAN_S, endS]}
          ticks={Array.from({ length: SPAN_S / TICK_S + 1 }, (_, i) => endS - SPAN_S + i * TICK_S)}
          showX={showX}
          lines={[
            {
              label: 'Ended per second',
              colour: 'sent',
              kind: 'area',
              values: trail.map(({ perSecond }) => perSecond),
              show: formatRate,
              atRest: underWay && latest !== null ? formatRate(latest) : `at most ${formatRate(most)}`,
            },
          ]}
          showY={showCount}
          height={CHART_PX}
        />
      )}
      <p className="mt-auto min-h-6 pt-1 text-end text-xs text-soft">
        The last 2 minutes, as counts arrived on this page
      </p>
    </Card>
  );
}
