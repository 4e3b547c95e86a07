import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { createKafkaClient } from '../src/adapters/kafka.ts';
import { collecting, text, until } from '../src/testkit/support.ts';
import { faultyProxy, HEARTBEAT, JOIN_GROUP } from './faulty-proxy.ts';

const broker = process.env.VOLLEY_TEST_KAFKA ?? '';
if (broker === '') throw new Error('VOLLEY_TEST_KAFKA (host:port of a broker) is not set: `npm test` sets it');

const NOT_COORDINATOR = 16;
const UNKNOWN_MEMBER_ID = 25;
const COORDINATOR_LOADING = 14;
const GROUP_AUTHORIZATION_FAILED = 30;

/** Throttle time, then the error code; of JoinGroup also what a refusal leaves empty. */
function refusal(apiKey: number, code: number): Buffer {
  const answer = Buffer.alloc(apiKey === HEARTBEAT ? 6 : 20);
  answer.writeInt16BE(code, 4);
  return answer;
}

/** A consumer that has read one record, and whose next heartbeat, and then whose next join, will be refused with these. */
async function refusedConsumer(t: ExecutionContext, heartbeat: number, join: number) {
  const client = createKafkaClient({ brokers: [broker], clientId: 'coordinator' });
  const admin = await client.admin();
  const topic = `coordinator-${randomUUID().slice(0, 8)}`;
  await admin.ensureTopics([{ topic, partitions: 2, replicationFactor: 1, config: {} }]);
  const proxy = await faultyProxy(broker);
  const moved = createKafkaClient({ brokers: [proxy.address], clientId: 'moved' });
  t.teardown(async () => {
    await moved.close();
    await proxy.close();
    await admin.deleteTopics([topic]);
    await client.close();
  });
  const producer = await client.producer({ clientId: 'coordinator' });
  const send = (partition: number, value: string) => producer.send([text(topic, partition, value)]);
  const { consumer, seen, records } = collecting(moved, `group-${topic}`, [topic], 'moved');
  await consumer.start();
  await send(0, 'before');
  await until(() => records().length === 1, 'the first record');
  const refused = new Set<number>();
  let joins = 0;
  proxy.answerInstead = (apiKey) => {
    if (apiKey === JOIN_GROUP) joins += 1;
    if ((apiKey !== HEARTBEAT && apiKey !== JOIN_GROUP) || refused.has(apiKey)) return undefined;
    if (apiKey === JOIN_GROUP && !refused.has(HEARTBEAT)) return undefined;
    refused.add(apiKey);
    return refusal(apiKey, apiKey === HEARTBEAT ? heartbeat : join);
  };
  await until(() => refused.size === 2, 'both refusals');
  return { client, topic, seen, records, send, joins: () => joins };
}

/**
 * Met when brokers restart: the group's coordinator moves (a heartbeat is refused), and the new one is still loading when the
 * consumer joins. kafkajs revokes, gives the join up, and goes on in the old generation, which the new coordinator knows:
 * heartbeats pass (without a member id none is sent), no GROUP_JOIN comes, and a consumer that waits for one is deaf for ever.
 */
for (const [why, heartbeat] of [
  ['moved', NOT_COORDINATOR],
  ['forgotten it', UNKNOWN_MEMBER_ID],
] as const) {
  test(`a consumer goes on after its coordinator has ${why} and was still loading`, async (t) => {
    const { seen, records, send, joins } = await refusedConsumer(t, heartbeat, COORDINATOR_LOADING);
    await send(1, 'after');
    // The first record is not committed and may come once more, before it.
    const later = () => records().filter(({ partition }) => partition === 1);
    await until(() => later().length > 0, 'a record after the coordinator moved', 8_000);
    t.is(later().length, 1);
    t.deepEqual(seen.fatal, []);
    // Nothing was handed over in what was revoked.
    const epochs = seen.batches.map(({ epoch }) => epoch);
    t.deepEqual(seen.events.filter((event) => event !== 'batch').slice(0, 3), ['assigned', 'revoked', 'assigned']);
    t.true(seen.events.lastIndexOf('assigned') < seen.events.lastIndexOf('batch'));
    t.false(seen.events.slice(seen.events.indexOf('revoked'), seen.events.indexOf('assigned', 1)).includes('batch'));
    t.is(epochs.at(-1), seen.assignments.at(-1)?.epoch);
    // The one that was refused, and the new member's: first without an id, then with the one that it was given.
    t.true(joins() <= 3, `${joins()} joins`);
  });
}

test('a consumer whose join is refused for good says so within 5 s', async (t) => {
  const { seen } = await refusedConsumer(t, NOT_COORDINATOR, GROUP_AUTHORIZATION_FAILED);
  await until(() => seen.fatal.length > 0, 'the end', 5_000);
  t.is(seen.revoked.length, 1);
  t.regex(String(seen.fatal[0]), /uthorized/);
});
