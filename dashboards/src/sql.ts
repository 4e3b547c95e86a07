import { rehearsalProviderOf, rehearsalTenantOf } from '@volley/contract';

/** Pieces of the queries. `$` is Grafana's: macros of the ClickHouse plugin and variables of the dashboard. */

/** Values of a variable, quoted and escaped. */
const listed = (variable: string) => `\${${variable}:singlequote}`;

/** No condition at all while the variable is "All". */
export const among = (column: string, variable: string) =>
  `$__conditionalAll(${column} IN (${listed(variable)}), $${variable})`;
export const equal = (column: string, variable: string) => `${column} = ${listed(variable)}`;

/** Rehearsals are of tenants of their own. Whoever wants to see one names its campaign. */
export const REAL = `NOT endsWith(tenant_id, '${rehearsalTenantOf('')}')`;
/** The same of a view that is by provider alone. */
export const REAL_PROVIDER = `NOT startsWith(provider, '${rehearsalProviderOf('')}')`;

/** Every dashboard on ClickHouse has these four variables. */
export const FILTERS = [
  REAL,
  among('tenant_id', 'tenant'),
  among('campaign_id', 'campaign'),
  among('channel', 'channel'),
  among('provider', 'provider'),
];
export const ONE_CAMPAIGN = [
  among('tenant_id', 'tenant'),
  equal('campaign_id', 'campaign'),
  among('channel', 'channel'),
  among('provider', 'provider'),
];
/** A redrive is an event without a provider. */
export const WITH_PROVIDER = "provider != ''";
export const and = (...conditions: readonly string[]) => conditions.join('\n  AND ');

/** Whole intervals only: a rate over the half of one that is still running would end every chart with a fall. */
export const wholeIntervals = (column: string) =>
  and(
    `${column} >= toStartOfInterval($__fromTime, INTERVAL $__interval_s second)`,
    `${column} < toStartOfInterval($__toTime, INTERVAL $__interval_s second)`,
  );

/**
 * Rows of throughput or latency with their time as `moment`. Points of an hour and more are made of the hour rollup: the
 * condition that does not hold is folded away, and nothing is read for it.
 */
export function rollup(of: 'throughput' | 'latency', columns: string, filters: readonly string[]): string {
  const from = (span: 'minute' | 'hour', when: string) => `  SELECT ${span} AS moment, ${columns}
  FROM ${of}_per_${span}
  WHERE ${and(when, wholeIntervals(span), ...filters).replaceAll('\n', '\n  ')}`;
  return `(
${from('minute', '$__interval_s < 3600')}
  UNION ALL
${from('hour', '$__interval_s >= 3600')}
)`;
}

/** Bounds of latency_histogram_per_minute between which the heat map has a row each, in ms: 5 ms to 17 minutes. */
export const HEAT_BOUNDS_MS = [
  5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1_000, 1_500, 2_000, 3_000, 5_000, 7_000, 10_000, 15_000,
  20_000, 30_000, 50_000, 70_000, 100_000, 150_000, 200_000, 300_000, 500_000, 700_000, 1_000_000,
] as const;

/** Columns of the heat map: what lies up to the first bound, between two, above the last. */
export const heatColumns = () => {
  const last = HEAT_BOUNDS_MS.at(-1);
  const rows = HEAT_BOUNDS_MS.map((bound, i) => {
    const above = i === 0 ? '' : `bucket_ms > ${HEAT_BOUNDS_MS[i - 1]} AND `;
    return `sumIf(sent, ${above}bucket_ms <= ${bound}) AS "${bound}"`;
  });
  return [...rows, `sumIf(sent, bucket_ms > ${last}) AS "+Inf"`];
};
