import { DEFAULT_TOPIC_SETTINGS, topicDefinitions, topicsOf } from '@volley/contract';
import { createMemoryBroker } from '@volley/stream/memory';
import test from 'ava';
import { differenceText, topicDifferences, topicSettingsFrom } from '../src/topics.ts';

test('settings of topics that set-up would make otherwise are told, and topics that are missing are not', async (t) => {
  const admin = await createMemoryBroker().client().admin();
  const topics = topicsOf('t');
  const definitions = topicDefinitions(topics, DEFAULT_TOPIC_SETTINGS);
  t.deepEqual(await topicDifferences(admin, definitions), []);
  await admin.ensureTopics(definitions);
  t.deepEqual(await topicDifferences(admin, definitions), []);
  const wanted = topicDefinitions(topics, { ...DEFAULT_TOPIC_SETTINGS, deliveryRetentionMs: 1_000 });
  const differences = await topicDifferences(admin, wanted);
  t.deepEqual(
    differences.map((d) => [d.topic, d.setting]),
    [
      [topics.deliveries, 'retention.ms'],
      [topics.deliveriesDlq, 'retention.ms'],
    ],
  );
  t.is(
    differences[0] && differenceText(differences[0]),
    't.deliveries: retention.ms is 7776000000, set-up would make it 1000',
  );
});

test('what set-up wants is taken from the same environment', (t) => {
  t.deepEqual(topicSettingsFrom({}), DEFAULT_TOPIC_SETTINGS);
  t.like(topicSettingsFrom({ VOLLEY_PARTITIONS: '3', VOLLEY_REPLICATION_FACTOR: '3' }), {
    partitions: 3,
    replicationFactor: 3,
  });
});

test('how many replicas must be in sync follows from how many there are, unless it is said', (t) => {
  const inSync = (VOLLEY_REPLICATION_FACTOR: string, VOLLEY_MIN_INSYNC_REPLICAS?: string) =>
    topicSettingsFrom({ VOLLEY_REPLICATION_FACTOR, VOLLEY_MIN_INSYNC_REPLICAS }).minInSyncReplicas;
  t.deepEqual(
    ['1', '2', '3', '5'].map((n) => inSync(n)),
    [1, 1, 2, 3],
  );
  t.is(inSync('3', '3'), 3);
  t.throws(() => inSync('1', '2'), { message: /of 1 replicas there cannot be 2 in sync/ });
  t.throws(() => inSync('three'), { message: /whole number/ });
});

test('one setting gives every topic three replicas of which two must have a record', (t) => {
  const definitions = topicDefinitions(topicsOf('t'), topicSettingsFrom({ VOLLEY_REPLICATION_FACTOR: '3' }));
  t.is(definitions.length, 11);
  for (const { topic, replicationFactor, config } of definitions) {
    t.is(replicationFactor, 3, topic);
    t.is(config['min.insync.replicas'], '2', topic);
  }
});
