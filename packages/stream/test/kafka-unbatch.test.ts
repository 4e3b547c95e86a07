import { createRequire } from 'node:module';
import test from 'ava';
import fc from 'fast-check';
import { KafkaRecord } from '../src/adapters/kafka-batch.ts';
import { readHeadersInOneGo } from '../src/adapters/kafka-headers.ts';
import { type BatchContext, readRecordsInOneGo, recordReader } from '../src/adapters/kafka-unbatch.ts';

const load = createRequire(import.meta.url);
const DECODER = 'kafkajs/src/protocol/recordBatch/record/v0/decoder.js';
const Decoder = load('kafkajs/src/protocol/decoder.js') as new (buffer: Buffer) => { buffer: Buffer; offset: number };
const theirs = load(DECODER) as ReturnType<typeof recordReader>;
readHeadersInOneGo();

/** A record's own bytes, without its length. */
const bodyOf = (record: KafkaRecord): Buffer => {
  const decoder = new Decoder(record.buffer) as unknown as { readVarIntBytes(): Buffer };
  return decoder.readVarIntBytes();
};
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((b) => Buffer.from(b)),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constant(null),
);
const header = fc.oneof(
  fc.uint8Array({ maxLength: 20 }).map((b) => Buffer.from(b)),
  fc.string({ maxLength: 9 }),
);
const record = fc
  .record({
    offsetDelta: fc.nat(2 ** 31 - 1),
    timestampDelta: fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
    key: bytes,
    value: bytes,
    headers: fc.dictionary(fc.oneof(fc.string({ unit: 'binary', maxLength: 9 }), fc.constant('__proto__')), header),
  })
  .map((fields) => new KafkaRecord(fields as never));
const context: fc.Arbitrary<BatchContext> = fc.record({
  firstOffset: fc.nat(2 ** 50).map(String),
  firstTimestamp: fc.nat(2 ** 50).map(String),
  maxTimestamp: fc.nat(2 ** 50).map(String),
  timestampType: fc.constantFrom(0, 1),
  magicByte: fc.constant(2),
  isControlBatch: fc.boolean(),
});
const never = () => {
  throw new Error('kafkajs was asked');
};

test('a record is read as kafkajs reads it', (t) => {
  const ours = recordReader(never);
  fc.assert(
    fc.property(record, context, (r, c) => {
      const body = bodyOf(r);
      t.deepEqual(ours(new Decoder(body), c), theirs(new Decoder(body), c));
    }),
  );
});

test('what is cut off, or has more headers than bytes, is left to kafkajs', (t) => {
  const c = { firstOffset: '1', firstTimestamp: '1', maxTimestamp: '1' };
  const left: Buffer[] = [];
  const ours = recordReader((decoder) => {
    left.push(decoder.buffer);
    return {};
  });
  const whole = bodyOf(new KafkaRecord({ key: 'key', value: 'value', headers: { a: 'b' } }));
  for (let end = 0; end < whole.length; end++) ours(new Decoder(whole.subarray(0, end)), c);
  t.is(left.length, whole.length);
  ours(new Decoder(Buffer.from([0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f])), c);
  ours(new Decoder(Buffer.from([0, ...Array(9).fill(0xff), 1, 0, 1, 1, 0])), c);
  t.is(left.length, whole.length + 2);
  ours(new Decoder(whole), c);
  t.is(left.length, whole.length + 2);
});

test('an answer of a fetch is read with it, also in a process that has read one before', (t) => {
  const of = () => load('kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js') as object;
  const before = of();
  t.is(load(DECODER), theirs);
  readRecordsInOneGo();
  t.not(of(), before);
  t.not(load(DECODER), theirs);
});
