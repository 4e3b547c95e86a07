import test from 'ava';
import {
  DEFAULT_TOPIC_SETTINGS,
  groupsOf,
  LANES,
  MAX_MESSAGE_BYTES,
  RETRY_TIERS,
  recordsByTopic,
  subjectOf,
  tierFor,
  tiersWithDelays,
  topicDefinitions,
  topicsOf,
} from '../src/topics.ts';

const topics = topicsOf('volley');
const definitions = new Map(topicDefinitions(topics, DEFAULT_TOPIC_SETTINGS).map((d) => [d.topic, d]));

test('the topics of the contract, by name', (t) => {
  t.deepEqual([...definitions.keys()].sort(), [
    'volley.campaigns',
    'volley.deliveries',
    'volley.deliveries.dlq',
    'volley.messages.bulk',
    'volley.messages.dlq',
    'volley.messages.held',
    'volley.messages.retry.10m',
    'volley.messages.retry.1h',
    'volley.messages.retry.1m',
    'volley.messages.retry.5s',
    'volley.messages.transactional',
  ]);
});

test('a namespace changes every topic and group, and nothing else', (t) => {
  const other = JSON.stringify([topicsOf('acme.eu'), groupsOf('acme.eu')]);
  t.is(other.replaceAll('"acme.eu.', '"volley.'), JSON.stringify([topics, groupsOf('volley')]));
});

test('every topic has the same number of partitions: number p means the same everywhere', (t) => {
  const counts = topicDefinitions(topics, { ...DEFAULT_TOPIC_SETTINGS, partitions: 7 }).map((d) => d.partitions);
  t.deepEqual([...new Set(counts)], [7]);
});

test('the campaign topic is compacted and nothing else is', (t) => {
  const compacted = [...definitions.values()].filter((d) => d.config['cleanup.policy'] === 'compact');
  t.deepEqual(
    compacted.map((d) => d.topic),
    [topics.campaigns],
  );
  // A compacted topic with a bound in bytes would lose campaigns.
  t.is(compacted[0]?.config['retention.bytes'], '-1');
  t.false('retention.ms' in (compacted[0]?.config ?? {}));
});

test('every topic carries the time of the log: no producer is refused because its clock is ahead', (t) => {
  for (const d of definitions.values()) t.is(d.config['message.timestamp.type'], 'LogAppendTime', d.topic);
});

test('retention: messages 30 days, deliveries 90', (t) => {
  const days = (topic: string) => Number(definitions.get(topic)?.config['retention.ms']) / 86_400_000;
  for (const topic of [...Object.values(topics.messages), ...topics.retry, topics.held, topics.dlq]) {
    t.is(days(topic), 30, topic);
  }
  t.is(days(topics.deliveries), 90);
  t.is(days(topics.deliveriesDlq), 90);
});

test('a dead letter of the largest record fits into its topic, and so does what comes back from there', (t) => {
  const limit = (topic: string) => Number(definitions.get(topic)?.config['max.message.bytes']);
  for (const lane of LANES) t.is(limit(topics.messages[lane]), MAX_MESSAGE_BYTES);
  for (const topic of [topics.dlq, topics.held, ...topics.retry]) {
    t.true(limit(topic) >= limit(topics.messages.bulk) + 65_536, topic);
  }
  t.true(limit(topics.deliveriesDlq) >= limit(topics.deliveries) + 65_536);
});

test('replication is what the settings say, on every topic', (t) => {
  const settings = { ...DEFAULT_TOPIC_SETTINGS, replicationFactor: 3, minInSyncReplicas: 2, retentionBytes: 1e9 };
  for (const d of topicDefinitions(topics, settings)) {
    t.is(d.replicationFactor, 3);
    t.is(d.config['min.insync.replicas'], '2');
    t.is(d.config['retention.bytes'], d.topic === topics.campaigns ? '-1' : '1000000000');
  }
});

test('no topic keeps what somebody compressed: readers need not know how', (t) => {
  for (const d of definitions.values()) t.is(d.config['compression.type'], 'uncompressed', d.topic);
});

test('every topic but the dead-letter ones has one record', (t) => {
  const records = new Map(recordsByTopic(topics).map((r) => [r.topic, r.record]));
  const without = [...definitions.keys()].filter((topic) => !records.has(topic)).sort();
  t.deepEqual(without, [topics.deliveriesDlq, topics.dlq]);
  t.is(records.get(topics.campaigns), 'CampaignEvent');
  t.is(records.get(topics.deliveries), 'DeliveryEvent');
  t.deepEqual([...new Set([...records.values()])].sort(), ['CampaignEvent', 'DeliveryEvent', 'Message']);
});

test('a subject is topic-record', (t) => {
  t.is(subjectOf('volley.messages.bulk', 'Message'), 'volley.messages.bulk-volley.Message');
});

test('tiers grow, and the name of each is its delay', (t) => {
  const units: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000 };
  for (const { name, delayMs } of RETRY_TIERS) {
    t.is(Number.parseInt(name, 10) * (units[name.at(-1) ?? ''] ?? 0), delayMs);
  }
  const delays = RETRY_TIERS.map((tier) => tier.delayMs);
  t.deepEqual(
    delays,
    [...delays].sort((a, b) => a - b),
  );
});

test('delays can be set, names and order stay, and a wait finds its tier', (t) => {
  const tiers = tiersWithDelays([50, 100, 200, 400]);
  t.deepEqual(
    tiers.map((tier) => tier.name),
    RETRY_TIERS.map((tier) => tier.name),
  );
  t.is(tierFor(tiers, 1).name, '5s');
  t.is(tierFor(tiers, 50).name, '5s');
  t.is(tierFor(tiers, 51).name, '1m');
  t.is(tierFor(tiers, 9_999).name, '1h');
  for (const wrong of [
    [1, 2, 3],
    [1, 2, 3, 4, 5],
    [4, 3, 2, 1],
    [0, 1, 2, 3],
    [1, Number.NaN, 3, 4],
  ])
    t.throws(() => tiersWithDelays(wrong), { instanceOf: RangeError });
});
