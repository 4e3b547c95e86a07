/** Every topic, retry tier and consumer group, by name. A name that stands elsewhere as a literal fails the agreement test. */

/** A retry tier is a topic with a delay: policy and topology cannot disagree. The delays can be set, the names stay. */
export interface RetryTier {
  readonly name: string;
  readonly delayMs: number;
}

export const RETRY_TIERS: readonly RetryTier[] = [
  { name: '5s', delayMs: 5_000 },
  { name: '1m', delayMs: 60_000 },
  { name: '10m', delayMs: 600_000 },
  { name: '1h', delayMs: 3_600_000 },
];

/** The tiers with other delays, in their order; a test that runs in milliseconds has the same topics as production. */
export function tiersWithDelays(delaysMs: readonly number[]): readonly RetryTier[] {
  if (delaysMs.length !== RETRY_TIERS.length || delaysMs.some((ms, i) => !(ms >= 1) || ms < (delaysMs[i - 1] ?? 0)))
    throw new RangeError(
      `there are ${RETRY_TIERS.length} tiers: give as many delays, each at least as long as the last`,
    );
  return RETRY_TIERS.map((tier, i) => ({ name: tier.name, delayMs: delaysMs[i] as number }));
}

/** The first tier that waits at least this long, or the last one. */
export const tierFor = (tiers: readonly RetryTier[], waitMs: number): RetryTier =>
  tiers.find((tier) => tier.delayMs >= waitMs) ?? (tiers.at(-1) as RetryTier);

export type Lane = 'bulk' | 'transactional';
export const LANES: readonly Lane[] = ['bulk', 'transactional'];

export interface Topics {
  readonly campaigns: string;
  readonly messages: Readonly<Record<Lane, string>>;
  readonly retry: readonly string[];
  readonly held: string;
  readonly dlq: string;
  readonly deliveries: string;
  readonly deliveriesDlq: string;
}

/** `namespace` (default `volley`) lets many installations share a cluster. */
export function topicsOf(namespace: string): Topics {
  return {
    campaigns: `${namespace}.campaigns`,
    messages: { bulk: `${namespace}.messages.bulk`, transactional: `${namespace}.messages.transactional` },
    retry: RETRY_TIERS.map((t) => `${namespace}.messages.retry.${t.name}`),
    held: `${namespace}.messages.held`,
    dlq: `${namespace}.messages.dlq`,
    deliveries: `${namespace}.deliveries`,
    deliveriesDlq: `${namespace}.deliveries.dlq`,
  };
}

export interface Groups {
  readonly dispatcher: string;
  readonly sink: string;
  readonly progress: string;
}

export function groupsOf(namespace: string): Groups {
  return { dispatcher: `${namespace}.dispatcher`, sink: `${namespace}.sink`, progress: `${namespace}.progress` };
}

export type RecordName = 'CampaignEvent' | 'Message' | 'DeliveryEvent';

/** Which record a topic carries; the dead-letter topics carry whatever bytes arrived. */
export function recordsByTopic(topics: Topics): { topic: string; record: RecordName }[] {
  return [
    { topic: topics.campaigns, record: 'CampaignEvent' },
    ...[topics.messages.bulk, topics.messages.transactional, ...topics.retry, topics.held].map((topic) => ({
      topic,
      record: 'Message' as const,
    })),
    { topic: topics.deliveries, record: 'DeliveryEvent' },
  ];
}

/** Subject = topic-record (Confluent's TopicRecordNameStrategy). */
export const subjectOf = (topic: string, record: RecordName): string => `${topic}-volley.${record}`;

export interface TopicSettings {
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly minInSyncReplicas: number;
  readonly messageRetentionMs: number;
  readonly deliveryRetentionMs: number;
  /** Per partition; -1: none. */
  readonly retentionBytes: number;
}

const DAY_MS = 86_400_000;
export const DEFAULT_TOPIC_SETTINGS: TopicSettings = {
  partitions: 12,
  replicationFactor: 1,
  minInSyncReplicas: 1,
  messageRetentionMs: 30 * DAY_MS,
  deliveryRetentionMs: 90 * DAY_MS,
  retentionBytes: -1,
};

/** One replica may be away and records are taken all the same, where there are three or more: 3 replicas, 2 in sync. */
export const minInSyncOf = (replicationFactor: number): number => Math.ceil(replicationFactor / 2);

/** The largest record of a lane, and what a dead letter may add to it in headers. */
export const MAX_MESSAGE_BYTES = 1_048_576;
export const DEAD_LETTER_EXTRA_BYTES = 65_536;

export interface TopicDefinition {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly config: Readonly<Record<string, string>>;
}

/** All topics with their settings. Partition numbers match across lanes, tiers, held, dlq and deliveries. */
export function topicDefinitions(topics: Topics, s: TopicSettings): TopicDefinition[] {
  const common = {
    'min.insync.replicas': String(s.minInSyncReplicas),
    'retention.bytes': String(s.retentionBytes),
    // What somebody else compressed is converted at the door: not every reader can decompress it, and the size check
    // sees what a batch becomes and not what it was packed into.
    'compression.type': 'uncompressed',
    // The log's clock, not a producer's: retention and replay go by it, and a broker refuses what a producer whose clock
    // is more than an hour ahead says of the time (INVALID_TIMESTAMP).
    'message.timestamp.type': 'LogAppendTime',
  };
  const define = (topic: string, config: Record<string, string>): TopicDefinition => ({
    topic,
    partitions: s.partitions,
    replicationFactor: s.replicationFactor,
    config: { ...common, ...config },
  });
  // A dead letter is its source plus headers, a redriven one comes back from there: both may be larger than a lane's record.
  const grown = String(MAX_MESSAGE_BYTES + DEAD_LETTER_EXTRA_BYTES);
  const lane = {
    'cleanup.policy': 'delete',
    'retention.ms': String(s.messageRetentionMs),
    'max.message.bytes': String(MAX_MESSAGE_BYTES),
  };
  const later = { ...lane, 'max.message.bytes': grown };
  const deliveries = {
    'cleanup.policy': 'delete',
    'retention.ms': String(s.deliveryRetentionMs),
    'max.message.bytes': String(MAX_MESSAGE_BYTES),
  };
  return [
    define(topics.campaigns, {
      'cleanup.policy': 'compact',
      'retention.bytes': '-1',
      'max.message.bytes': String(MAX_MESSAGE_BYTES),
    }),
    define(topics.messages.bulk, lane),
    define(topics.messages.transactional, lane),
    ...topics.retry.map((topic) => define(topic, later)),
    define(topics.held, later),
    define(topics.dlq, later),
    define(topics.deliveries, deliveries),
    define(topics.deliveriesDlq, { ...deliveries, 'max.message.bytes': grown }),
  ];
}
