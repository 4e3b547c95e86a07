import type { UseQueryResult } from '@tanstack/react-query';
import type { SeriesView } from '../api/types.ts';
import { showCount, showHour, showMinute, showMs, showWhole, stepRange } from '../charts/axis.ts';
import { Plot } from '../charts/plot.tsx';
import { formatCount, formatDuration } from '../format.ts';
import { CHART_PX, ChartCard } from './chart-card.tsx';

type Point = SeriesView['data'][number];
type Percentile = 'p50_ms' | 'p95_ms' | 'p99_ms';
/** With fewer points than that lines would be dots: bars within each other say the same. */
const LEAST_FOR_LINES = 4;

const axisOf = ({ data, step }: SeriesView) => {
  const xs = data.map(({ at }) => Date.parse(at) / 1_000);
  return {
    xs,
    ticks: xs,
    range: stepRange(xs, step === '1h' ? 3_600 : 60),
    showX: step === '1h' ? showHour : showMinute,
    showPointX: showWhole,
  };
};
const stepName = (query: UseQueryResult<SeriesView>) => (query.data?.step === '1h' ? 'hour' : 'minute');

export function OutcomesChart({ query }: { query: UseQueryResult<SeriesView> }) {
  const unit = stepName(query);
  return (
    <ChartCard
      title={`Messages per ${unit}`}
      query={query}
      isEmpty={({ data }) => data.length === 0}
      empty="Nothing has happened yet: the first message that ends begins this chart."
    >
      {(series) => {
        const of = (value: (point: Point) => number) => series.data.map(value);
        const outcomes = [
          { label: 'Sent', colour: 'sent', kind: 'bars', stacked: true, side: 'start', values: of((p) => p.sent) },
          {
            label: 'Failed, gave up',
            colour: 'failed',
            kind: 'bars',
            stacked: true,
            side: 'start',
            values: of((p) => p.failed + p.dead),
          },
          {
            label: 'Expired',
            colour: 'expired',
            kind: 'bars',
            stacked: true,
            side: 'start',
            values: of((p) => p.expired),
          },
          { label: 'Attempts put off', colour: 'retrying', kind: 'bars', side: 'end', values: of((p) => p.deferred) },
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
  { label: 'p99', colour: 'warn', of: 'p99_ms' },
  { label: 'p95', colour: 'accent', of: 'p95_ms' },
  { label: 'p50', colour: 'info', of: 'p50_ms' },
] as const satisfies readonly { label: string; colour: string; of: Percentile }[];

export function LatencyChart({ query }: { query: UseQueryResult<SeriesView> }) {
  const unit = stepName(query);
  return (
    <ChartCard
      title={`Latency per ${unit}`}
      query={query}
      isEmpty={({ data }) => data.every(({ p50_ms }) => p50_ms === null)}
      empty="No message has been sent yet: latency is that of sent ones."
    >
      {(series) => {
        const known = series.data.filter(({ p50_ms }) => p50_ms !== null);
        const last = known.at(-1);
        const show = (ms: number | null | undefined) => formatDuration(ms ?? null);
        return (
          <Plot
            label={`Latency per ${unit}, of sent messages. In the last ${unit}: ${PERCENTILES.map(({ label, of }) => `${label} ${show(last?.[of])}`).join(', ')}.`}
            {...axisOf(series)}
            lines={PERCENTILES.map(({ label, colour, of }) => ({
              label,
              colour,
              values: series.data.map((point) => point[of]),
              show: formatDuration,
              atRest: show(last?.[of]),
              kind: series.data.length < LEAST_FOR_LINES ? 'bars' : 'line',
            }))}
            showY={showMs}
            height={CHART_PX}
          />
        );
      }}
    </ChartCard>
  );
}
