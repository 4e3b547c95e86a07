import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../_source.ts';

/** The parts of the generated files that the tests look at; their whole shape is held by Grafana's schema. */
export interface Target {
  readonly refId: string;
  readonly datasource: { readonly type: string; readonly uid: string };
  readonly rawSql?: string;
  readonly format?: number;
  readonly expr?: string;
  readonly legendFormat?: string;
}
export interface PanelJson {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly targets?: readonly Target[];
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit?: string;
      readonly displayName?: string;
      readonly custom?: Record<string, unknown>;
      readonly thresholds?: { readonly steps: readonly { readonly value: number | null }[] };
    };
    readonly overrides: readonly {
      readonly matcher: { readonly options: string };
      readonly properties: readonly { readonly id: string; readonly value: unknown }[];
    }[];
  };
  readonly options?: Readonly<Record<string, unknown>>;
}
export interface DashboardJson {
  readonly uid: string;
  readonly id: number | null;
  readonly title: string;
  readonly panels: readonly PanelJson[];
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly type: string;
      readonly query: string | { readonly rawSql: string };
    }[];
  };
  readonly annotations: { readonly list: readonly { readonly name: string; readonly target: Target }[] };
}
export interface RuleYaml {
  readonly uid: string;
  readonly title: string;
  readonly condition: string;
  readonly for: string;
  readonly dashboardUid: string;
  readonly panelId: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly data: readonly {
    readonly refId: string;
    readonly datasourceUid: string;
    readonly relativeTimeRange: { readonly from: number; readonly to: number };
    readonly model: Readonly<Record<string, unknown>> & { readonly rawSql?: string; readonly expr?: string };
  }[];
}

export const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
/** With `<<` as compose knows it. */
export const yaml = (path: string) => parse(text(path), { merge: true });

const NAMES = ['overview', 'campaign', 'pipeline'] as const;
export const dashboards: Readonly<Record<(typeof NAMES)[number], DashboardJson>> = Object.fromEntries(
  NAMES.map((name) => [name, JSON.parse(text(`dashboards/grafana/${name}.json`))]),
) as Record<(typeof NAMES)[number], DashboardJson>;

export const rules: readonly RuleYaml[] = yaml('dashboards/provisioning/alerting/volley.yaml').groups.flatMap(
  (group: { rules: RuleYaml[] }) => group.rules,
);

export const panelsOf = (dashboard: DashboardJson) => dashboard.panels.filter((p) => p.type !== 'row');

/** Views (or tables) that a query names. */
export const viewsOf = (sql: string): string[] =>
  [...sql.matchAll(/\b(?:FROM|JOIN)\s+([a-z_]+)/g)].map((m) => m[1] as string);

export interface Query {
  readonly where: string;
  readonly sql: string;
  /** Drawn over time; everything else is rows. */
  readonly isSeries: boolean;
}

/** Every SQL of a dashboard, with where it stands. */
export function queriesOf(dashboard: DashboardJson): Query[] {
  const of = (where: string, target: Target): Query[] =>
    target.rawSql === undefined ? [] : [{ where, sql: target.rawSql, isSeries: target.format === 0 }];
  return [
    ...panelsOf(dashboard).flatMap((p) => (p.targets ?? []).flatMap((t) => of(`${p.title} ${t.refId}`, t))),
    ...dashboard.annotations.list.flatMap((a) => of(`annotation ${a.name}`, a.target)),
    ...dashboard.templating.list.flatMap((v): Query[] =>
      typeof v.query === 'string' ? [] : [{ where: `variable ${v.name}`, sql: v.query.rawSql, isSeries: false }],
    ),
  ];
}
