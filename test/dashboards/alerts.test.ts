import test from 'ava';
import { CLICKHOUSE, PROMETHEUS } from '../../dashboards/src/names.ts';
import { OBJECTIVES } from '../../dashboards/src/objectives.ts';
import { HEAT_BOUNDS_MS } from '../../dashboards/src/sql.ts';
import { dashboards, rules, text, yaml } from './read.ts';
import { isClickHouseQuery, isExpression } from './schema.ts';

/** Fields of AlertRuleV1 and QueryV1 in pkg/services/provisioning/alerting/rules_types.go of Grafana, at 0085cf8. */
const RULE_FIELDS = new Set([
  ...['uid', 'title', 'condition', 'data', 'dashboardUid', 'panelId', 'noDataState', 'execErrState', 'for'],
  ...['keepFiringFor', 'annotations', 'labels', 'isPaused', 'notification_settings'],
]);
const QUERY_FIELDS = new Set(['refId', 'queryType', 'relativeTimeRange', 'datasourceUid', 'model']);
const slug = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^a-z0-9 _-]/g, '')
    .replaceAll(' ', '-');
const headings = [...text('docs/runbook.md').matchAll(/^## (.+)$/gm)].map((m) => slug(m[1] as string));

test('the file is one that Grafana reads: version, group, folder, interval', (t) => {
  const file = yaml('dashboards/provisioning/alerting/volley.yaml');
  t.is(file.apiVersion, 1);
  t.deepEqual(
    file.groups.map((g: { orgId: number; interval: string }) => [g.orgId, g.interval]),
    [[1, '1m']],
  );
  t.is(new Set(rules.map((r) => r.uid)).size, rules.length);
});

test('what users asked for is watched', (t) => {
  const uids = rules.map((r) => r.uid);
  for (const uid of ['sink-lag', 'latency-objective', 'failure-ratio', 'dead-letters', 'audit-difference'])
    t.true(uids.includes(`volley-${uid}`), uid);
});

test('what leaves no event, and a sink that reads nothing, have rules of their own', (t) => {
  const asked = rules.flatMap((r) => r.data.map(({ model }) => model.expr ?? ''));
  for (const metric of [
    'volley_sink_undecodable_total',
    'volley_dispatcher_unattributed_total',
    'volley_sink_assigned_partitions',
  ])
    t.true(
      asked.some((expr) => expr.includes(metric)),
      metric,
    );
});

test('the docs list every alert, with the heading that its link leads to', (t) => {
  const listed = [
    ...text('docs/dashboards.md').matchAll(/^\| `(volley-[a-z0-9-]+)` .*\(runbook\.md#([a-z0-9-]+)\) \|$/gm),
  ];
  t.deepEqual(
    listed.map(([, uid, anchor]) => `${uid} ${anchor}`).sort(),
    rules.map((r) => `${r.uid} ${/#(.+)$/.exec(r.annotations.runbook_url ?? '')?.[1]}`).sort(),
  );
});

test('the objective of p95 is a bound of the histogram, so that the share of later messages is exact', (t) => {
  t.true((HEAT_BOUNDS_MS as readonly number[]).includes(OBJECTIVES.p95Ms));
});

for (const rule of rules) {
  test(`${rule.uid}: has fields that Grafana knows, and a uid that it takes`, (t) => {
    t.deepEqual(
      Object.keys(rule).filter((field) => !RULE_FIELDS.has(field)),
      [],
    );
    for (const query of rule.data)
      t.deepEqual(
        Object.keys(query).filter((f) => !QUERY_FIELDS.has(f)),
        [],
      );
    t.regex(rule.uid, /^[a-zA-Z0-9_-]{1,40}$/);
    t.regex(rule.for, /^\d+m$/);
  });

  test(`${rule.uid}: asks one source, then compares`, (t) => {
    const [ask, compare, ...more] = rule.data;
    t.deepEqual(more, []);
    t.is(compare?.refId, rule.condition);
    t.true(isExpression(compare?.model), JSON.stringify(isExpression.errors));
    t.is(compare?.model.expression, ask?.refId);
    if (ask?.model.rawSql === undefined) t.is(ask?.datasourceUid, PROMETHEUS.uid);
    else {
      t.is(ask.datasourceUid, CLICKHOUSE.uid);
      t.true(isClickHouseQuery(ask.model), JSON.stringify(isClickHouseQuery.errors));
    }
  });

  test(`${rule.uid}: looks back further than the sink may be behind`, (t) => {
    for (const { relativeTimeRange } of rule.data) t.true(relativeTimeRange.from >= 10 * OBJECTIVES.sinkLagSeconds);
  });

  test(`${rule.uid}: leads to a heading of the runbook and to a panel`, (t) => {
    const [, anchor] = /\/runbook\.md#(.+)$/.exec(rule.annotations.runbook_url ?? '') ?? [];
    t.true(headings.includes(anchor ?? ''), anchor);
    const dashboard = Object.values(dashboards).find((d) => d.uid === rule.dashboardUid);
    t.truthy(dashboard?.panels.find((p) => p.id === rule.panelId && p.type !== 'row'));
  });

  test(`${rule.uid}: nothing in it is taken for a variable of the environment`, (t) => {
    // Labels are interpolated when Grafana reads the file, and so is what stands in braces in annotations.
    t.false(JSON.stringify(rule.labels).includes('$'));
    t.false(JSON.stringify(rule.annotations).includes('${'));
  });
}
