import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { stringify } from 'yaml';
import { alertRules } from './alerts.ts';
import { campaign } from './campaign.ts';
import { overview } from './overview.ts';
import { pipeline } from './pipeline.ts';

const HEADER = '# Made from dashboards/src/alerts.ts by `npm run gen`; do not edit.\n';
const built = () => ({ overview: overview(), campaign: campaign(), pipeline: pipeline() });
const json = (dashboard: Dashboard) => `${JSON.stringify(dashboard, null, 2)}\n`;

/** Path from the root -> content. */
export const dashboardFiles: [string, () => string][] = [
  ['dashboards/grafana/overview.json', () => json(overview())],
  ['dashboards/grafana/campaign.json', () => json(campaign())],
  ['dashboards/grafana/pipeline.json', () => json(pipeline())],
  [
    'dashboards/provisioning/alerting/volley.yaml',
    // Quoted throughout: what a bare `on` or `no` is depends on who reads it.
    () =>
      HEADER +
      stringify(alertRules(built()), {
        defaultStringType: 'QUOTE_DOUBLE',
        defaultKeyType: 'PLAIN',
        lineWidth: 0,
        aliasDuplicateObjects: false,
      }),
  ],
];
