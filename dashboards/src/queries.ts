import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';
import { DataqueryBuilder, QueryEditorMode } from '@grafana/grafana-foundation-sdk/prometheus';
import { CLICKHOUSE, PROMETHEUS } from './names.ts';

/** By variable: a dashboard that names an installation's datasource cannot be imported into another. */
export const clickhouseSource: DataSourceRef = { type: CLICKHOUSE.type, uid: `\${datasource}` };
export const prometheusSource: DataSourceRef = { type: PROMETHEUS.type, uid: `\${prometheus}` };
export const mixedSource: DataSourceRef = { type: 'datasource', uid: '-- Mixed --' };

type Shape = 'time series' | 'table';
const SHAPES = {
  'time series': { format: 0, queryType: 'timeseries' },
  table: { format: 1, queryType: 'table' },
} as const;

/** The model of a query as the plugin stores it; the SDK has no class for it. */
export const clickhouseModel = (rawSql: string, shape: Shape, refId: string) => ({
  refId,
  editorType: 'sql',
  rawSql,
  ...SHAPES[shape],
  pluginVersion: CLICKHOUSE.pluginVersion,
});

function clickhouse(rawSql: string, shape: Shape, refId: string): Builder<Dataquery> {
  const query = { ...clickhouseModel(rawSql, shape, refId), datasource: clickhouseSource };
  return { build: () => ({ ...query, _implementsDataqueryVariant() {} }) };
}

/** A time column and numbers; with a text column between them, one series a text. */
export const series = (rawSql: string, refId = 'A') => clickhouse(rawSql, 'time series', refId);
export const rows = (rawSql: string, refId = 'A') => clickhouse(rawSql, 'table', refId);

export const metric = (expr: string, legend: string, refId = 'A') =>
  new DataqueryBuilder()
    .refId(refId)
    .datasource(prometheusSource)
    .editorMode(QueryEditorMode.Code)
    .expr(expr)
    .legendFormat(legend)
    .range();
