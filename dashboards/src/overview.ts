import {
  MessagesPerMinute,
  MessagesPerSecond,
  Milliseconds,
  PercentUnit,
  Seconds,
  Short,
} from '@grafana/grafana-foundation-sdk/units';
import { clickhouseVariable, clickhouseVariables, dashboard, prometheusVariable } from './dashboard.ts';
import { DASHBOARD_UIDS } from './names.ts';
import { OBJECTIVES } from './objectives.ts';
import { lines, list, value } from './panels.ts';
import { metric, rows, series } from './queries.ts';
import { among, and, FILTERS, REAL_PROVIDER, rollup, wholeIntervals } from './sql.ts';

const rate = (name: string) => `(sum(rate(${name}[$__rate_interval])) or vector(0))`;
const ACCEPTED = `${rate('volley_ingest_fanout_messages_total')}
  + ${rate('volley_ingest_direct_messages_total{outcome="accepted"}')}`;
const SINK_LAG = 'max(volley_sink_lag_seconds)';
const UNSENT_AGE = 'max by (queue) (volley_ingest_queue_age_seconds{queue=~"bulk|transactional"})';

const perSecond = (columns: Readonly<Record<string, string>>) => `SELECT
  $__timeInterval(moment) AS time,
${Object.entries(columns)
  .map(([name, column]) => `  sum(${column}) / $__interval_s AS "${name}"`)
  .join(',\n')}
FROM ${rollup('throughput', 'sent, failed, dead, suppressed, cancelled, expired', FILTERS)}
GROUP BY time
ORDER BY time`;

const DEAD_LETTERS = `SELECT
  $__timeInterval(minute) AS time,
  reason,
  sum(events) * 60 / $__interval_s AS per_minute
FROM failure_reasons_per_minute
WHERE ${and(wholeIntervals('minute'), "kind IN ('failed', 'dead')", ...FILTERS)}
GROUP BY time, reason
ORDER BY time, reason`;

const byProvider = (expression: string) => `SELECT
  $__timeInterval(minute) AS time,
  provider,
  ${expression}
FROM provider_health
WHERE ${and(wholeIntervals('minute'), REAL_PROVIDER, among('channel', 'channel'), among('provider', 'provider'))}
GROUP BY time, provider
ORDER BY time, provider`;

const NOW = [
  value({
    title: 'Accepted',
    description: 'Messages written to the log: by fan-out of campaigns, and direct ones. All tenants.',
    from: 'prometheus',
    targets: [metric(ACCEPTED, 'Accepted')],
    unit: MessagesPerSecond,
    width: 4,
    height: 4,
  }),
  value({
    title: 'Sent',
    description: 'Messages that a provider took, per second, in the last full interval.',
    from: 'clickhouse',
    targets: [series(perSecond({ Sent: 'sent' }))],
    unit: MessagesPerSecond,
    width: 4,
    height: 4,
  }),
  value({
    title: 'Failed',
    description: 'Messages that ended failed or dead, per second, in the last full interval.',
    from: 'clickhouse',
    targets: [series(perSecond({ Failed: 'failed + dead' }))],
    unit: MessagesPerSecond,
    width: 4,
    height: 4,
  }),
  value({
    title: 'Lag of the analytics',
    description: 'Age of the oldest delivery event that is not in ClickHouse yet.',
    from: 'prometheus',
    targets: [metric(SINK_LAG, 'Lag')],
    unit: Seconds,
    limit: OBJECTIVES.sinkLagSeconds,
    width: 4,
    height: 4,
  }),
  value({
    title: 'Oldest unsent message',
    description:
      'How long the oldest message waits in a lane. Retry tiers and held, where waiting is wanted, are left out.',
    from: 'prometheus',
    targets: [metric(`max(${UNSENT_AGE})`, 'Age')],
    unit: Seconds,
    limit: OBJECTIVES.unsentAgeSeconds,
    width: 4,
    height: 4,
  }),
  value({
    title: 'Dead letters',
    description:
      'Messages that ended failed or dead in this time. Each has a dead letter that can be sent again. Not among them: what could not be read as a message or an event; see Pipeline.',
    from: 'clickhouse',
    targets: [
      series(`SELECT
  $__timeInterval(minute) AS time,
  sum(events) AS "Dead letters"
FROM failure_reasons_per_minute
WHERE ${and(wholeIntervals('minute'), "kind IN ('failed', 'dead')", ...FILTERS)}
GROUP BY time
ORDER BY time`),
    ],
    calc: 'sum',
    unit: Short,
    width: 4,
    height: 4,
  }),
];

const MESSAGES = [
  lines({
    title: 'Messages per second',
    description: 'Accepted is of all tenants (Prometheus); sent and failed are what the variables select (ClickHouse).',
    from: 'both',
    targets: [metric(ACCEPTED, 'Accepted', 'A'), series(perSecond({ Sent: 'sent', Failed: 'failed + dead' }), 'B')],
    unit: MessagesPerSecond,
    outcomes: ['Accepted', 'Sent', 'Failed'],
    width: 12,
    height: 8,
  }),
  lines({
    title: 'Ended per second, by state',
    description: 'Events of each terminal kind. A message that was sent again after it failed is in two of them.',
    from: 'clickhouse',
    targets: [
      series(
        perSecond({
          Sent: 'sent',
          Failed: 'failed',
          Dead: 'dead',
          Suppressed: 'suppressed',
          Cancelled: 'cancelled',
          Expired: 'expired',
        }),
      ),
    ],
    unit: MessagesPerSecond,
    stacked: true,
    outcomes: ['Sent', 'Failed', 'Dead', 'Suppressed', 'Cancelled', 'Expired'],
    width: 12,
    height: 8,
  }),
];

