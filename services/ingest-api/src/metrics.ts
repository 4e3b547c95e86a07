import type { MetricCatalogue } from '@volley/runtime';

/** Every metric of ingest-api. Labels have few values: never a campaign, a recipient or a message. */
export const metricCatalogue = {
  requests: {
    kind: 'counter',
    name: 'volley_ingest_http_requests_total',
    help: 'Requests answered, by operation and status class.',
    labels: ['operation', 'status'],
  },
  requestSeconds: {
    kind: 'histogram',
    name: 'volley_ingest_http_request_duration_seconds',
    help: 'Duration of a request, streams left out.',
    labels: ['operation'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  importedLines: {
    kind: 'counter',
    name: 'volley_ingest_import_lines_total',
    help: 'Lines of imports, by outcome.',
    labels: ['outcome'],
  },
  directMessages: {
    kind: 'counter',
    name: 'volley_ingest_direct_messages_total',
    help: 'Direct messages, by outcome: accepted, duplicate, rejected.',
    labels: ['outcome'],
  },
  directRewritten: {
    kind: 'counter',
    name: 'volley_ingest_direct_rewritten_total',
    help: 'Direct messages that a crash or an outage left behind and that were written to the log from the store.',
  },
  streams: { kind: 'gauge', name: 'volley_ingest_stats_streams', help: 'Open statistics streams.' },
  questions: {
    kind: 'counter',
    name: 'volley_ingest_analytics_questions_total',
    help: 'Questions to ClickHouse, by outcome: answered, failed, refused (too many at once), given_up (nobody waited any more).',
    labels: ['outcome'],
  },
  questionSeconds: {
    kind: 'histogram',
    name: 'volley_ingest_analytics_question_seconds',
    help: 'Duration of a question that ClickHouse answered.',
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  },
  commands: {
    kind: 'counter',
    name: 'volley_ingest_commands_total',
    help: 'Campaign commands, by type and outcome.',
    labels: ['command', 'outcome'],
  },
  commandRetries: {
    kind: 'counter',
    name: 'volley_ingest_command_conflicts_total',
    help: 'Commands that lost the race for a version and were tried again.',
  },
  relayed: {
    kind: 'counter',
    name: 'volley_ingest_relay_published_total',
    help: 'Campaign events acknowledged by the log.',
  },
  relayRepaired: {
    kind: 'counter',
    name: 'volley_ingest_relay_republished_total',
    help: 'Campaigns whose current state was published again because a lower version followed a higher one.',
  },
  outboxDepth: {
    kind: 'gauge',
    name: 'volley_ingest_outbox_campaigns',
    help: 'Campaigns with events that are not published yet, as of the last look.',
  },
  fannedOut: {
    kind: 'counter',
    name: 'volley_ingest_fanout_messages_total',
    help: 'Messages acknowledged by the log, those of rehearsals left out.',
    labels: ['lane'],
  },
  fanoutSkipped: {
    kind: 'counter',
    name: 'volley_ingest_fanout_recovered_total',
    help: 'Messages found in the log behind the last checkpoint when a campaign was taken over.',
  },
  fanoutFenced: {
    kind: 'counter',
    name: 'volley_ingest_fanout_fenced_total',
    help: 'Campaigns lost to another owner.',
  },
  fanoutWaiting: {
    kind: 'gauge',
    name: 'volley_ingest_fanout_waiting_campaigns',
    help: 'Campaigns that wait for room in their window or partition.',
  },
  queueAge: {
    kind: 'gauge',
    name: 'volley_ingest_queue_age_seconds',
    help: 'Age of the oldest record that no dispatcher has settled, by lane, tier and held; too high by ten seconds at most.',
    labels: ['queue'],
  },
  progressEvents: {
    kind: 'counter',
    name: 'volley_ingest_progress_events_total',
    help: 'Delivery events, by how they were counted: ended, deferred, redriven, repeat, surplus, ignored, unknown, foreign, undecodable, skipped.',
    labels: ['outcome'],
  },
  progressSaves: {
    kind: 'counter',
    name: 'volley_ingest_progress_saves_total',
    help: 'Transactions of progress, by outcome.',
    labels: ['outcome'],
  },
  progressLag: {
    kind: 'gauge',
    name: 'volley_ingest_progress_lag_events',
    help: 'Delivery events in the log that are not saved yet.',
  },
  progressSurplus: {
    kind: 'gauge',
    name: 'volley_ingest_progress_surplus_campaigns',
    help: 'Alarm: campaigns under way with more ended messages than they have.',
  },
  partitionStopped: {
    kind: 'gauge',
    name: 'volley_ingest_progress_stopped_partitions',
    help: 'Alarm: partitions of deliveries whose log is not what was expected.',
  },
  redriven: {
    kind: 'counter',
    name: 'volley_ingest_redrive_messages_total',
    help: 'Dead letters of redrives and purges, by outcome: selected, redriven, purged, skipped, unreadable.',
    labels: ['outcome'],
  },
  redrivesUnderWay: {
    kind: 'gauge',
    name: 'volley_ingest_redrives_under_way',
    help: 'Redrives and purges that have not ended.',
  },
  replays: {
    kind: 'gauge',
    name: 'volley_ingest_replays',
    help: 'Replay jobs of the control store, by target and status.',
    labels: ['target', 'status'],
  },
  auditDifferences: {
    kind: 'gauge',
    name: 'volley_audit_differences',
    help: 'Alarm: differences that the last audits found, by figure (docs/auditor.md).',
    labels: ['figure'],
  },
  auditLastRun: {
    kind: 'gauge',
    name: 'volley_audit_last_run_timestamp_seconds',
    help: 'When the last nightly audit ended that could compare everything, in seconds since 1970.',
  },
  auditChecked: {
    kind: 'counter',
    name: 'volley_audit_campaigns_checked_total',
    help: 'Campaigns that the nightly audit has compared, by verdict: equal, different, lagging, not_kept.',
    labels: ['verdict'],
  },
  auditFailures: {
    kind: 'counter',
    name: 'volley_audit_failures_total',
    help: 'Nightly audits of a campaign or of the partitions that could not be made, because a store or the log was away.',
  },
  roleErrors: {
    kind: 'counter',
    name: 'volley_ingest_role_errors_total',
    help: 'Rounds of a background role that failed and were tried again.',
    labels: ['role'],
  },
} as const satisfies MetricCatalogue;
