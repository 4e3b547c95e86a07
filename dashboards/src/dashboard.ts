import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { CLICKHOUSE, PROMETHEUS } from './names.ts';
import { clickhouseSource, rows } from './queries.ts';
import { among, and, REAL, WITH_PROVIDER } from './sql.ts';

interface Row {
  readonly title: string;
  readonly panels: readonly Builder<Panel>[];
}

const ALL = { selected: true, text: ['All'], value: ['$__all'] };

function variable(name: string, label: string, rawSql: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(clickhouseSource)
    .query({ editorType: 'sql', rawSql })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.Disabled);
}
const many = (of: QueryVariableBuilder) => of.multi(true).includeAll(true).current(ALL);

const names = (column: string, ...conditions: readonly string[]) => `SELECT DISTINCT ${column}
FROM throughput_per_minute
WHERE ${and('$__timeFilter(minute)', ...conditions)}
ORDER BY ${column}`;

const inTenant = and(REAL, among('tenant_id', 'tenant'));

export const clickhouseVariables = (oneCampaign: boolean) => {
  const campaign = variable(
    'campaign',
    'Campaign',
    `SELECT campaign_id
FROM throughput_per_minute
WHERE ${and('$__timeFilter(minute)', inTenant)}
GROUP BY campaign_id
ORDER BY max(minute) DESC
LIMIT 500`,
  );
  return [
    many(variable('tenant', 'Tenant', names('tenant_id', REAL))),
    oneCampaign ? campaign.multi(false).includeAll(false) : many(campaign),
    many(variable('channel', 'Channel', names('channel', inTenant, WITH_PROVIDER))),
    many(variable('provider', 'Provider', names('provider', inTenant, among('channel', 'channel'), WITH_PROVIDER))),
  ];
};

const source = (name: string, label: string, type: string) =>
  new DatasourceVariableBuilder(name).label(label).type(type).multi(false).includeAll(false);
export const clickhouseVariable = source('datasource', 'ClickHouse', CLICKHOUSE.type);
export const prometheusVariable = source('prometheus', 'Prometheus', PROMETHEUS.type);

/** Rows with `time`, `text` and, where it lasts, `timeEnd`. */
export const annotation = (name: string, color: string, rawSql: string) =>
  new AnnotationQueryBuilder()
    .name(name)
    .datasource(clickhouseSource)
    .enable(true)
    .hide(false)
    .iconColor(color)
    .target(rows(rawSql, 'Anno'));

export function dashboard(o: {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly from: string;
  readonly variables: readonly (QueryVariableBuilder | DatasourceVariableBuilder)[];
  readonly annotations?: readonly AnnotationQueryBuilder[];
  readonly rows: readonly Row[];
}): Dashboard {
  const builder = new DashboardBuilder(o.title)
    .uid(o.uid)
    .id(null)
    .description(o.description)
    .tags(['volley'])
    .timezone('browser')
    .time({ from: o.from, to: 'now' })
    .refresh('30s')
    .tooltip(DashboardCursorSync.Crosshair)
    .editable()
    .variables([...o.variables])
    .annotations([...(o.annotations ?? [])])
    .link(
      new DashboardLinkBuilder('Volley')
        .type(DashboardLinkType.Dashboards)
        .tags(['volley'])
        .asDropdown(false)
        .includeVars(true)
        .keepTime(true),
    );
  for (const { title, panels } of o.rows) {
    builder.withRow(new RowBuilder(title));
    for (const panel of panels) builder.withPanel(panel);
  }
  const built = builder.build();
  // Alerts point to panels by their number.
  built.panels?.forEach((panel, i) => {
    panel.id = i + 1;
  });
  return built;
}
