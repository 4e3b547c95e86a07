import type { MetricCatalogue, Metrics } from '@volley/runtime';

export const CATALOGUE = {
  rows: { kind: 'counter', name: 'volley_sink_rows_total', help: 'Rows that ClickHouse has acknowledged' },
  batches: { kind: 'counter', name: 'volley_sink_batches_total', help: 'Inserts that ClickHouse has acknowledged' },
  batchRows: {
    kind: 'histogram',
    name: 'volley_sink_batch_rows',
    help: 'Rows of an insert',
    buckets: [1, 10, 100, 1_000, 5_000, 10_000, 25_000, 50_000, 100_000],
  },
  insertSeconds: {
    kind: 'histogram',
    name: 'volley_sink_insert_seconds',
    help: 'One insert, from the first byte to the answer, failed ones included',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  },
  retries: {
    kind: 'counter',
    name: 'volley_sink_retries_total',
    help: 'Effects that were not acknowledged and are repeated',
    labels: ['effect'],
  },
  undecodable: {
    kind: 'counter',
    name: 'volley_sink_undecodable_total',
    help: 'Events that no row can be made of, now in the dead-letter topic',
    labels: ['reason'],
  },
  lagRecords: {
    kind: 'gauge',
    name: 'volley_sink_lag_records',
    help: 'Events in the log that are not yet committed as stored',
    labels: ['partition'],
  },
  lagSeconds: {
    kind: 'gauge',
    name: 'volley_sink_lag_seconds',
    help: 'Age of the oldest event in memory that is not yet stored',
    labels: ['partition'],
  },
  assignedPartitions: {
    kind: 'gauge',
    name: 'volley_sink_assigned_partitions',
    help: 'Partitions that this process reads; without any it has no lag to tell of',
  },
  memoryBytes: { kind: 'gauge', name: 'volley_sink_memory_bytes', help: 'Records read and not yet stored' },
  stoppedPartitions: {
    kind: 'gauge',
    name: 'volley_sink_stopped_partitions',
    help: 'Partitions stopped because the log is not what was expected',
  },
} as const satisfies MetricCatalogue;

export const REPLAY_CATALOGUE = {
  replaysHeld: {
    kind: 'gauge',
    name: 'volley_sink_replay_running',
    help: 'Replays that this process works on: 1 or 0',
  },
  replayRows: {
    kind: 'counter',
    name: 'volley_sink_replay_rows_total',
    help: 'Rows that ClickHouse has acknowledged in tables beside the live ones, and while the sinks stood still',
  },
} as const satisfies MetricCatalogue;

export type SinkMetrics = Metrics<typeof CATALOGUE>['m'];
