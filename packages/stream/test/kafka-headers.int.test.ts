import { randomUUID } from 'node:crypto';
import test from 'ava';
import kafkajs from 'kafkajs';
import { createKafkaClient } from '../src/adapters/kafka.ts';

const broker = process.env.VOLLEY_TEST_KAFKA ?? '';
if (broker === '') throw new Error('VOLLEY_TEST_KAFKA (host:port of a broker) is not set: `npm test` sets it');
const MANY = 50_000;

test('a record with 50,000 headers holds nobody up; odd names and repeated ones are headers like any other', async (t) => {
  const client = createKafkaClient({ brokers: [broker], clientId: 'headers' });
  const admin = await client.admin();
  const topic = `headers-${randomUUID().slice(0, 8)}`;
  await admin.ensureTopics([{ topic, partitions: 1, replicationFactor: 1, config: {} }]);
  const raw = new kafkajs.Kafka({ brokers: [broker], logLevel: kafkajs.logLevel.NOTHING }).producer();
  await raw.connect();
  t.teardown(async () => {
    await raw.disconnect();
    await admin.deleteTopics([topic]);
    await client.close();
  });
  const many = Object.fromEntries(Array.from({ length: MANY }, (_, i) => [`h${i}`, String(i)]));
  const odd = JSON.parse('{"__proto__":"a","constructor":"b","twice":["c","d"]}') as Record<string, string>;
  await raw.send({ topic, messages: [many, odd].map((headers) => ({ value: 'x', headers, partition: 0 })) });
  const read: Readonly<Record<string, Buffer>>[] = [];
  const startMs = performance.now();
  await client.readRanges({
    ranges: [{ topic, partition: 0, from: 0, to: 2 }],
    onRecord: ({ headers }) => void read.push(headers),
    deadlineMs: 30_000,
  });
  t.true(performance.now() - startMs < 15_000, `reading took ${Math.round(performance.now() - startMs)} ms`);
  t.is(Object.keys(read[0] ?? {}).length, MANY);
  t.is(read[0]?.[`h${MANY - 1}`]?.toString(), String(MANY - 1));
  t.deepEqual(
    Object.entries(read[1] ?? {}).map(([name, value]) => [name, value.toString()]),
    [
      ['__proto__', 'a'],
      ['constructor', 'b'],
      ['twice', 'd'],
    ],
  );
});
