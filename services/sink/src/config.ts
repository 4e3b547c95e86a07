import { type SettingsTable, setting } from '@volley/runtime';

/** What migrate and rebuild need as well: the tables, and the group that is asked whether an insert is planned. */
const COMMON = {
  clickhouseUrl: setting<string>({
    env: 'VOLLEY_CLICKHOUSE_URL',
    type: 'url',
    default: 'http://127.0.0.1:8123',
    secret: true,
    meaning: 'ClickHouse over HTTP, with credentials as userinfo',
  }),
  clickhouseDatabase: setting<string>({
    env: 'VOLLEY_CLICKHOUSE_DATABASE',
    type: 'string',
    default: 'volley',
    meaning: 'Database with the tables and the public views',
  }),
  clickhouseCluster: setting<string>({
    env: 'VOLLEY_CLICKHOUSE_CLUSTER',
    type: 'string',
    default: '',
    meaning:
      'Cluster of one shard, as its servers call it: tables are made on all of them, as replicas, and an insert waits for most of them; empty: one server (docs/scaling.md)',
  }),
  logLevel: setting<string>({
    env: 'VOLLEY_LOG_LEVEL',
    type: 'string',
    default: 'info',
    oneOf: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    meaning: 'Least important level that is logged',
  }),
  kafkaBrokers: setting<readonly string[]>({
    env: 'VOLLEY_KAFKA_BROKERS',
    type: 'list',
    default: ['127.0.0.1:9092'],
    meaning: 'Kafka brokers as host:port, separated by commas',
  }),
  namespace: setting<string>({
    env: 'VOLLEY_NAMESPACE',
    type: 'string',
    default: 'volley',
    meaning: 'Prefix of topics and groups',
  }),
} as const;

export const MIGRATION_SETTINGS = COMMON satisfies SettingsTable;

/** Every setting of the sink: `.env.example` and the reference are generated from this table. */
export const SETTINGS = {
  ...COMMON,
  registryUrl: setting<string>({
    env: 'VOLLEY_REGISTRY_URL',
    type: 'url',
    default: 'http://127.0.0.1:8081/apis/ccompat/v7',
    meaning: 'Schema registry with the Confluent API',
  }),
  slot: setting<number>({
    env: 'VOLLEY_SLOT',
    type: 'int',
    default: 0,
    min: 0,
    max: 9_999,
    meaning: 'Stable number of this process among the sinks: a restart takes the place of its predecessor at once',
  }),
  adminHost: setting<string>({
    env: 'VOLLEY_ADMIN_HOST',
    type: 'string',
    default: '127.0.0.1',
    meaning: 'Address of /livez, /readyz, /metrics',
  }),
  adminPort: setting<number>({
    env: 'VOLLEY_ADMIN_PORT',
    type: 'int',
    default: 9466,
    min: 0,
    max: 65_535,
    meaning: 'Port of /livez, /readyz, /metrics',
  }),
  maxRows: setting<number>({
    env: 'VOLLEY_SINK_MAX_ROWS',
    type: 'int',
    unit: 'rows',
    default: 50_000,
    min: 1,
    max: 100_000,
    meaning: 'An insert has at most this many rows; the knee of the insert rate is at 10,000 to 50,000',
  }),
  maxBatchBytes: setting<number>({
    env: 'VOLLEY_SINK_MAX_BATCH_BYTES',
    type: 'int',
    unit: 'bytes',
    default: 16_777_216,
    min: 65_536,
    max: 134_217_728,
    meaning: 'An insert ends when its text reaches this size, or a quarter of VOLLEY_QUEUE_BYTES',
  }),
  lingerMs: setting<number>({
    env: 'VOLLEY_SINK_LINGER_MS',
    type: 'int',
    unit: 'ms',
    default: 1_200,
    min: 0,
    max: 60_000,
    meaning: 'A batch that is not full is inserted when its oldest event has waited this long, or when no more come',
  }),
  maxInserts: setting<number>({
    env: 'VOLLEY_SINK_MAX_INSERTS',
    type: 'int',
    unit: 'inserts',
    default: 2,
    min: 1,
    max: 64,
    meaning: 'Inserts under way at once, over all partitions; one partition never has more than one',
  }),
  queueBytes: setting<number>({
    env: 'VOLLEY_QUEUE_BYTES',
    type: 'int',
    unit: 'bytes',
    default: 67_108_864,
    min: 1_048_576,
    meaning: 'Records read ahead into memory',
  }),
  insertTimeoutMs: setting<number>({
    env: 'VOLLEY_SINK_INSERT_TIMEOUT_MS',
    type: 'int',
    unit: 'ms',
    default: 30_000,
    min: 1_000,
    meaning: 'An insert without an answer by then is repeated under the same token',
  }),
  retryBaseMs: setting<number>({
    env: 'VOLLEY_SINK_RETRY_BASE_MS',
    type: 'int',
    unit: 'ms',
    default: 100,
    min: 1,
    meaning: 'First repeat of a failed insert waits half of this to all of it, each further one twice as long',
  }),
  retryCapMs: setting<number>({
    env: 'VOLLEY_SINK_RETRY_CAP_MS',
    type: 'int',
    unit: 'ms',
    default: 5_000,
    min: 1,
    meaning: 'Longest wait before a failed insert is repeated; it is repeated for ever',
  }),
  unreadyAfterMs: setting<number>({
    env: 'VOLLEY_SINK_UNREADY_AFTER_MS',
    type: 'int',
    unit: 'ms',
    default: 10_000,
    min: 0,
    meaning: 'Readiness goes red when a batch has been failing for this long',
  }),
  drainMs: setting<number>({
    env: 'VOLLEY_DRAIN_MS',
    type: 'int',
    unit: 'ms',
    default: 9_000,
    min: 0,
    max: 60_000,
    meaning: 'How long a stop waits for what is under way',
  }),
  failpoints: setting<string>({
    env: 'VOLLEY_FAILPOINTS',
    type: 'string',
    default: '',
    meaning: 'Places where a test makes this process fail, as name:action[:n]; empty: none',
  }),
} as const satisfies SettingsTable;

/** What the replay process reads beside them. */
export const REPLAY_ALONE = {
  postgresUrl: setting<string>({
    env: 'VOLLEY_POSTGRES_URL',
    type: 'url',
    default: 'postgres://volley@127.0.0.1:5432/volley',
    secret: true,
    meaning: 'Control store: which replays were asked for',
  }),
  replayKeepDays: setting<number>({
    env: 'VOLLEY_REPLAY_KEEP_DAYS',
    type: 'number',
    unit: 'days',
    default: 7,
    min: 0,
    max: 89,
    meaning: 'Statistics from before a swap are kept this long beside the rebuilt ones, and can be taken back',
  }),
} as const satisfies SettingsTable;

export const REPLAY_SETTINGS = { ...SETTINGS, ...REPLAY_ALONE } as const satisfies SettingsTable;

interface BatchSettings {
  readonly maxRows: number;
  readonly maxBatchBytes: number;
  readonly lingerMs: number;
  readonly maxInserts: number;
  readonly queueBytes: number;
}

/** Four batches fit into what is read ahead: two that are read, and two that are being inserted. */
export const batchLimits = ({ maxRows, maxBatchBytes, lingerMs, maxInserts, queueBytes }: BatchSettings) => ({
  ...{ maxRows, lingerMs, maxInserts },
  maxBytes: Math.min(maxBatchBytes, queueBytes / 4),
  pressedBytes: queueBytes / 4,
});
