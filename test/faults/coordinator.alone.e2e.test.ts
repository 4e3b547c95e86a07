import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKafkaClient } from '@volley/stream/kafka';
import test from 'ava';
import { startBrokerSet } from '../support/broker-set.ts';
import { until } from '../support/until.ts';

const OFFSETS = '__consumer_offsets';
const SESSION_MS = 10_000;

/** As Kafka places a group: Java's hash of its name, by the partitions of the offsets. */
function partitionOfGroup(group: string, partitions: number): number {
  let hash = 0;
  for (const char of group) hash = (Math.imul(31, hash) + char.charCodeAt(0)) | 0;
  return Math.abs(hash) % partitions;
}

test('a member whose coordinator dies and stays away goes on with the next one, in the same generation', async (t) => {
  t.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), 'volley-coordinator-'));
  const set = await startBrokerSet({ brokers: 3, folder });
  t.teardown(async () => {
    await set.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const logged: string[] = [];
  const log = (_: string, line: string) => void logged.push(line);
  const client = createKafkaClient({ brokers: set.address.split(','), clientId: 'coordinator', log });
  t.teardown(() => client.close());
  const admin = await client.admin();
  const topic = 'read';
  const config = { 'min.insync.replicas': String(set.minInSyncReplicas) };
  await admin.ensureTopics([{ topic, partitions: 1, replicationFactor: set.replicationFactor, config }]);
  // The offsets are made with the first group that asks for them.
  const first = client.consumer({
    groupId: 'first',
    topics: [topic],
    clientId: 'first',
    events: { onBatch() {}, onAssigned() {}, onRevoked() {}, onFatal() {} },
  });
  await first.start();
  await first.stop();
  await set.untilInSync();
  const { length } = await admin.logBounds(OFFSETS);
  const leader = await set.leaderOf(topic, 0);
  let groupId = 'group';
  while ((await set.leaderOf(OFFSETS, partitionOfGroup(groupId, length))).id === leader.id) groupId += 'x';
  const coordinator = await set.leaderOf(OFFSETS, partitionOfGroup(groupId, length));

  const seen = { epoch: -1, batches: 0, revoked: 0 };
  const consumer = client.consumer({
    groupId,
    topics: [topic],
    clientId: 'member',
    sessionTimeoutMs: SESSION_MS,
    events: {
      onBatch: () => void seen.batches++,
      onAssigned: (epoch) => {
        seen.epoch = epoch;
      },
      onRevoked: () => void seen.revoked++,
      onFatal: (error) => t.fail(error.message),
    },
  });
  await consumer.start();
  const producer = await client.producer({ clientId: 'coordinator' });
  await producer.send([{ topic, partition: 0, key: null, value: Buffer.from('a') }]);
  await until('a record', () => seen.batches > 0);
  const commit = (offset: number) => consumer.commit(seen.epoch, [{ topic, partition: 0, offset }]);
  t.is(await commit(1), 'committed');

  await coordinator.kill();
  const diedMs = performance.now();
  await until('a heartbeat is answered', () => consumer.lastHeartbeatMs() > diedMs + 1_000, { timeoutMs: SESSION_MS });
  const backMs = performance.now() - diedMs;
  t.false(coordinator.running());
  await producer.send([{ topic, partition: 0, key: null, value: Buffer.from('b') }]);
  await until('the next record', () => seen.batches > 1);
  t.is(await commit(2), 'committed');
  // Longer than a session: the new coordinator has heard of it all the while.
  await until('a session is over', () => performance.now() - diedMs > 1.5 * SESSION_MS, { timeoutMs: 2 * SESSION_MS });
  t.true(performance.now() - consumer.lastHeartbeatMs() < SESSION_MS / 2);
  t.is(await commit(2), 'committed');
  t.is(seen.revoked, 0, 'nothing was taken from it');
  t.true(logged.includes('the coordinator of the group has moved'));
  t.log(`answered again after ${(backMs / 1_000).toFixed(1)} s`);
  await consumer.stop();
});
