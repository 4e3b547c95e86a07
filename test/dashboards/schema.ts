import Ajv from 'ajv';
import { CLICKHOUSE, PROMETHEUS } from '../../dashboards/src/names.ts';
import { type DashboardJson, panelsOf, text } from './read.ts';

/**
 * Grafana's own JSON schemas, made from its CUE definitions: jsonschema/ of github.com/grafana/grafana-foundation-sdk at
 * f178d5a4 (Apache-2.0), unchanged. Where the definitions say "any", their generator wrote an object of objects: here it is
 * any again, and what stands there is held by the schema of its own plugin.
 */
function anyIsAny(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(anyIsAny);
  if (typeof node !== 'object' || node === null) return node;
  const { type, additionalProperties } = node as { type?: unknown; additionalProperties?: unknown };
  if (type === 'object' && JSON.stringify(additionalProperties) === '{}') return {};
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, anyIsAny(value)]));
}
const schema = (name: string) =>
  anyIsAny(JSON.parse(text(`test/dashboards/schema/${name}.jsonschema.json`))) as Record<string, unknown>;

const ajv = new Ajv.default({ strict: false, allErrors: true, formats: { 'date-time': true } });
const compiled = (name: string, definition?: string) => {
  const whole = schema(name);
  return ajv.compile(definition === undefined ? whole : { ...whole, $ref: `#/definitions/${definition}` });
};

const isDashboard = compiled('dashboard');
const PLUGINS = ['timeseries', 'stat', 'heatmap', 'table', 'bargauge'] as const;
const isOptions = Object.fromEntries(PLUGINS.map((plugin) => [plugin, compiled(plugin, 'Options')]));
/** The others have no settings of their own beside a field. */
const isCustom = Object.fromEntries(
  (['timeseries', 'heatmap', 'table'] as const).map((plugin) => [plugin, compiled(plugin, 'FieldConfig')]),
);
const isPrometheusQuery = compiled('prometheus');
export const isExpression = compiled('expr');

/** The plugin has no schema of its query: CHSqlQuery and CHQueryBase in src/types/sql.ts of its source, at 1d04063. */
export const isClickHouseQuery = ajv.compile({
  type: 'object',
  additionalProperties: false,
  required: ['refId', 'datasource', 'pluginVersion', 'editorType', 'rawSql', 'format', 'queryType'],
  properties: {
    refId: { type: 'string', minLength: 1 },
    datasource: { type: 'object', required: ['type', 'uid'], properties: { type: { const: CLICKHOUSE.type } } },
    pluginVersion: { type: 'string', pattern: '^\\d+\\.\\d+\\.\\d+$' },
    editorType: { const: 'sql' },
    rawSql: { type: 'string', minLength: 1 },
    // Of the back end: time series, table.
    format: { enum: [0, 1] },
    queryType: { enum: ['timeseries', 'table'] },
  },
});

type Validator = typeof isDashboard;
const errorsOf = (where: string, valid: Validator, value: unknown): string[] =>
  valid(value) ? [] : (valid.errors ?? []).map((e) => `${where}${e.instancePath}: ${e.message}`);

/** Everything that is wrong with a dashboard, with where. */
export function validate(dashboard: unknown): string[] {
  const errors = errorsOf('', isDashboard, dashboard);
  if (errors.length > 0) return errors;
  for (const panel of panelsOf(dashboard as DashboardJson)) {
    const options = isOptions[panel.type];
    if (options === undefined) return [`${panel.title}: ${panel.type} has no schema here`];
    errors.push(...errorsOf(panel.title, options, panel.options));
    const custom = isCustom[panel.type];
    if (custom) errors.push(...errorsOf(panel.title, custom, panel.fieldConfig?.defaults.custom ?? {}));
    for (const target of panel.targets ?? []) {
      const query = target.datasource.type === PROMETHEUS.type ? isPrometheusQuery : isClickHouseQuery;
      errors.push(...errorsOf(`${panel.title} ${target.refId}`, query, target));
    }
  }
  for (const { name, target } of (dashboard as DashboardJson).annotations.list)
    errors.push(...errorsOf(`annotation ${name}`, isClickHouseQuery, target));
  return errors;
}
