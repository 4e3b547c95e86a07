import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StreamClient } from '@volley/stream';
import { createKafkaClient } from '@volley/stream/kafka';
import test from 'ava';
import { type Broker, type BrokerSet, startBrokerSet } from './broker-set.ts';
import { API } from './fault-proxy.ts';
import { readTopic } from './topic-reader.ts';

let folder: string;
let set: BrokerSet;
let client: StreamClient;
test.before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'volley-brokers-'));
  set = await startBrokerSet({ brokers: 3, folder });
  client = createKafkaClient({ brokers: set.address.split(','), clientId: 'broker-set' });
});
test.after.always(async () => {
  await client?.close();
  await set?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function topicOf(topic: string): Promise<void> {
  const admin = await client.admin();
  const config = { 'min.insync.replicas': String(set.minInSyncReplicas) };
  await admin.ensureTopics([{ topic, partitions: 3, replicationFactor: set.replicationFactor, config }]);
  await admin.close();
  await set.untilInSync();
}

const read = async (topic: string) => (await readTopic(client, topic)).map((record) => record.value?.toString());

test.serial('a lost answer of one broker makes another one write nothing twice', async (t) => {
  await topicOf('lost');
  const leaders = await Promise.all([0, 1, 2].map((partition) => set.leaderOf('lost', partition)));
  t.is(new Set(leaders).size, 3);
  const producer = await client.producer({ clientId: 'lost' });
  const send = (what: string) =>
    producer.send([0, 1, 2].map((partition) => ({ topic: 'lost', partition, key: null, value: Buffer.from(what) })));
  await send('first');
  const [losing, slow] = leaders as [Broker, Broker];
  let lost = 0;
  losing.proxy.onAnswer = (apiKey) => (apiKey === API.produce && lost++ === 0 ? 'drop' : undefined);
  // It has the record and has not said so while the other one is asked again.
  slow.proxy.onAnswer = (apiKey) => (apiKey === API.produce ? { laterMs: 1_000 } : undefined);
  await send('second');
  await producer.close();
  await set.heal();
  t.true(lost >= 1);
  t.deepEqual((await read('lost')).sort(), ['first', 'first', 'first', 'second', 'second', 'second']);
});

test.serial('what was acknowledged outlives the death of the leader, and all is in sync again after it', async (t) => {
  await topicOf('a');
  const producer = await client.producer({ clientId: 'broker-set' });
  const send = (n: number) => producer.send([{ topic: 'a', partition: n % 3, key: null, value: Buffer.from(`${n}`) }]);
  for (let n = 0; n < 30; n++) await send(n);

  const leader = await set.leaderOf('a', 0);
  await leader.kill();
  t.false(leader.running());
  for (let n = 30; n < 60; n++) await send(n);
  t.not((await set.leaderOf('a', 0)).id, leader.id);
  const all = Array.from({ length: 60 }, (_, n) => `${n}`);
  t.deepEqual((await read('a')).sort(), all.toSorted());

  await set.heal();
  t.deepEqual((await set.describe()).brokers.toSorted(), [1, 2, 3]);
  // Every byte of the client went through the proxies.
  t.true(set.brokers.every(({ proxy }) => proxy.toServer.passed() > 0));
  await leader.stop();
  for (let n = 60; n < 70; n++) await send(n);
  await leader.start();
  await set.untilInSync();
  t.is((await read('a')).length, 70);
});

test.serial('through leaders that move every acknowledged record lies where its acknowledgement says', async (t) => {
  await topicOf('moving');
  const producer = await client.producer({ clientId: 'moving', maxBatchRecords: 50 });
  const acked = new Map<string, string>();
  let over = false;
  let n = 0;
  const writer = async () => {
    while (!over) {
      const records = [0, 1, 2].map((partition) => ({
        topic: 'moving',
        partition,
        key: null,
        value: Buffer.from(`${n++}`),
      }));
      const acks = await producer.send(records);
      acks.forEach(({ partition, offset }, i) => void acked.set(`${partition} ${offset}`, `${records[i]?.value}`));
    }
  };
  const writers = Array.from({ length: 40 }, writer);
  for (const [i, broker] of set.brokers.entries()) {
    await (i % 2 === 0 ? broker.stop() : broker.kill());
    await broker.start();
    await set.untilInSync();
  }
  over = true;
  await Promise.all(writers);
  await producer.close();
  const log = new Map((await readTopic(client, 'moving')).map((r) => [`${r.partition} ${r.offset}`, `${r.value}`]));
  const missing = [...acked].filter(([place, value]) => log.get(place) !== value);
  t.deepEqual(missing, []);
  t.log(`${acked.size} acknowledged, ${log.size - new Set(log.values()).size} written twice`);
});
