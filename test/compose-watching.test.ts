import test from 'ava';
import { CLICKHOUSE, DASHBOARD_UIDS, DOCS_URL, PROMETHEUS } from '../dashboards/src/names.ts';
import { settingsOf } from '../scripts/gen-env.ts';
import { dashboards, queriesOf, rules, text, viewsOf, yaml } from './dashboards/read.ts';

/** What Grafana, Prometheus and ClickHouse are told in files, as far as files can be wrong without running them. */
interface Container {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
}
const { services } = yaml('docker-compose.yml') as { services: Record<string, Container> };
const grafana = services.grafana;
const source = yaml('dashboards/provisioning/datasources/volley.yaml').datasources as {
  uid: string;
  type: string;
  url?: string;
  jsonData: Record<string, unknown>;
  secureJsonData?: Record<string, string>;
}[];
const byType = (type: string) => source.find((s) => s.type === type);

test('datasources have the uids that alerts use', (t) => {
  t.is(byType(CLICKHOUSE.type)?.uid, CLICKHOUSE.uid);
  t.is(byType(PROMETHEUS.type)?.uid, PROMETHEUS.uid);
  t.is(source.length, 2);
});

test('Grafana asks ClickHouse as its read-only user, with the password that ClickHouse was given', (t) => {
  const asked = byType(CLICKHOUSE.type);
  t.like(asked?.jsonData, { host: 'clickhouse', username: 'grafana', defaultDatabase: 'volley' });
  t.is(asked?.secureJsonData?.password, '$CLICKHOUSE_GRAFANA_PASSWORD');
  const given = (name: string) => services[name]?.environment?.CLICKHOUSE_GRAFANA_PASSWORD;
  t.truthy(given('grafana'));
  t.is(given('grafana'), given('clickhouse'));
});

test('the plugin that is fetched is the one for which the queries are written', (t) => {
  t.is(grafana?.environment?.GF_PLUGINS_PREINSTALL_SYNC, `${CLICKHOUSE.type}@${CLICKHOUSE.pluginVersion}`);
});

test('Grafana finds provisioning, dashboards, the home page and the runbook where it looks for them', (t) => {
  const mounted = new Map((grafana?.volumes ?? []).map((v) => v.split(':').slice(0, 2).reverse() as [string, string]));
  t.is(mounted.get('/etc/grafana/provisioning'), './dashboards/provisioning');
  const { path } = yaml('dashboards/provisioning/dashboards/volley.yaml').providers[0].options;
  t.is(mounted.get(path), './dashboards/grafana');
  t.is(grafana?.environment?.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH, `${path}/overview.json`);
  t.is(dashboards.overview.uid, DASHBOARD_UIDS.overview);
  t.is(mounted.get(`/usr/share/grafana${new URL(DOCS_URL).pathname}`), './docs');
});

test('Prometheus scrapes the admin port of each service, under the job that alerts name', (t) => {
  const { scrape_configs } = yaml('deploy/compose/prometheus.yml');
  const scraped = scrape_configs.map((c: { job_name: string; static_configs: { targets: string[] }[] }) => [
    c.job_name,
    c.static_configs.flatMap((s) => s.targets),
  ]);
  const wanted = ['ingest-api', 'dispatcher', 'sink'].map((name) => {
    const port = settingsOf(name).find((s) => s.env === 'VOLLEY_ADMIN_PORT')?.default;
    return [name, [`${name}:${port}`]];
  });
  t.deepEqual(scraped, wanted);
  t.true((services.prometheus?.volumes ?? []).some((v) => v.startsWith('./deploy/compose/prometheus.yml:')));
});

const users = text('deploy/compose/clickhouse/users.xml').replace(/<!--[\s\S]*?-->/g, '');
/** The text between a tag and its end. */
const inside = (tag: string, xml = users) => new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(xml)?.[1] ?? '';

test('every tag of the users file ends where it should', (t) => {
  const open: string[] = [];
  for (const [, end, name, self] of users.matchAll(/<(\/?)([a-z_]+)[^>]*?(\/?)>/g)) {
    if (end) t.is(open.pop(), name);
    else if (!self) open.push(name as string);
  }
  t.deepEqual(open, []);
});

test('the reader of dashboards cannot write, has limits, and may change the one setting that the plugin sends', (t) => {
  const profiles = inside('profiles');
  const profile = inside('dashboards', profiles);
  t.is(inside('readonly', profile), '1');
  for (const limit of ['max_memory_usage', 'max_result_rows', 'max_threads', 'max_concurrent_queries_for_user'])
    t.true(Number(inside(limit, profile)) > 0, limit);
  t.regex(inside('max_execution_time', inside('constraints', profile)), /<changeable_in_readonly\/>/);
  t.is(profile.match(/changeable_in_readonly/g)?.length, 1);
  // 0, which is the default, takes a query out of the comparison: then nobody goes before anybody.
  const priorities = ['default', 'dashboards'].map((name) => Number(inside('priority', inside(name, profiles))));
  t.true((priorities[0] as number) > 0 && (priorities[0] as number) < (priorities[1] as number), `${priorities}`);
  const grafanaUser = inside('grafana', inside('users'));
  t.is(inside('profile', grafanaUser), 'dashboards');
  t.is(inside('quota', grafanaUser), 'dashboards');
  t.true(Number(inside('execution_time', inside('quotas'))) > 0);
  // The profile's default is written into a view only where the server is told so.
  t.is(inside('default_normal_view_sql_security', profiles), 'DEFINER');
  const server = text('deploy/compose/clickhouse/config.xml');
  t.is(inside('ignore_empty_sql_security_in_create_view_query', server), '0');
});

test('it may read what dashboards and alerts read, and nothing else', (t) => {
  const granted = [...inside('grants').matchAll(/GRANT SELECT(?:\(([^)]+)\))? ON volley\.(\w+)/g)];
  const sql = [
    ...Object.values(dashboards).flatMap((d) => queriesOf(d).map((q) => q.sql)),
    ...rules.flatMap((r) => r.data.flatMap((q) => q.model.rawSql ?? [])),
  ];
  const read = new Set(sql.flatMap(viewsOf));
  t.deepEqual(granted.map(([, , view]) => view).sort(), [...read].sort());

  // Of the view with recipients in it only these, and only these are asked for.
  const [, columns] = granted.find(([, , view]) => view === 'delivery_events') ?? [];
  const asked = sql.flatMap((q) => [
    ...q.matchAll(/SELECT(?:(?!SELECT)[\s\S])*?FROM delivery_events[\s\S]*?(?=GROUP BY)/g),
  ]);
  t.true(asked.length > 0);
  for (const secret of ['recipient', 'detail', 'message_id', 'ordinal']) {
    t.false(columns?.split(', ').includes(secret), secret);
    for (const [query] of asked) t.false(new RegExp(`\\b${secret}\\b`).test(query), secret);
  }
});

test('users of ClickHouse are those of the file: its image writes none', (t) => {
  const { environment } = services.clickhouse ?? {};
  t.is(String(environment?.CLICKHOUSE_SKIP_USER_SETUP), '1');
  for (const [, name] of users.matchAll(/from_env="(\w+)"/g)) t.truthy(environment?.[name as string], name);
  t.regex(users, /<default remove="remove"\/>/);
});
