import {
  BytesIEC,
  CountsPerSecond,
  MessagesPerSecond,
  OpsPerSecond,
  PercentUnit,
  RecordsPerSecond,
  RequestsPerSecond,
  Seconds,
  Short,
} from '@grafana/grafana-foundation-sdk/units';
import { dashboard, prometheusVariable } from './dashboard.ts';
import { DASHBOARD_UIDS } from './names.ts';
import { OBJECTIVES } from './objectives.ts';
import { lines } from './panels.ts';
import { metric } from './queries.ts';

const RATE = '[$__rate_interval]';
const JOBS = 'job=~"ingest-api|dispatcher|sink"';
const THREE = ['A', 'B', 'C'];
const quantiles = (histogram: string, by = '') =>
  [0.5, 0.95, 0.99].map((q, i) =>
    metric(
      `histogram_quantile(${q}, sum by (le${by ? `, ${by}` : ''}) (rate(${histogram}_bucket${RATE})))`,
      by ? `p${q * 100} {{${by}}}` : `p${q * 100}`,
      THREE[i],
    ),
  );

const panel = (
  title: string,
  description: string,
  unit: string,
  targets: ReturnType<typeof metric>[],
  more: { readonly stacked?: boolean; readonly limit?: number } = {},
) => lines({ title, description, from: 'prometheus', targets, unit, width: 8, height: 8, ...more });

const DISPATCHERS = [
  panel('Lag by topic', 'Records between what dispatchers have settled and the end of the log.', Short, [
    metric('sum by (topic) (volley_dispatcher_watermark_lag)', '{{topic}}'),
  ]),
  panel(
    'Slots',
    'Running: an attempt is under way or its event not acknowledged. Waiting: in memory, for its turn or a limit.',
    Short,
    [
      metric('sum(volley_dispatcher_running)', 'running', 'A'),
      metric('sum(volley_dispatcher_waiting)', 'waiting', 'B'),
      metric('sum(volley_dispatcher_unacknowledged)', 'unacknowledged', 'C'),
    ],
  ),
  panel(
    'Calls to providers, by result',
    'Accepted, or the class of the failure.',
    CountsPerSecond,
    [metric(`sum by (result) (rate(volley_dispatcher_attempts_total${RATE}))`, '{{result}}')],
    { stacked: true },
  ),
  panel(
    'Retry tiers',
    'Messages that moved on, by tier. held is where paused campaigns wait.',
    MessagesPerSecond,
    [metric(`sum by (tier) (rate(volley_dispatcher_moved_total${RATE}))`, '{{tier}}')],
    { stacked: true },
  ),
  panel(
    'Why they moved',
    'The reason of each move to a tier or to held. campaign_unknown is an alarm.',
    MessagesPerSecond,
    [metric(`sum by (reason) (rate(volley_dispatcher_moved_total${RATE}))`, '{{reason}}')],
    { stacked: true },
  ),
  panel(
    'Waiting in tiers and held',
    'In memory: records of tiers that are not due, records of held that wait for a pass.',
    Short,
    [metric('sum(volley_dispatcher_not_due)', 'not due', 'A'), metric('sum(volley_dispatcher_kept_back)', 'held', 'B')],
  ),
  panel('Campaigns held, by what they wait for', 'Campaigns whose next message may not start.', Short, [
    metric('sum by (on) (volley_dispatcher_held_campaigns)', '{{on}}'),
  ]),
  panel(
    'Duration of a call',
    'Provider calls, whatever they answered.',
    Seconds,
    quantiles('volley_dispatcher_provider_seconds'),
  ),
  panel('Breakers and stopped partitions', 'Anything above 0 is worth a look: see the runbook.', Short, [
    metric('sum by (provider) (volley_dispatcher_open_breakers)', 'breaker {{provider}}', 'A'),
    metric('sum(volley_dispatcher_stopped_partitions)', 'stopped: dispatcher', 'B'),
    metric('sum(volley_sink_stopped_partitions)', 'stopped: sink', 'C'),
    metric('sum(volley_ingest_progress_stopped_partitions)', 'stopped: progress', 'D'),
    metric('sum(increase(volley_dispatcher_unattributed_total[10m]))', 'dead letters of no message, in 10 min', 'E'),
  ]),
];

