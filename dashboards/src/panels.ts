import * as bargauge from '@grafana/grafana-foundation-sdk/bargauge';
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import {
  BigValueColorMode,
  BigValueGraphMode,
  GraphDrawStyle,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  HeatmapCellLayout,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  ScaleDistribution,
  ScaleDistributionConfigBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TableSortByFieldStateBuilder,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import {
  DashboardLinkBuilder,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard';
import * as heatmap from '@grafana/grafana-foundation-sdk/heatmap';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';
import { clickhouseSource, mixedSource, prometheusSource } from './queries.ts';

const SOURCES = { clickhouse: clickhouseSource, prometheus: prometheusSource, both: mixedSource };

interface Common {
  readonly title: string;
  /** What it says, what it leaves out. Shown behind the i of the panel. */
  readonly description: string;
  readonly from: keyof typeof SOURCES;
  readonly targets: readonly Builder<Dataquery>[];
  readonly unit: string;
  readonly width: number;
  readonly height: number;
}

/** Green below the limit, red from it on. */
const limit = (at: number): Threshold[] => [
  { value: null, color: 'green' },
  { value: at, color: 'red' },
];
const thresholds = (steps: Threshold[]) => new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);

/** The same everywhere: what went well is green, what is lost is red. Colours of Grafana's palette, by name. */
const OUTCOMES: Readonly<Record<string, string>> = {
  Accepted: 'blue',
  Sent: 'green',
  Deferred: 'yellow',
  Failed: 'red',
  Dead: 'dark-red',
  Suppressed: 'purple',
  Cancelled: 'light-blue',
  Expired: 'orange',
  'Not sent': 'purple',
};

/** Rollups are per minute: a finer interval would only make holes. */
const LEAST_INTERVAL = '1m';

/** Series come as a label each: it is their name, without that of the number. */
const byLabel = (label: string) => `\${__field.labels.${label}}`;

export function lines(
  o: Common & {
    readonly stacked?: boolean;
    readonly label?: string;
    readonly limit?: number;
    readonly max?: number;
    /** Where one pause would flatten everything else. */
    readonly isLogarithmic?: boolean;
    /** Names of lines that are outcomes of messages. */
    readonly outcomes?: readonly string[];
  },
): Builder<Panel> {
  const panel = new timeseries.PanelBuilder()
    .title(o.title)
    .description(o.description)
    .datasource(SOURCES[o.from])
    .targets([...o.targets])
    .span(o.width)
    .height(o.height)
    .unit(o.unit)
    .lineWidth(o.stacked ? 0 : 1)
    .fillOpacity(o.stacked ? 80 : 10)
    .drawStyle(o.stacked ? GraphDrawStyle.Bars : GraphDrawStyle.Line)
    .showPoints(VisibilityMode.Auto)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs([]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  if (o.from !== 'prometheus') panel.interval(LEAST_INTERVAL);
  if (o.stacked) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'));
  if (o.label) panel.displayName(byLabel(o.label));
  if (o.isLogarithmic)
    panel.scaleDistribution(new ScaleDistributionConfigBuilder().type(ScaleDistribution.Log).log(10));
  else panel.min(0);
  if (o.max !== undefined) panel.max(o.max);
  for (const name of o.outcomes ?? [])
    panel.overrideByName(name, [{ id: 'color', value: { mode: 'fixed', fixedColor: OUTCOMES[name] } }]);
  if (o.limit !== undefined) {
    panel.thresholds(thresholds(limit(o.limit)));
    panel.thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
  }
  return panel;
}

/** The last value, with its course behind it. */
export function value(
  o: Common & { readonly limit?: number; readonly decimals?: number; readonly calc?: 'lastNotNull' | 'sum' },
): Builder<Panel> {
  const panel = new stat.PanelBuilder()
    .title(o.title)
    .description(o.description)
    .datasource(SOURCES[o.from])
    .targets([...o.targets])
    .span(o.width)
    .height(o.height)
    .unit(o.unit)
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.Area)
    .reduceOptions(
      new ReduceDataOptionsBuilder()
        .calcs([o.calc ?? 'lastNotNull'])
        .fields('')
        .values(false),
    )
    .thresholds(thresholds(o.limit === undefined ? [{ value: null, color: 'green' }] : limit(o.limit)));
  if (o.from !== 'prometheus') panel.interval(LEAST_INTERVAL);
  if (o.decimals !== undefined) panel.decimals(o.decimals);
  return panel;
}

/** One bar a column of the one row. */
export function bars(o: Common): Builder<Panel> {
  return new bargauge.PanelBuilder()
    .title(o.title)
    .description(o.description)
    .datasource(SOURCES[o.from])
    .targets([...o.targets])
    .span(o.width)
    .height(o.height)
    .unit(o.unit)
    .min(0)
    .orientation(VizOrientation.Horizontal)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('').values(false))
    .thresholds(thresholds([{ value: null, color: 'blue' }]));
}

export function list(
  o: Common & {
    readonly units?: Readonly<Record<string, string>>;
    readonly sortBy: string;
    readonly link?: { readonly column: string; readonly title: string; readonly url: string };
  },
): Builder<Panel> {
  const panel = new table.PanelBuilder()
    .title(o.title)
    .description(o.description)
    .datasource(SOURCES[o.from])
    .targets([...o.targets])
    .span(o.width)
    .height(o.height)
    .unit(o.unit)
    .filterable(true)
    .sortBy([new TableSortByFieldStateBuilder().displayName(o.sortBy).desc(true)]);
  for (const [column, unit] of Object.entries(o.units ?? {}))
    panel.overrideByName(column, [{ id: 'unit', value: unit }]);
  if (o.link)
    panel.overrideByName(o.link.column, [
      { id: 'links', value: [new DashboardLinkBuilder(o.link.title).url(o.link.url).build()] },
    ]);
  return panel;
}

/** Columns are upper bounds of buckets, in rising order: as many rows of cells. */
export function heat(o: Common & { readonly cells: string }): Builder<Panel> {
  return (
    new heatmap.PanelBuilder()
      .title(o.title)
      .description(o.description)
      .datasource(SOURCES[o.from])
      .targets([...o.targets])
      .span(o.width)
      .height(o.height)
      .unit(o.cells)
      .interval(LEAST_INTERVAL)
      .calculate(false)
      .rowsFrame(new heatmap.RowsHeatmapOptionsBuilder().layout(HeatmapCellLayout.Le).value('messages'))
      .yAxis(new heatmap.YAxisConfigBuilder().unit(o.unit))
      .color(
        new heatmap.HeatmapColorOptionsBuilder()
          .mode(heatmap.HeatmapColorMode.Scheme)
          .scheme('Turbo')
          .scale(heatmap.HeatmapColorScale.Exponential)
          .exponent(0.5)
          .steps(64),
      )
      // An empty cell is no cell.
      .filterValues(new heatmap.FilterValueRangeBuilder().le(1e-9))
      .cellGap(1)
  );
}
