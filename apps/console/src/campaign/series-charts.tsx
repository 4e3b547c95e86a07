import type { UseQueryResult } from '@tanstack/react-query';
import type { SeriesView, StatsView } from '../api/types.ts';
import { showCount, showHour, showMinute, showMs, showWhole, stepRange } from '../charts/axis.ts';
import { type Line, Plot } from '../charts/plot.tsx';
import { formatCount, formatDuration } from '../format.ts';
import { CHART_PX, ChartCard } from './chart-card.tsx';
import { hasEnded, hasSent, NOT_YET } from './not-yet.ts';

type Point = SeriesView['data'][number];
type Percentile = 'p50_ms' | 'p95_ms' | 'p99_ms';
interface SeriesChartProps {
  readonly query: UseQueryResult<SeriesView>;
  readonly stats: StatsView | undefined;
}
/** With fewer points than that lines would be dots: bars say the same. */
const LEAST_FOR_LINES = 4;

const axisOf = ({ data, step }: SeriesView) => {
  const width = step === '1h' ? 3_600 : 60;
  const xs = data.map(({ at }) => Date.parse(at) / 1_000);
  return {
    xs,
    step: width,
    ticks: xs,
    range: stepRange(xs, width),
    showX: step === '1h' ? showHour : showMinute,
    showPointX: showWhole,
  };
};
const stepName = (query: UseQueryResult<SeriesView>) => (query.data?.step === '1h' ? 'hour' : 'minute');

export function OutcomesChart({ query, stats }: SeriesChartProps) {
  const unit = stepName(query);
  const hasRedriven = query.data?.data.some(({ redriven }) => redriven > 0) ?? false;
  return (
    <ChartCard
      title={`Messages per ${unit}`}
      query={query}
      isEmpty={({ data }) => data.length === 0}
      empty={hasEnded(stats) ? NOT_YET : 'Nothing has happened yet: the first message that ends begins this chart.'}
      // Series count events: such a message is in two of these sums.
      note={hasRedriven ? 'What was sent again counts each time' : undefined}
    >
      {(series) => {
        const of = (value: (point: Point) => number) => series.data.map(value);
        const outcomes = [
          {
            label: 'Sent',
            colour: 'sent',
            kind: 'bars',
            stacked: true,
            slot: [-0.36, 0.12],
            values: of((p) => p.sent),
          },
          {
            label: 'Failed, gave up',
            colour: 'failed',
            kind: 'bars',
            stacked: true,
            slot: [-0.36, 0.12],
            values: of((p) => p.failed + p.dead),
          },
          {
            label: 'Expired',
            colour: 'expired',
            kind: 'bars',
            stacked: true,
            slot: [-0.36, 0.12],
            values: of((p) => p.expired),
          },
          {
            label: 'Attempts put off',
            colour: 'retrying',
            kind: 'bars',
            slot: [0.15, 0.36],
            values: of((p) => p.deferred),
          },
        ] as const;
        const lines = outcomes
          .map((line) => ({ ...line, sum: line.values.reduce((sum, value) => sum + value, 0) }))
          .filter(({ label, sum }) => label !== 'Expired' || sum > 0);
        return (
          <Plot
            label={`Messages per ${unit}. In all: ${lines.map(({ label, sum }) => `${label} ${formatCount(sum)}`).join(', ')}.`}
            {...axisOf(series)}
            lines={lines.map((line) => ({ ...line, show: formatCount, atRest: formatCount(line.sum) }))}
            showY={showCount}
            whole
            height={CHART_PX}
          />
        );
      }}
    </ChartCard>
  );
}

const PERCENTILES = [
  { label: 'p50', colour: 'info', of: 'p50_ms', slot: [-0.36, -0.14] },
  { label: 'p95', colour: 'accent', of: 'p95_ms', slot: [-0.11, 0.11] },
  { label: 'p99', colour: 'warn', of: 'p99_ms', slot: [0.14, 0.36] },
] as const satisfies readonly { label: string; colour: string; of: Percentile; slot: Line['slot'] }[];

export function LatencyChart({ query, stats }: SeriesChartProps) {
  const unit = stepName(query);
  return (
    <ChartCard
      title={`Latency per ${unit}`}
      query={query}
      isEmpty={({ data }) => data.every(({ p50_ms }) => p50_ms === null)}
      empty={hasSent(stats) ? NOT_YET : 'No message has been sent yet: latency is that of sent ones.'}
    >
      {(series) => {
        const known = series.data.filter(({ p50_ms }) => p50_ms !== null);
        const last = known.at(-1);
        const show = (ms: number | null | undefined) => formatDuration(ms ?? null);
        return (
          <Plot
            label={`Latency per ${unit}, of sent messages. In the last ${unit}: ${PERCENTILES.map(({ label, of }) => `${label} ${show(last?.[of])}`).join(', ')}.`}
            {...axisOf(series)}
            lines={PERCENTILES.map(({ label, colour, of, slot }) => ({
              label,
              colour,
              slot,
              values: series.data.map((point) => point[of]),
              show: formatDuration,
              atRest: show(last?.[of]),
              kind: known.length < LEAST_FOR_LINES ? 'bars' : 'line',
            }))}
            showY={showMs}
            height={CHART_PX}
          />
        );
      }}
    </ChartCard>
  );
}
