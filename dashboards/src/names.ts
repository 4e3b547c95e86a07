/** Names on which dashboards, alerts, provisioning and compose agree; tests hold the YAML files to them. */
export const CLICKHOUSE = {
  type: 'grafana-clickhouse-datasource',
  uid: 'volley-clickhouse',
  /** Queries are written for this version: later ones read them as well, older ones may not know a macro. */
  pluginVersion: '4.20.0',
} as const;
export const PROMETHEUS = { type: 'prometheus', uid: 'volley-prometheus' } as const;
export const DASHBOARD_UIDS = {
  overview: 'volley-overview',
  campaign: 'volley-campaign',
  pipeline: 'volley-pipeline',
} as const;
export const FOLDER = 'Volley';

/**
 * Where whoever gets an alert reads docs/: the Grafana of compose serves that folder. An installation of its own puts its
 * address here and runs `npm run gen`; a link in an alert has to be a whole one.
 */
export const DOCS_URL = 'http://127.0.0.1:3000/public/volley';
