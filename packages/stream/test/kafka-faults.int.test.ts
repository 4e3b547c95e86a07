import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { createKafkaClient } from '../src/adapters/kafka.ts';
import type { Ack } from '../src/port.ts';
import { collecting, looping, text, textOf, until } from '../src/testkit/support.ts';
import { faultyProxy, PRODUCE } from './faulty-proxy.ts';

const broker = process.env.VOLLEY_TEST_KAFKA ?? '';
if (broker === '') throw new Error('VOLLEY_TEST_KAFKA (host:port of a broker) is not set: `npm test` sets it');

async function freshTopic(t: ExecutionContext, partitions: number) {
  const client = createKafkaClient({ brokers: [broker], clientId: 'faults' });
  const admin = await client.admin();
  const topic = `faults-${randomUUID().slice(0, 8)}`;
  await admin.ensureTopics([{ topic, partitions, replicationFactor: 1, config: {} }]);
  t.teardown(async () => {
    await admin.deleteTopics([topic]);
    await client.close();
  });
  return { client, admin, topic };
}

test('answers that are lost after the append lose nothing, double nothing and keep the order', async (t) => {
  const { client, admin, topic } = await freshTopic(t, 3);
  const proxy = await faultyProxy(broker);
  t.teardown(() => proxy.close());
  const faulty = createKafkaClient({ brokers: [proxy.address], clientId: 'faulty' });
  t.teardown(() => faulty.close());
  const producer = await faulty.producer({ clientId: 'faulty', maxBatchRecords: 20 });
  let answers = 0;
  let dropped = 0;
  proxy.dropAnswer = (apiKey) => {
    if (apiKey !== PRODUCE || ++answers % 3 !== 0) return false;
    dropped += 1;
    return true;
  };
  const sends: Promise<Ack[]>[] = [];
  for (let i = 0; i < 600; i++) {
    sends.push(producer.send([text(topic, i % 3, `${i}`)]));
    if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const acks = (await Promise.all(sends)).flat();
  t.true(dropped >= 5, `${dropped} answers were lost`);

  const bounds = await admin.logBounds(topic);
  const log = new Map<string, string>();
  await client.readRanges({
    ranges: bounds.map((bound, partition) => ({ topic, partition, from: 0, to: bound.end })),
    onRecord: (record) => log.set(`${record.partition} ${record.offset}`, textOf(record)),
  });
  t.is(log.size, 600);
  acks.forEach(({ partition, offset }, i) => {
    t.is(log.get(`${partition} ${offset}`), `${i}`);
  });
  const values = [...log].filter(([key]) => key.startsWith('0 ')).map(([, value]) => Number(value));
  t.deepEqual(
    values,
    [...values].sort((a, b) => a - b),
  );
});

test('a member whose predecessor was killed joins at once', async (t) => {
  const { client, topic } = await freshTopic(t, 4);
  const groupId = `group-${topic}`;
  const script = fileURLToPath(new URL('./member-process.ts', import.meta.url));
  const child = spawn(process.execPath, [script, broker, groupId, topic, 'slot-1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  // Its session would last for another ten seconds.
  const { consumer, seen } = collecting(client, groupId, [topic], 'slot-1');
  const before = performance.now();
  await consumer.start();
  const tookMs = performance.now() - before;
  t.true(tookMs < 3_000, `${tookMs} ms`);
  t.is(seen.assignments[0]?.partitions.length, 4);
});

test('an owner that was cut off and replaced cannot commit over its successor', async (t) => {
  const { client, admin, topic } = await freshTopic(t, 1);
  const proxy = await faultyProxy(broker);
  t.teardown(() => proxy.close());
  const cutOff = createKafkaClient({ brokers: [proxy.address], clientId: 'cut-off' });
  t.teardown(() => cutOff.close());
  const groupId = `group-${topic}`;
  const producer = await client.producer({ clientId: 'faults' });
  await producer.send(Array.from({ length: 10 }, (_, i) => text(topic, 0, `${i}`)));
  // Six seconds is the shortest session a broker allows by default.
  const seen: { epoch: number; batches: number; revoked: number } = { epoch: -1, batches: 0, revoked: 0 };
  const old = cutOff.consumer({
    groupId,
    topics: [topic],
    clientId: 'old',
    sessionTimeoutMs: 6_000,
    heartbeatIntervalMs: 500,
    events: {
      onBatch: () => {
        seen.batches += 1;
      },
      onAssigned: (epoch) => {
        seen.epoch = epoch;
      },
      onRevoked: () => {
        seen.revoked += 1;
      },
      onFatal: (error) => t.fail(error.message),
    },
  });
  await old.start();
  await until(() => seen.batches > 0, 'the first records');
  proxy.stall(true);
  const successor = collecting(client, groupId, [topic], 'new');
  await successor.consumer.start();
  await until(() => successor.records().length === 10, 'the take-over');
  const at = (offset: number) => [{ topic, partition: 0, offset }];
  t.is(await successor.consumer.commit(successor.epoch(), at(10)), 'committed');
  t.true(performance.now() - old.lastHeartbeatMs() > 5_000);
  // It still believes in its assignment: only the broker knows better.
  t.is(seen.revoked, 0);
  const commit = old.commit(seen.epoch, at(5));
  proxy.stall(false);
  t.is(await commit, 'stale');
  t.is((await admin.committed(groupId, topic))[0]?.offset, 10);
  await until(() => seen.revoked === 1, 'the revocation');
});

test('a consumer, a follower and a producer outlive the loss of every connection, with nothing lost', async (t) => {
  const { topic } = await freshTopic(t, 2);
  const proxy = await faultyProxy(broker);
  t.teardown(() => proxy.close());
  const logged: string[] = [];
  const faulty = createKafkaClient({
    brokers: [proxy.address],
    clientId: 'cut',
    log: (_level, message) => logged.push(message),
  });
  t.teardown(() => faulty.close());
  // A heartbeat that is due while kafkajs has forgotten its only broker is what makes it end for good.
  const one = looping(faulty, `group-${topic}`, [topic], 'cut', { heartbeatIntervalMs: 1 });
  await one.loop.start();
  const followed: number[] = [];
  const follower = await faulty.follow({
    topic,
    clientId: 'cut-follower',
    onRecord: (record) => followed.push(Number(textOf(record))),
    onFatal: (error) => t.fail(error.message),
  });
  const producer = await faulty.producer({ clientId: 'cut-producer' });
  const sends: Promise<Ack[]>[] = [];
  const rejoined = () => logged.includes('the consumer ended or gave its join up, joining again');
  for (let round = 0; round < 6 || (round < 50 && !rejoined()); round++) {
    for (let i = 0; i < 50; i++) sends.push(producer.send([text(topic, i % 2, `${sends.length}`)]));
    proxy.refuse(true);
    // Of different lengths: kafkajs does different things in them.
    await new Promise((resolve) => setTimeout(resolve, (round % 6) * 60));
    proxy.refuse(false);
    await until(() => {
      one.settle();
      return new Set(one.all.map(textOf)).size === sends.length && followed.length >= sends.length;
    }, `round ${round}`);
  }
  await Promise.all(sends);
  const expected = Array.from({ length: sends.length }, (_, i) => i);
  t.deepEqual(
    [...new Set(followed)].sort((a, b) => a - b),
    expected,
  );
  t.deepEqual(
    [...new Set(one.all.map((record) => Number(textOf(record))))].sort((a, b) => a - b),
    expected,
  );
  t.is(followed.length, sends.length);
  t.deepEqual(one.fatal, []);
  t.deepEqual(one.stopped, []);
  // Whether kafkajs gives up for good is a matter of milliseconds: fifty rounds nearly always meet it, no machine always.
  t.log(rejoined() ? 'the consumer was ended by kafkajs and joined again' : 'kafkajs never gave up in this run');
  await one.loop.stop(1_000);
  await follower.stop();
});
