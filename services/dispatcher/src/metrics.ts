import type { MetricCatalogue } from '@volley/runtime';

/** Everything the dispatcher counts. Labels have few values: never a campaign, a message or a recipient. */
export const METRICS = {
  attempts: {
    kind: 'counter',
    name: 'volley_dispatcher_attempts_total',
    help: 'Provider calls by channel and result: accepted, or the class of the failure.',
    labels: ['channel', 'result'],
  },
  providerSeconds: {
    kind: 'histogram',
    name: 'volley_dispatcher_provider_seconds',
    help: 'Duration of a provider call, whatever it answered.',
    labels: ['channel'],
    buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 8],
  },
  events: {
    kind: 'counter',
    name: 'volley_dispatcher_events_total',
    help: 'Delivery events that the log has acknowledged, by kind.',
    labels: ['kind'],
  },
  rehearsed: {
    kind: 'counter',
    name: 'volley_dispatcher_rehearsed_total',
    help: 'The same of rehearsals, which are in none of the other counters of events, calls and dead letters.',
    labels: ['kind'],
  },
  deadLetters: {
    kind: 'counter',
    name: 'volley_dispatcher_dead_letters_total',
    help: 'Dead letters that the log has acknowledged, by reason.',
    labels: ['reason'],
  },
  deadLettersCut: {
    kind: 'counter',
    name: 'volley_dispatcher_dead_letters_cut_total',
    help: 'Dead letters that the log refused whole and took with their value cut (header volley-truncated).',
  },
  moved: {
    kind: 'counter',
    name: 'volley_dispatcher_moved_total',
    help: 'Records that went on to a retry tier or to held, by why. campaign_unknown is an alarm; kept_back: held again.',
    labels: ['tier', 'reason'],
  },
  testMessages: {
    kind: 'counter',
    name: 'volley_dispatcher_test_messages_total',
    help: 'Test messages that came to an end, of which nothing is written, by how.',
    labels: ['end'],
  },
  unattributed: {
    kind: 'counter',
    name: 'volley_dispatcher_unattributed_total',
    help: 'Dead letters for which no message could be named: neither value nor headers are readable.',
  },
  lateAnswers: {
    kind: 'counter',
    name: 'volley_dispatcher_late_answers_total',
    help: 'Answers after the deadline; with accepted="yes" the provider may get the message twice.',
    labels: ['accepted'],
  },
  repeatsSkipped: {
    kind: 'counter',
    name: 'volley_dispatcher_repeats_skipped_total',
    help: 'Records settled without a send because their message had ended before.',
  },
  unreadableCampaignEvents: {
    kind: 'counter',
    name: 'volley_dispatcher_unreadable_campaign_events_total',
    help: 'Records of the campaign topic that could not be read.',
  },
  unreadableEvents: {
    kind: 'counter',
    name: 'volley_dispatcher_unreadable_events_total',
    help: 'Delivery events that the ledger could not read: their messages may be sent once more.',
  },
  ledgerEvents: {
    kind: 'gauge',
    name: 'volley_dispatcher_ledger_events',
    help: 'Delivery events that the ledger holds.',
  },
  ledgersReading: {
    kind: 'gauge',
    name: 'volley_dispatcher_ledgers_reading',
    help: 'Partition numbers whose ledger is being read: nothing of them starts.',
  },
  running: {
    kind: 'gauge',
    name: 'volley_dispatcher_running',
    help: 'Messages whose attempt is under way or whose event is not acknowledged yet (at most VOLLEY_CONCURRENCY).',
  },
  waiting: {
    kind: 'gauge',
    name: 'volley_dispatcher_waiting',
    help: 'Messages in memory that wait for their turn, a limit, a campaign or their retry.',
  },
  notDue: {
    kind: 'gauge',
    name: 'volley_dispatcher_not_due',
    help: 'Records of retry tiers in memory that are not due yet.',
  },
  keptBack: {
    kind: 'gauge',
    name: 'volley_dispatcher_kept_back',
    help: 'Records of held in memory that wait for a pass.',
  },
  queueBytes: {
    kind: 'gauge',
    name: 'volley_dispatcher_queue_bytes',
    help: 'Bytes of records read and not settled.',
  },
  unacknowledged: {
    kind: 'gauge',
    name: 'volley_dispatcher_unacknowledged',
    help: 'Events and dead letters that the log has not acknowledged yet.',
  },
  watermarkLag: {
    kind: 'gauge',
    name: 'volley_dispatcher_watermark_lag',
    help: 'Records between what is settled and the end of the log, by topic.',
    labels: ['topic'],
  },
  stoppedPartitions: {
    kind: 'gauge',
    name: 'volley_dispatcher_stopped_partitions',
    help: 'Partitions stopped because the log is not what was expected.',
  },
  heldCampaigns: {
    kind: 'gauge',
    name: 'volley_dispatcher_held_campaigns',
    help: 'Campaigns whose next message may not start, by what it waits for.',
    labels: ['on'],
  },
  longestUnknownSeconds: {
    kind: 'gauge',
    name: 'volley_dispatcher_campaign_unknown_seconds',
    help: 'Longest wait for a campaign, or a version of it, that messages ask for. Above 10 s it is an alarm.',
  },
  providerCalls: {
    kind: 'gauge',
    name: 'volley_dispatcher_provider_calls',
    help: 'Calls to a provider that are under way here.',
    labels: ['tenant', 'provider'],
  },
  providerLimit: {
    kind: 'gauge',
    name: 'volley_dispatcher_provider_limit',
    help: 'Calls to a provider that may be under way here now: its share of the concurrency, less what congestion took.',
    labels: ['tenant', 'provider'],
  },
  providerShare: {
    kind: 'gauge',
    name: 'volley_dispatcher_provider_share',
    help: 'Part of the limits of a provider (rate, concurrency) that this process may use; over all processes at most 1.',
    labels: ['tenant', 'provider'],
  },
  openBreakers: {
    kind: 'gauge',
    name: 'volley_dispatcher_open_breakers',
    help: 'Circuit breakers that let nothing but probes pass: of the provider, or of destination hosts of its webhooks.',
    labels: ['provider'],
  },
  postgresAway: {
    kind: 'gauge',
    name: 'volley_dispatcher_postgres_away',
    help: '1 while the shares of limits cannot be renewed in Postgres: the last ones are kept.',
  },
} as const satisfies MetricCatalogue;
