import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { CLICKHOUSE, DASHBOARD_UIDS, DOCS_URL, FOLDER, PROMETHEUS } from './names.ts';
import { OBJECTIVES } from './objectives.ts';
import { clickhouseModel } from './queries.ts';
import { REAL } from './sql.ts';

interface Alert {
  readonly uid: string;
  readonly title: string;
  readonly query: { readonly sql: string } | { readonly expr: string };
  readonly above: number;
  /** How long it has to hold; a minute is one look. */
  readonly lasting: string;
  readonly severity: 'critical' | 'warning';
  readonly summary: string;
  /** A heading of docs/runbook.md. */
  readonly runbook: string;
  readonly panel: readonly [dashboard: keyof typeof DASHBOARD_UIDS, title: string];
  /** Where nothing to see is itself wrong. */
  readonly noData?: 'Alerting';
}

/** Wider than the sink is ever behind, so that a look never falls between two inserts. */
const WINDOW_SECONDS = 600;
const o = OBJECTIVES;

export const ALERTS: readonly Alert[] = [
  {
    uid: 'volley-sink-lag',
    title: 'Analytics are behind',
    query: { expr: 'max(volley_sink_lag_seconds)' },
    above: o.sinkLagSeconds,
    lasting: '2m',
    severity: 'warning',
    summary: 'Delivery events wait {{ humanizeDuration $values.A.Value }} for ClickHouse.',
    runbook: 'Analytics are behind',
    panel: ['pipeline', 'Age of the oldest event, by partition'],
  },
  {
    uid: 'volley-sink-unassigned',
    title: 'No sink has partitions',
    // Without any, a sink has no lag to tell of. One that has none beside others that have is a spare.
    query: { expr: 'max(volley_sink_assigned_partitions) == bool 0' },
    above: 0,
    lasting: '2m',
    severity: 'critical',
    summary: 'Sinks are up, and none of them has a partition: nothing is stored.',
    runbook: 'No sink has partitions',
    panel: ['pipeline', 'Lag by partition'],
  },
  {
    uid: 'volley-unsent-age',
    title: 'Messages wait to be sent',
    query: { expr: 'max by (queue) (volley_ingest_queue_age_seconds{queue=~"bulk|transactional"})' },
    above: o.unsentAgeSeconds,
    lasting: '5m',
    severity: 'critical',
    summary: 'The oldest message of lane {{ $labels.queue }} waits {{ humanizeDuration $values.A.Value }}.',
    runbook: 'Messages wait to be sent',
    panel: ['overview', 'Oldest unsent message, by lane'],
  },
  {
    uid: 'volley-latency-objective',
    title: 'p95 is over its objective',
    // More than 5% later than the bound is the same as a p95 above it, and adds up over minutes and providers.
    query: {
      sql: `SELECT
  tenant_id,
  campaign_id,
  sumIf(sent, bucket_ms > ${o.p95Ms}) / sum(sent) AS late_share
FROM latency_histogram_per_minute
WHERE $__timeFilter(minute) AND ${REAL}
GROUP BY tenant_id, campaign_id
HAVING sum(sent) >= ${o.leastMessages}
ORDER BY late_share DESC
LIMIT 50`,
    },
    above: o.lateShare,
    lasting: '5m',
    severity: 'warning',
    summary: `{{ humanizePercentage $values.A.Value }} of campaign {{ $labels.campaign_id }} took longer than ${o.p95Ms / 1_000} s.`,
    runbook: 'p95 is over its objective',
    panel: ['campaign', 'Latency per minute'],
  },
  {
    uid: 'volley-failure-ratio',
    title: 'Many messages fail',
    query: {
      sql: `SELECT
  tenant_id,
  campaign_id,
  sum(failed + dead) / sum(sent + failed + dead) AS failure_ratio
FROM throughput_per_minute
WHERE $__timeFilter(minute) AND ${REAL}
GROUP BY tenant_id, campaign_id
HAVING sum(sent + failed + dead) >= ${o.leastMessages}
ORDER BY failure_ratio DESC
LIMIT 50`,
    },
    above: o.failureRatio,
    lasting: '2m',
    severity: 'critical',
    summary:
      '{{ humanizePercentage $values.A.Value }} of campaign {{ $labels.campaign_id }} failed within ten minutes.',
    runbook: 'Many messages fail',
    panel: ['campaign', 'Not sent per minute, by reason'],
  },
  {
    uid: 'volley-dead-letters',
    title: 'Many dead letters',
    // From ClickHouse: a counter that is new with its first hundred says nothing about them.
    query: {
      sql: `SELECT
  reason,
  toFloat64(sum(events)) AS letters
FROM failure_reasons_per_minute
WHERE $__timeFilter(minute) AND ${REAL} AND kind IN ('failed', 'dead')
GROUP BY reason
ORDER BY letters DESC
LIMIT 50`,
    },
    above: o.deadLettersPerTenMinutes,
    lasting: '1m',
    severity: 'warning',
    summary: '{{ $values.A.Value }} dead letters with reason {{ $labels.reason }} within ten minutes.',
    runbook: 'Many dead letters',
    panel: ['overview', 'Dead letters per minute, by reason'],
  },
  {
    uid: 'volley-events-not-stored',
    title: 'Events cannot be stored',
    // No event of theirs is in ClickHouse: the rule above cannot see them.
    query: { expr: 'round(sum by (reason) (increase(volley_sink_undecodable_total[10m])))' },
    above: 0,
    lasting: '1m',
    severity: 'warning',
    summary:
      '{{ $values.A.Value }} delivery events with reason {{ $labels.reason }} could not be stored within ten minutes.',
    runbook: 'Events cannot be stored',
    panel: ['pipeline', 'Events that cannot be stored'],
  },
  {
    uid: 'volley-unattributed-letters',
    title: 'Dead letters of no message',
    // They have no event at all.
    query: { expr: 'round(sum(increase(volley_dispatcher_unattributed_total[10m])))' },
    above: 0,
    lasting: '1m',
    severity: 'warning',
    summary: '{{ $values.A.Value }} records of which no message could be named became dead letters within ten minutes.',
    runbook: 'Dead letters of no message',
    panel: ['pipeline', 'Breakers and stopped partitions'],
  },
  {
    uid: 'volley-audit-difference',
    title: 'The auditor found a difference',
    query: { expr: 'max by (figure) (abs(volley_audit_differences))' },
    above: 0,
    lasting: '1m',
    severity: 'critical',
    summary: 'What is counted is not what is in the log: {{ $labels.figure }} differs by {{ $values.A.Value }}.',
    runbook: 'The auditor found a difference',
    panel: ['pipeline', 'What the auditor found'],
  },
  {
    uid: 'volley-audit-silent',
    title: 'The auditor does not run',
    // A process that was started since tells of no run: then those before it count, and without any, how long it is up.
    query: {
      expr: '(time() - (max(max_over_time(volley_audit_last_run_timestamp_seconds[3d])) > 0)) or (time() - max(process_start_time_seconds{job="ingest-api"}))',
    },
    above: o.auditSilenceSeconds,
    lasting: '5m',
    severity: 'warning',
    summary: 'The last audit ended {{ humanizeDuration $values.A.Value }} ago.',
    runbook: 'The auditor does not run',
    panel: ['pipeline', 'What the auditor found'],
  },
  {
    uid: 'volley-stopped-partition',
    title: 'A partition stopped',
    query: {
      expr: '(sum(volley_dispatcher_stopped_partitions) or vector(0)) + (sum(volley_sink_stopped_partitions) or vector(0)) + (sum(volley_ingest_progress_stopped_partitions) or vector(0))',
    },
    above: 0,
    lasting: '1m',
    severity: 'critical',
    summary: '{{ $values.A.Value }} partitions stopped because their log is not what was expected.',
    runbook: 'A partition stopped',
    panel: ['pipeline', 'Breakers and stopped partitions'],
  },
  {
    uid: 'volley-process-down',
    title: 'A process does not answer',
    query: { expr: '1 - up{job=~"ingest-api|dispatcher|sink"}' },
    above: 0,
    lasting: '2m',
    severity: 'critical',
    summary: '{{ $labels.instance }} does not answer on its admin port.',
    runbook: 'A process does not answer',
    panel: ['pipeline', 'CPU'],
    noData: 'Alerting',
  },
];

