import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import kafkajs, { type CompressionTypes } from 'kafkajs';
import { createKafkaClient } from '../src/adapters/kafka.ts';
import { collecting, text, textOf, until } from '../src/testkit/support.ts';

const broker = process.env.VOLLEY_TEST_KAFKA ?? '';
if (broker === '') throw new Error('VOLLEY_TEST_KAFKA (host:port of a broker) is not set: `npm test` sets it');
const { GZIP, Snappy, ZSTD } = kafkajs.CompressionTypes;

/** A topic and somebody who writes to it what we never would. */
async function foreign(t: ExecutionContext, config: Record<string, string>) {
  const client = createKafkaClient({ brokers: [broker], clientId: 'compression' });
  const admin = await client.admin();
  const topic = `compression-${randomUUID().slice(0, 8)}`;
  await admin.ensureTopics([{ topic, partitions: 1, replicationFactor: 1, config }]);
  const raw = new kafkajs.Kafka({ brokers: [broker], logLevel: kafkajs.logLevel.NOTHING }).producer();
  await raw.connect();
  t.teardown(async () => {
    await raw.disconnect();
    await admin.deleteTopics([topic]);
    await client.close();
  });
  const write = (compression: CompressionTypes, values: string[]) =>
    raw.send({ topic, compression, messages: values.map((value) => ({ value, partition: 0 })) });
  const read = async () => {
    const values: string[] = [];
    const [bound] = await admin.logBounds(topic);
    await client.readRanges({
      ranges: [{ topic, partition: 0, from: 0, to: bound?.end ?? 0 }],
      onRecord: (record) => values.push(textOf(record)),
      deadlineMs: 10_000,
    });
    return values;
  };
  return { client, topic, write, read };
}

for (const config of [{}, { 'compression.type': 'uncompressed' }]) {
  test(`batches that somebody compressed are read like any other ${JSON.stringify(config)}`, async (t) => {
    const { client, topic, write, read } = await foreign(t, config);
    await write(GZIP, ['a', 'b']);
    await write(ZSTD, ['c', 'd']);
    const producer = await client.producer({ clientId: 'ours' });
    await producer.send([text(topic, 0, 'e')]);
    t.deepEqual(await read(), ['a', 'b', 'c', 'd', 'e']);
    const { consumer, seen, records } = collecting(client, `group-${topic}`, [topic], 'reader');
    await consumer.start();
    await until(() => records().length === 5, 'all records');
    t.deepEqual(records().map(textOf), ['a', 'b', 'c', 'd', 'e']);
    t.deepEqual(seen.fatal, []);
  });
}

/** Snappy's format allows for not compressing at all: the length as a varint, then one literal (tag 61: two bytes of length). */
function snappyOf({ buffer }: { buffer: Buffer }): Buffer {
  const length = buffer.length;
  const head = [(length & 0x7f) | 0x80, length >> 7, 61 << 2, (length - 1) & 0xff, (length - 1) >> 8];
  return Buffer.concat([Buffer.from(head), buffer]);
}

test('a topic that converts is read although somebody wrote to it what no reader can decompress', async (t) => {
  kafkajs.CompressionCodecs[Snappy] = () => ({
    compress: async (encoder: { buffer: Buffer }) => snappyOf(encoder),
    decompress: () => Promise.reject(new Error('nobody reads this')),
  });
  const { write, read } = await foreign(t, { 'compression.type': 'uncompressed' });
  await write(Snappy, ['x'.repeat(500)]);
  t.deepEqual(await read(), ['x'.repeat(500)]);
  const { write: writeAsItIs, topic, client } = await foreign(t, {});
  await writeAsItIs(Snappy, ['x'.repeat(500)]);
  const ranges = [{ topic, partition: 0, from: 0, to: 1 }];
  await t.throwsAsync(client.readRanges({ ranges, onRecord: () => {}, deadlineMs: 500 }), {
    name: 'StreamUnavailable',
  });
});

test('a topic that converts refuses a small batch that becomes larger than it takes', async (t) => {
  const limits = { 'compression.type': 'uncompressed', 'max.message.bytes': '100000' };
  const { write, read } = await foreign(t, limits);
  await write(GZIP, ['small']);
  const error = await t.throwsAsync(write(GZIP, ['x'.repeat(1_000_000)]));
  t.regex(error?.message ?? '', /larger than the max message size|too large|RecordTooLarge/i);
  t.deepEqual(await read(), ['small']);
});
