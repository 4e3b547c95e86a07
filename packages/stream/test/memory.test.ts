import test from 'ava';
import { createMemoryBroker } from '../src/adapters/memory.ts';
import { StreamUnavailable } from '../src/port.ts';
import { conformance } from '../src/testkit/conformance.ts';
import { collecting, text, until } from '../src/testkit/support.ts';

conformance(test, () => {
  const broker = createMemoryBroker();
  return {
    client: () => broker.client(),
    truncate: async (topic, partition, to) => broker.truncate(topic, partition, to),
  };
});

async function withTopic(partitions: number) {
  const broker = createMemoryBroker();
  const client = broker.client();
  const admin = await client.admin();
  await admin.ensureTopics([{ topic: 't', partitions, replicationFactor: 1, config: {} }]);
  return { broker, client, admin };
}

test('an owner that is cut off keeps its epoch until it hears, and cannot commit over its successor', async (t) => {
  const { broker, client, admin } = await withTopic(1);
  const producer = await client.producer({ clientId: 'p' });
  await producer.send([text('t', 0, 'a'), text('t', 0, 'b')]);
  let epoch = -1;
  let revoked = 0;
  const old = client.consumer({
    groupId: 'g',
    topics: ['t'],
    clientId: 'old',
    sessionTimeoutMs: 40,
    heartbeatIntervalMs: 5,
    events: {
      onBatch: () => {},
      onAssigned: (now) => {
        epoch = now;
      },
      onRevoked: () => {
        revoked += 1;
      },
      onFatal: (error) => t.fail(error.message),
    },
  });
  await old.start();
  const zombie = epoch;
  broker.isolate('old');
  const successor = collecting(client, 'g', ['t'], 'new');
  await successor.consumer.start();
  t.is(revoked, 0);
  t.is(await old.commit(zombie, [{ topic: 't', partition: 0, offset: 1 }]), 'failed');
  t.is(await successor.consumer.commit(successor.epoch(), [{ topic: 't', partition: 0, offset: 2 }]), 'committed');
  const commit = old.commit(zombie, [{ topic: 't', partition: 0, offset: 1 }]);
  broker.reconnect('old');
  t.is(await commit, 'stale');
  t.is(revoked, 1);
  t.is((await admin.committed('g', 't'))[0]?.offset, 2);
  await until(() => epoch > zombie, 'its next assignment');
  await client.close();
});

test('while the broker is away sends wait, and nobody loses an assignment', async (t) => {
  const { broker, client } = await withTopic(1);
  const producer = await client.producer({ clientId: 'p' });
  const hasty = await client.producer({ clientId: 'hasty', deadlineMs: 30 });
  const { consumer, seen, records } = collecting(client, 'g', ['t'], 'c');
  await consumer.start();
  broker.setAvailable(false);
  const waiting = producer.send([text('t', 0, 'a')]);
  await t.throwsAsync(hasty.send([text('t', 0, 'b')]), { instanceOf: StreamUnavailable });
  t.is(producer.pendingBytes(), 1);
  broker.setAvailable(true);
  t.deepEqual(await waiting, [{ topic: 't', partition: 0, offset: 0 }]);
  await until(() => records().length === 1, 'the record');
  t.deepEqual(seen.revoked, []);
  await client.close();
});

test('a follower of a compacted log gets the last record of each key, and has caught up at its end', async (t) => {
  const { broker, client } = await withTopic(1);
  const producer = await client.producer({ clientId: 'p' });
  const keyed = (key: string, value: string | null) => ({
    topic: 't',
    partition: 0,
    key,
    value: value === null ? null : Buffer.from(value),
  });
  await producer.send([keyed('a', '1'), keyed('b', '1'), keyed('a', '2'), keyed('b', null), keyed('c', '1')]);
  broker.compact('t');
  const seen: string[] = [];
  const follower = await client.follow({
    topic: 't',
    clientId: 'f',
    onRecord: ({ key, value }) => seen.push(`${key} ${value}`),
    onFatal: (error) => t.fail(error.message),
  });
  await follower.caughtUp;
  t.deepEqual(seen, ['a 2', 'c 1']);
  await client.close();
});
