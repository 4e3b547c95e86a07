import { topicsOf } from '@volley/contract';
import { createRegistry } from '@volley/contract/registry';
import { createConsumerLoop, type TrackedRecord } from '@volley/stream';
import { createKafkaClient } from '@volley/stream/kafka';
import test from 'ava';
import { until } from '../support.ts';
import { createDeliveries, deliveryEvent, idOf, LATE_REPEATS } from './ledger-support.ts';

const required = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: this test needs the local stack (npm test starts one)`);
  return value;
};

test('whoever takes over a killed owner knows what it had done above its watermark', async (t) => {
  const namespace = `l${process.pid}x${Date.now().toString(36)}`;
  const topics = topicsOf(namespace);
  const kafka = required('VOLLEY_TEST_KAFKA');
  const client = createKafkaClient({ brokers: [kafka], clientId: namespace });
  const registry = createRegistry({ url: required('VOLLEY_TEST_REGISTRY'), clientId: namespace, nowMs: () => 0 });
  await registry.registerAll(topics);
  const schemaId = await registry.idOf(topics.deliveries, 'DeliveryEvent');
  const deliveries = await createDeliveries(client, { namespace, partitions: 2, schemaId });
  const admin = await client.admin();
  const lane = topics.messages.bulk;
  await admin.ensureTopics([{ topic: lane, partitions: 2, replicationFactor: 1, config: {} }]);
  t.teardown(async () => {
    await admin.deleteTopics([lane, topics.deliveries]);
    await client.close();
  });

  // The owners of long ago: as much as one need not know, and what is read for late repeats.
  const old = 3_000;
  for (let n = 1; n <= old; n += 1_000) {
    await deliveries.write(
      0,
      Array.from({ length: 1_000 }, (_, i) => deliveryEvent(n + i)),
    );
  }
  const producer = await client.producer({ clientId: namespace });
  await producer.send([{ topic: lane, partition: 0, key: null, value: Buffer.from('first') }]);
  /** A member as the dispatcher is one: its loop, its ledger, its hints. */
  const member = async (clientId: string) => {
    const of = deliveries.reader(registry.store);
    const held: TrackedRecord[] = [];
    const loop = createConsumerLoop({
      client,
      groupId: `${namespace}-group`,
      topics: [lane],
      clientId,
      commitIntervalMs: 20,
      idleMetadataMs: 50,
      handler: {
        onRecords: (records) => held.push(...records),
        onAssigned: (partitions) => of.reader.assigned(partitions),
        onRevoked: () => of.reader.revoked(),
        metadata: ({ topic, partition }, watermark) => of.hints.metadata(topic, partition, watermark),
        onPartitionStopped: (_, why) => t.fail(why),
        onFatal: (error) => t.fail(error.message),
      },
    });
    await loop.start();
    await until(() => of.seen.read.length === 1 && held.length > 0);
    const handle = async (n: number) => {
      const event = deliveryEvent(old + 1 + n);
      const [ack] = await deliveries.write(0, [event]);
      of.ledger.note(0, event, ack?.offset ?? -1);
      of.hints.note(lane, 0, n, ack?.offset ?? -1);
      const tracked = held.find(({ record }) => record.offset === n);
      if (tracked !== undefined) loop.settle(tracked);
    };
    return { ...of, held, loop, handle };
  };
  const committed = async () => (await admin.committed(`${namespace}-group`, lane))[0];

  const one = await member('one');
  t.is(one.seen.read[0]?.events, old);
  // Nobody can have done anything with what comes from here on.
  await one.handle(0);
  await until(async () => (await committed())?.metadata === JSON.stringify({ v: 1, hint: old + 1, reach: 1 }));
  const records = Array.from({ length: 60 }, (_, i) => ({
    topic: lane,
    partition: 0,
    key: null,
    value: Buffer.from(`${i}`),
  }));
  await producer.send(records);
  await until(() => one.held.length === 61);
  for (const n of [1, 2, 3, 9, 10, 20]) await one.handle(n);
  await until(async () => (await committed())?.metadata === JSON.stringify({ v: 1, hint: old + 4, reach: 21 }));
  t.is((await committed())?.offset, 4);
  // Nothing that it does from here on is committed, and the same slot takes its place.
  for (const n of [11, 30]) await one.handle(n);
  const two = await member('one');
  const known = Array.from({ length: 61 }, (_, n) => n).filter((n) => two.ledger.look(0, idOf(old + 1 + n), 0)?.ended);
  t.deepEqual(known, [0, 1, 2, 3, 9, 10, 11, 20, 30]);
  t.is(two.seen.read[0]?.events, LATE_REPEATS + 5);
  await one.loop.stop(0);
  await two.loop.stop(0);
});