const SINK = [
  panel('Lag by partition', 'Events in the log that are not yet committed as stored.', Short, [
    metric('sum by (partition) (volley_sink_lag_records)', '{{partition}}'),
  ]),
  panel(
    'Age of the oldest event, by partition',
    'Of those in memory that are not yet stored.',
    Seconds,
    [metric('max by (partition) (volley_sink_lag_seconds)', '{{partition}}')],
    { limit: OBJECTIVES.sinkLagSeconds },
  ),
  panel('Rows stored', 'Rows that ClickHouse has acknowledged.', RecordsPerSecond, [
    metric(`sum(rate(volley_sink_rows_total${RATE}))`, 'rows'),
  ]),
  panel('Inserts', 'Acknowledged ones, and effects that were not acknowledged and are repeated.', OpsPerSecond, [
    metric(`sum(rate(volley_sink_batches_total${RATE}))`, 'inserts', 'A'),
    metric(`sum by (effect) (rate(volley_sink_retries_total${RATE}))`, 'repeated: {{effect}}', 'B'),
  ]),
  panel(
    'Rows of an insert',
    'Small batches are normal while little happens: a batch waits for company for a second at most.',
    Short,
    [
      metric(
        `sum(rate(volley_sink_batch_rows_sum${RATE})) / sum(rate(volley_sink_batch_rows_count${RATE}))`,
        'mean',
        'A',
      ),
      metric(`histogram_quantile(0.95, sum by (le) (rate(volley_sink_batch_rows_bucket${RATE})))`, 'p95', 'B'),
    ],
  ),
  panel(
    'Duration of an insert',
    'From the first byte to the answer, failed ones included.',
    Seconds,
    quantiles('volley_sink_insert_seconds'),
  ),
  panel('Events that cannot be stored', 'They are in volley.deliveries.dlq, with the reason.', CountsPerSecond, [
    metric(`sum by (reason) (rate(volley_sink_undecodable_total${RATE}))`, '{{reason}}'),
  ]),
  panel('Memory of batches', 'Records read and not yet stored; VOLLEY_QUEUE_BYTES bounds it.', BytesIEC, [
    metric('sum(volley_sink_memory_bytes)', 'sink', 'A'),
    metric('sum(volley_dispatcher_queue_bytes)', 'dispatcher', 'B'),
  ]),
  panel(
    'What the auditor found',
    'Differences between the log and what is counted, by figure. Every one is an alarm.',
    Short,
    [metric('max by (figure) (volley_audit_differences)', '{{figure}}')],
  ),
];

const INGEST = [
  panel(
    'Requests',
    'By status class.',
    RequestsPerSecond,
    [metric(`sum by (status) (rate(volley_ingest_http_requests_total${RATE}))`, '{{status}}')],
    { stacked: true },
  ),
  panel('p95 of a request', 'By operation; streams are left out.', Seconds, [
    metric(
      `histogram_quantile(0.95, sum by (le, operation) (rate(volley_ingest_http_request_duration_seconds_bucket${RATE})))`,
      '{{operation}}',
    ),
  ]),
  panel(
    'Fan-out and progress',
    'Messages written by fan-out; delivery events that progress has counted.',
    MessagesPerSecond,
    [
      metric(`sum(rate(volley_ingest_fanout_messages_total${RATE}))`, 'fan-out', 'A'),
      metric(`sum by (outcome) (rate(volley_ingest_progress_events_total${RATE}))`, 'progress: {{outcome}}', 'B'),
    ],
  ),
  panel(
    'Behind',
    'Campaigns with events that are not published, campaigns whose window is full, redrives under way.',
    Short,
    [
      metric('max(volley_ingest_outbox_campaigns)', 'outbox', 'A'),
      metric('max(volley_ingest_fanout_waiting_campaigns)', 'window full', 'B'),
      metric('max(volley_ingest_redrives_under_way)', 'redrives', 'C'),
    ],
  ),
  panel('Rounds that failed', 'Of background roles: each is tried again for as long as it takes.', CountsPerSecond, [
    metric(`sum by (role) (rate(volley_ingest_role_errors_total${RATE}))`, '{{role}}'),
  ]),
  panel('Events not counted yet', 'Delivery events in the log that progress has not saved.', Short, [
    metric('max(volley_ingest_progress_lag_events)', 'progress'),
  ]),
];

const PROCESSES = [
  panel('CPU', 'Cores used.', PercentUnit, [
    metric(`sum by (job, instance) (rate(process_cpu_seconds_total{${JOBS}}${RATE}))`, '{{instance}}'),
  ]),
  panel('Resident memory', 'RSS of each process.', BytesIEC, [
    metric(`max by (job, instance) (process_resident_memory_bytes{${JOBS}})`, '{{instance}}'),
  ]),
  panel('Event loop', 'p99 of its delay. Above the session timeout a process gives its partitions back.', Seconds, [
    metric(`max by (job, instance) (nodejs_eventloop_lag_p99_seconds{${JOBS}})`, '{{instance}}'),
  ]),
];

export const pipeline = () =>
  dashboard({
    uid: DASHBOARD_UIDS.pipeline,
    title: 'Volley: pipeline',
    description: 'The three services from inside: lag, tiers, batches, inserts, processes.',
    from: 'now-1h',
    variables: [prometheusVariable],
    rows: [
      { title: 'Dispatchers', panels: DISPATCHERS },
      { title: 'Sink', panels: SINK },
      { title: 'ingest-api', panels: INGEST },
      { title: 'Processes', panels: PROCESSES },
    ],
  });
