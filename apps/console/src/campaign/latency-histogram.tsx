import type { UseQueryResult } from '@tanstack/react-query';
import type { HistogramView, StatsView } from '../api/types.ts';
import { showCount, showMs } from '../charts/axis.ts';
import { Plot } from '../charts/plot.tsx';
import { formatCount, formatDuration, formatShare } from '../format.ts';
import { CHART_PX, ChartCard } from './chart-card.tsx';
import { hasSent, NOT_YET } from './not-yet.ts';

/** Bounds of the buckets as docs/statistics.md lists them: the API leaves out empty ones. */
const BOUNDS = [
  0,
  1,
  2,
  3,
  5,
  7,
  ...[1, 2, 3, 4, 5, 6, 7, 8].flatMap((power) => [1, 1.5, 2, 3, 5, 7].map((n) => n * 10 ** power)),
];
/** So few buckets do not fill a chart. */
const LEAST = 10;

interface Bucket {
  readonly from_ms: number;
  readonly to_ms: number;
  readonly count: number;
}

/** With the empty ones between the first and the last. Bounds that are not known here leave the answer as it came. */
export function withEmpty(buckets: readonly Bucket[]): readonly Bucket[] {
  return buckets.flatMap((bucket, i) => {
    const before = buckets[i - 1];
    if (!before || before.to_ms >= bucket.from_ms) return [bucket];
    const bounds = BOUNDS.filter((ms) => ms > before.to_ms && ms < bucket.from_ms);
    const edges = [before.to_ms, ...bounds, bucket.from_ms];
    const gap = edges.slice(1).map((to_ms, at) => ({ from_ms: edges[at] as number, to_ms, count: 0 }));
    return [...gap, bucket];
  });
}

export const LatencyHistogram = ({
  query,
  stats,
  className = '',
}: {
  query: UseQueryResult<HistogramView>;
  stats: StatsView | undefined;
  className?: string;
}) => (
  <ChartCard
    title="Latency of sent messages"
    className={className}
    query={query}
    isEmpty={({ data }) => data.length === 0}
    empty={hasSent(stats) ? NOT_YET : 'No message has been sent yet: latency is that of sent ones.'}
  >
    {({ data }) => {
      const buckets = withEmpty(data);
      const all = data.reduce((sum, { count }) => sum + count, 0);
      const top = data.reduce((most, bucket) => (bucket.count > most.count ? bucket : most));
      const name = ({ from_ms, to_ms }: Bucket) => `${formatDuration(from_ms)} to ${formatDuration(to_ms)}`;
      const room = Math.max(0, LEAST - buckets.length) / 2;
      return (
        <Plot
          label={`Latency of ${formatCount(all)} sent messages. Most, ${formatCount(top.count)}, took ${name(top)}.`}
          xs={buckets.map((_, i) => i)}
          // Bounds stand between the bars.
          ticks={[...buckets.map((_, i) => i - 0.5), buckets.length - 0.5]}
          range={[-0.5 - room, buckets.length - 0.5 + room]}
          showX={(x) => showMs(buckets[Math.ceil(x)]?.from_ms ?? buckets.at(-1)?.to_ms ?? 0)}
          showPointX={(x) => {
            const bucket = buckets[x];
            return bucket ? `${name(bucket)} · ${formatShare(bucket.count, all)}` : '';
          }}
          lines={[
            {
              label: 'Messages',
              colour: 'accent',
              kind: 'bars',
              values: buckets.map(({ count }) => count),
              show: formatCount,
              atRest: formatCount(all),
            },
          ]}
          showY={showCount}
          whole
          height={CHART_PX}
        />
      );
    }}
  </ChartCard>
);
