import * as units from '@grafana/grafana-foundation-sdk/units';
import test from 'ava';
import { dashboardFiles } from '../../dashboards/src/files.ts';
import { CLICKHOUSE, DASHBOARD_UIDS, PROMETHEUS } from '../../dashboards/src/names.ts';
import { dashboards, panelsOf, queriesOf, text, viewsOf } from './read.ts';
import { validate } from './schema.ts';

for (const [path, make] of dashboardFiles) {
  test(`${path}: is what its source makes`, (t) => {
    t.is(text(path), make(), 'run `npm run gen`');
  });
}

const KNOWN_UNITS = new Set(Object.values(units).map(String));
const PUBLIC_VIEWS = new Set([
  ...['delivery_events', 'campaign_stats', 'throughput_per_minute', 'throughput_per_hour', 'latency_per_minute'],
  ...['latency_per_hour', 'latency_histogram_per_minute', 'provider_health', 'failure_reasons', 'dead_letters'],
  ...['failure_reasons_per_minute', 'message_list'],
]);

for (const [name, dashboard] of Object.entries(dashboards)) {
  const panels = panelsOf(dashboard);

  test(`${name}: is a dashboard by Grafana's schema, panels, options and targets included`, (t) => {
    t.deepEqual(validate(dashboard), []);
  });

  test(`${name}: has its fixed uid and no id of one installation`, (t) => {
    t.is(dashboard.uid, DASHBOARD_UIDS[name as keyof typeof DASHBOARD_UIDS]);
    t.is(dashboard.id, null);
    t.false(JSON.stringify(dashboard).includes('__inputs'));
  });

  test(`${name}: numbers and titles of panels are its own`, (t) => {
    const ids = dashboard.panels.map((p) => p.id);
    const titles = panels.map((p) => p.title);
    t.is(new Set(ids).size, ids.length);
    t.is(new Set(titles).size, titles.length);
    for (const panel of panels) t.truthy(panel.description, panel.title);
  });

  test(`${name}: panels lie beside and below each other, within the 24 columns`, (t) => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      t.true(gridPos.w > 0 && gridPos.h > 0 && gridPos.x >= 0 && gridPos.x + gridPos.w <= 24, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          t.is(taken.get(`${x},${y}`), undefined, `${title} lies on another panel`);
          taken.set(`${x},${y}`, title);
        }
      }
    }
  });

  test(`${name}: every axis has a unit that Grafana knows`, (t) => {
    for (const { title, fieldConfig, type, options } of panels) {
      const used = [
        fieldConfig?.defaults.unit,
        ...(fieldConfig?.overrides ?? []).flatMap((o) =>
          o.properties.filter((p) => p.id === 'unit').map((p) => p.value),
        ),
        ...(type === 'heatmap' ? [(options?.yAxis as { unit?: string } | undefined)?.unit] : []),
      ];
      for (const unit of used) t.true(KNOWN_UNITS.has(unit as string), `${title}: ${unit}`);
    }
  });

  test(`${name}: datasources are chosen by variables`, (t) => {
    const variables = dashboard.templating.list.filter((v) => v.type === 'datasource').map((v) => v.name);
    const types: Record<string, string> = { datasource: CLICKHOUSE.type, prometheus: PROMETHEUS.type };
    const sources = panels.flatMap((p) => [p.datasource, ...(p.targets ?? []).map((target) => target.datasource)]);
    for (const source of sources.filter((s) => s?.uid !== '-- Mixed --')) {
      const variable = /^\$\{(\w+)\}$/.exec(source?.uid ?? '')?.[1] ?? '';
      t.true(variables.includes(variable), source?.uid);
      t.is(source?.type, types[variable]);
    }
  });

  test(`${name}: a query reads public views only`, (t) => {
    const strangers = queriesOf(dashboard).flatMap(({ where, sql }) => {
      const read = viewsOf(sql);
      return read.length === 0 ? [where] : read.filter((view) => !PUBLIC_VIEWS.has(view));
    });
    t.deepEqual(strangers, []);
  });
}

test('dashboards on ClickHouse have variables for tenant, campaign, channel and provider', (t) => {
  for (const name of ['overview', 'campaign'] as const) {
    const variables = dashboards[name].templating.list.map((v) => v.name);
    t.deepEqual(variables.slice(-4), ['tenant', 'campaign', 'channel', 'provider']);
  }
});

test('the schema refuses what is no dashboard', (t) => {
  const { overview } = dashboards;
  const [row, first, ...rest] = overview.panels;
  const broken = (panel: unknown) => validate({ ...overview, panels: [row, panel, ...rest] });
  t.not(validate({ ...overview, refresh: 30 }).length, 0);
  t.not(broken({ ...first, gridPos: 'left' }).length, 0);
  t.not(broken({ ...first, options: { ...first?.options, graphMode: 'wave' } }).length, 0);
  t.not(broken({ ...first, targets: [{ ...first?.targets?.[0], expression: 'up' }] }).length, 0);
});