const WAITING = [
  lines({
    title: 'Lag in records',
    description: 'What is in the log and not yet settled: by dispatchers in each topic, by progress and by the sink.',
    from: 'prometheus',
    targets: [
      metric('sum by (topic) (volley_dispatcher_watermark_lag)', '{{topic}}', 'A'),
      metric('max(volley_ingest_progress_lag_events)', 'progress', 'B'),
      metric('sum(volley_sink_lag_records)', 'sink', 'C'),
    ],
    unit: Short,
    width: 8,
    height: 8,
  }),
  lines({
    title: 'Oldest unsent message, by lane',
    description: 'Age of the oldest record of a lane that no dispatcher has settled.',
    from: 'prometheus',
    targets: [metric(UNSENT_AGE, '{{queue}}')],
    unit: Seconds,
    limit: OBJECTIVES.unsentAgeSeconds,
    width: 8,
    height: 8,
  }),
  lines({
    title: 'Dead letters per minute, by reason',
    description: 'What the reasons mean stands in docs/reasons.md.',
    from: 'clickhouse',
    targets: [series(DEAD_LETTERS)],
    unit: MessagesPerMinute,
    stacked: true,
    label: 'reason',
    width: 8,
    height: 8,
  }),
];

const PROVIDERS = [
  lines({
    title: 'Failed calls, by provider',
    description: 'Share of calls to a provider that did not end in a sent message. All tenants and campaigns.',
    from: 'clickhouse',
    targets: [series(byProvider('sum(failures) / sum(attempts) AS ratio'))],
    unit: PercentUnit,
    label: 'provider',
    limit: OBJECTIVES.failureRatio,
    width: 8,
    height: 8,
  }),
  lines({
    title: 'p95 of a call, by provider',
    description: 'Of the slowest minute in each interval. All tenants and campaigns.',
    from: 'clickhouse',
    targets: [series(byProvider('max(p95_ms) AS p95'))],
    unit: Milliseconds,
    label: 'provider',
    width: 8,
    height: 8,
  }),
  lines({
    title: `Sent within ${OBJECTIVES.p95Ms / 1_000} s`,
    description:
      'Share of sent messages, from queued to sent: exact, because the objective is a bound of the histogram.',
    from: 'clickhouse',
    targets: [
      series(`SELECT
  $__timeInterval(minute) AS time,
  sumIf(sent, bucket_ms <= ${OBJECTIVES.p95Ms}) / sum(sent) AS "In time"
FROM latency_histogram_per_minute
WHERE ${and(wholeIntervals('minute'), ...FILTERS)}
GROUP BY time
HAVING sum(sent) > 0
ORDER BY time`),
    ],
    unit: PercentUnit,
    max: 1,
    width: 8,
    height: 8,
  }),
];

const CAMPAIGNS = [
  list({
    title: 'Campaigns',
    description: 'Those with events in this time, by whole hours, latest first. Counts are of events.',
    from: 'clickhouse',
    targets: [
      rows(`SELECT
  tenant_id AS "Tenant",
  campaign_id AS "Campaign",
  min(hour) AS "First hour",
  max(hour) AS "Last hour",
  sum(sent) AS "Sent",
  sum(failed + dead) AS "Failed",
  sum(deferred) AS "Deferred",
  if("Sent" + "Failed" = 0, 0, "Failed" / ("Sent" + "Failed")) AS "Failed share"
FROM throughput_per_hour
WHERE ${and('hour >= toStartOfHour($__fromTime)', 'hour <= $__toTime', ...FILTERS)}
GROUP BY tenant_id, campaign_id
ORDER BY "Last hour" DESC, "Sent" DESC
LIMIT 100`),
    ],
    unit: Short,
    units: { 'Failed share': PercentUnit },
    sortBy: 'Last hour',
    link: {
      column: 'Campaign',
      title: 'Open the campaign',
      url: `/d/${DASHBOARD_UIDS.campaign}?\${__url_time_range}&var-campaign=\${__value.raw}`,
    },
    width: 24,
    height: 9,
  }),
];

export const overview = () =>
  dashboard({
    uid: DASHBOARD_UIDS.overview,
    title: 'Volley: overview',
    description: 'What comes in, what goes out, what waits, what fails.',
    from: 'now-3h',
    variables: [clickhouseVariable, prometheusVariable, ...clickhouseVariables(false)],
    rows: [
      { title: 'Now', panels: NOW },
      { title: 'Messages', panels: MESSAGES },
      { title: 'Waiting', panels: WAITING },
      { title: 'Providers', panels: PROVIDERS },
      { title: 'Campaigns', panels: CAMPAIGNS },
    ],
  });
