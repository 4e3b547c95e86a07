import { createRequire } from 'node:module';
import test from 'ava';
import fc from 'fast-check';
import {
  type BatchFields,
  batchWith,
  encodeBatchesInOneGo,
  KafkaRecord,
  type RecordFields,
  sortedInOneGo,
} from '../src/adapters/kafka-batch.ts';

const load = createRequire(import.meta.url);
/** kafkajs' own, kept before ours take their place. */
const theirRecord = load('kafkajs/src/protocol/recordBatch/record/v0/index.js') as (f: RecordFields) => {
  buffer: Buffer;
};
const theirs = load('kafkajs/src/protocol/recordBatch/v0/index.js') as {
  RecordBatch: (f: object) => Promise<{ buffer: Buffer; buf: Buffer; size(): number }>;
};
const theirBatch = theirs.RecordBatch;
const crc32c = load('kafkajs/src/protocol/recordBatch/crc32C/index.js') as (b: Buffer) => number;

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constant('x'.repeat(9_000)));
const bytes = fc.uint8Array({ maxLength: 300 }).map((b) => Buffer.from(b));
const header = fc.oneof(text, bytes, fc.array(fc.oneof(text, bytes), { maxLength: 3 }));
const fields: fc.Arbitrary<RecordFields> = fc.record(
  {
    offsetDelta: fc.nat(100_000),
    timestampDelta: fc.oneof(fc.nat(), fc.integer({ min: -5, max: 5 }), fc.nat(2 ** 40)),
    key: fc.oneof(text, bytes, fc.constant(null)),
    value: fc.oneof(text, bytes, fc.constant(null)),
    headers: fc.dictionary(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }), header, { maxKeys: 5 }),
  },
  { requiredKeys: ['key', 'value'] },
) as never;

test('a record has the bytes that kafkajs gives it', (t) => {
  fc.assert(
    fc.property(fields, (f) => {
      t.deepEqual(new KafkaRecord(f).buffer, theirRecord(f).buffer);
    }),
  );
});

const head = fc.record({
  firstTimestamp: fc.nat(2 ** 45),
  maxTimestamp: fc.nat(2 ** 45),
  producerEpoch: fc.nat(1_000),
  firstSequence: fc.nat(2 ** 30),
  transactional: fc.boolean(),
});

test('a batch has the bytes that kafkajs gives it, checksum and all', async (t) => {
  const ours = batchWith(theirBatch as never, crc32c);
  await fc.assert(
    fc.asyncProperty(head, fc.array(fields, { minLength: 1, maxLength: 20 }), async (h, all) => {
      const common = { ...h, lastOffsetDelta: all.length - 1 };
      const batch = await ours({ ...common, records: all.map((f) => new KafkaRecord(f)) } as BatchFields);
      const expected = await theirBatch({ ...common, records: all.map((f) => theirRecord(f)) });
      t.deepEqual(batch.buffer, expected.buffer);
      t.is(batch.size(), expected.size());
    }),
    { numRuns: 50 },
  );
});

test('a compressed batch is left to kafkajs, which takes our records for its own', async (t) => {
  const ours = batchWith(theirBatch as never, crc32c);
  const f: RecordFields = { key: 'k', value: Buffer.from('v'.repeat(200)), headers: { a: 'b' } };
  const gzip = 1;
  const batch = await ours({
    compression: gzip,
    firstTimestamp: 1,
    maxTimestamp: 1,
    records: [new KafkaRecord(f)],
  } as never);
  const expected = await theirBatch({
    compression: gzip,
    firstTimestamp: 1,
    maxTimestamp: 1,
    records: [theirRecord(f)],
  });
  t.deepEqual(batch.buffer, expected.buffer);
});

test('a produce request is made of them, also in a process that has made one before', async (t) => {
  const produce = load('kafkajs/src/protocol/requests/produce/index.js') as {
    protocol(o: { version: number }): (fields: object) => { request: { encode(): Promise<{ buffer: Buffer }> } };
  };
  const messages = [{ key: 'k', value: Buffer.from('v'), headers: { h: 'x' } }];
  const topicData = [{ topic: 't', partitions: [{ partition: 3, firstSequence: 7, messages }] }];
  const encode = () =>
    produce.protocol({ version: 7 })({ acks: -1, timeout: 1, producerId: '5', topicData }).request.encode();
  await encode();
  encodeBatchesInOneGo();
  let made = 0;
  const batches = load('kafkajs/src/protocol/recordBatch/v0/index.js') as typeof theirs;
  const { RecordBatch } = batches;
  batches.RecordBatch = (f) => {
    made++;
    return RecordBatch(f);
  };
  const encoded = (await encode()).buffer;
  batches.RecordBatch = RecordBatch;
  t.is(made, 1);
  const record = new KafkaRecord(messages[0] as RecordFields);
  t.true(encoded.includes(record.buffer));
  t.true(
    (load('kafkajs/src/protocol/recordBatch/record/v0/index.js') as typeof theirRecord)({}) instanceof KafkaRecord,
  );
});

test('messages are sorted by partition as kafkajs does it, and the partitioner is asked of each partition', (t) => {
  const group = load('kafkajs/src/producer/groupMessagesPerPartition.js') as (o: object) => Record<number, object[]>;
  const messages = [3, 1, 3, 0, 1, 3].map((partition, n) => ({ partition, n }));
  const asked: number[] = [];
  const o = {
    topic: 't',
    partitionMetadata: [{}],
    partitioner: ({ message }: { message: { partition: number } }) => {
      asked.push(message.partition);
      return message.partition;
    },
  };
  const theirs = group({ ...o, messages: [...messages] });
  t.is(asked.splice(0).length, 6);
  t.deepEqual(group({ ...o, messages: sortedInOneGo([...messages]) }), theirs);
  t.deepEqual(asked, [3, 1, 0]);
  const refuses = () => {
    throw new Error('moved');
  };
  t.throws(() => group({ ...o, partitioner: refuses, messages: sortedInOneGo([...messages]) }), { message: 'moved' });
});