const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

const EXPRESSION = { type: '__expr__', uid: '__expr__' };
const range = { from: WINDOW_SECONDS, to: 0 };

function data(alert: Alert) {
  const source = 'sql' in alert.query ? CLICKHOUSE : PROMETHEUS;
  const datasource = { type: source.type, uid: source.uid };
  const model =
    'sql' in alert.query
      ? { ...clickhouseModel(alert.query.sql, 'table', 'A'), datasource }
      : { refId: 'A', datasource, editorMode: 'code', expr: alert.query.expr, instant: true, range: false };
  return [
    { refId: 'A', relativeTimeRange: range, datasourceUid: source.uid, model },
    {
      refId: 'B',
      relativeTimeRange: range,
      datasourceUid: EXPRESSION.uid,
      model: {
        refId: 'B',
        datasource: EXPRESSION,
        type: 'threshold',
        expression: 'A',
        conditions: [{ evaluator: { type: 'gt', params: [alert.above] } }],
      },
    },
  ];
}

/** Grafana's file format for alert rules; one look a minute. */
export function alertRules(dashboards: Readonly<Record<keyof typeof DASHBOARD_UIDS, Dashboard>>) {
  return {
    apiVersion: 1,
    groups: [
      {
        orgId: 1,
        name: 'volley',
        folder: FOLDER,
        interval: '1m',
        rules: ALERTS.map((alert) => {
          const [of, title] = alert.panel;
          const panel = dashboards[of].panels?.find((p) => p.title === title);
          if (panel?.id === undefined) throw new Error(`${alert.uid} points to a panel that is not there: ${title}`);
          return {
            uid: alert.uid,
            title: alert.title,
            condition: 'B',
            data: data(alert),
            dashboardUid: DASHBOARD_UIDS[of],
            panelId: panel.id,
            noDataState: alert.noData ?? 'OK',
            execErrState: 'Error',
            for: alert.lasting,
            annotations: { summary: alert.summary, runbook_url: `${DOCS_URL}/runbook.md#${anchor(alert.runbook)}` },
            labels: { severity: alert.severity, product: 'volley' },
          };
        }),
      },
    ],
  };
}
