import { MAX_MESSAGE_BYTES } from '@volley/contract';
import { createLogger } from '@volley/runtime';
import { type StreamProducer, type StreamRecord, StreamUnavailable } from '@volley/stream';
import { createMemoryBroker } from '@volley/stream/memory';
import test from 'ava';
import { createDeliveryLog } from '../../src/adapters/delivery-log.ts';
import { type KeptEffect, unreadable } from '../../src/core/effect.ts';
import { until } from '../support.ts';

const DLQ = 't.messages.dlq';

const letter = (offset: number, value: Buffer): KeptEffect => {
  const record = { topic: 'm', partition: 0, offset, timestampMs: 0, key: Buffer.from('k'), value, headers: {} };
  return unreadable({ record, epoch: 1 }, 'undecodable', 'why', 1);
};
const small = (n: number) => letter(n, Buffer.from(`small ${n}`));

async function bench(maxBytes: number | undefined, wrap = (producer: StreamProducer) => producer) {
  const broker = createMemoryBroker();
  const client = broker.client();
  const admin = await client.admin();
  const create = (bytes: number) =>
    admin.ensureTopics([
      { topic: DLQ, partitions: 1, replicationFactor: 1, config: { 'max.message.bytes': String(bytes) } },
    ]);
  if (maxBytes !== undefined) await create(maxBytes);
  const counts = { cut: 0 };
  const log = createDeliveryLog({
    producer: wrap(await client.producer({ clientId: 'd' })),
    deliveriesTopic: 't.deliveries',
    deliveriesSchemaId: 3,
    dlqTopic: DLQ,
    random: () => 0,
    log: createLogger('test', 'silent'),
    onCut: () => void counts.cut++,
  });
  return {
    log,
    counts,
    create,
    async read() {
      const records: StreamRecord[] = [];
      const [bounds] = await admin.logBounds(DLQ);
      const ranges = [{ topic: DLQ, partition: 0, from: 0, to: bounds?.end ?? 0 }];
      await client.readRanges({ ranges, onRecord: (record) => void records.push(record) });
      return records;
    },
    async close() {
      log.close();
      await client.close();
    },
  };
}

test('a dead letter that the log refuses is cut, its neighbours are whole, and later ones are not held up', async (t) => {
  const b = await bench(MAX_MESSAGE_BYTES + 65_536);
  const inflated = Buffer.alloc(1_200_000, 7);
  const letters = [small(0), letter(1, inflated), small(2)];
  const places = await b.log.keep(letters);
  const records = await b.read();
  const at = (i: number) => records.find((record) => record.offset === places[i]?.offset);

  t.is(at(0)?.value?.toString(), 'small 0');
  t.is(at(2)?.value?.toString(), 'small 2');
  t.is(at(0)?.headers['volley-truncated'], undefined);
  const cut = at(1);
  t.is(cut?.value?.length, MAX_MESSAGE_BYTES - 1);
  t.deepEqual(cut?.value, inflated.subarray(0, cut?.value?.length));
  t.is(cut?.key?.toString(), 'k');
  t.is(cut?.headers['volley-truncated']?.toString(), '1');
  t.is(cut?.headers['volley-original-bytes']?.toString(), '1200000');
  t.is(cut?.headers['volley-origin']?.toString(), 'm/0/1/0');
  t.is(b.counts.cut, 1);
  t.is(b.log.problem(), undefined);

  await b.log.keep([small(3)]);
  t.is((await b.read()).at(-1)?.value?.toString(), 'small 3');
  await b.close();
});

test('a dead-letter topic with a smaller limit than ours gets less, down to the headers alone', async (t) => {
  for (const [limit, kept] of [
    [100_000, 65_536],
    [2_000, 0],
  ] as const) {
    const b = await bench(limit);
    await b.log.keep([letter(0, Buffer.alloc(1_200_000, 7))]);
    const [record, ...more] = await b.read();
    t.is((record?.key?.length ?? 0) + (record?.value?.length ?? 0), kept);
    t.is(record?.headers['volley-original-bytes']?.toString(), '1200000');
    t.deepEqual(more, []);
    t.is(b.counts.cut, 1);
    await b.close();
  }
});

test('a log that is away is waited for: nothing is cut because of it', async (t) => {
  let away = 3;
  const b = await bench(1_000_000, (producer) => ({
    ...producer,
    send: async (records) => {
      if (away-- > 0) throw new StreamUnavailable('away');
      return producer.send(records);
    },
  }));
  const places = b.log.keep([small(0), small(1)]);
  await until(() => b.log.problem() !== undefined);
  t.is((await places).length, 2);
  t.is(b.log.problem(), undefined);
  t.deepEqual(
    (await b.read()).map(({ value }) => value?.toString()),
    ['small 0', 'small 1'],
  );
  t.is(b.counts.cut, 0);
  await b.close();
});

test('a dead-letter topic that is missing is waited for, and gets everything whole when it is there', async (t) => {
  let exists = false;
  const b = await bench(1_000_000, (producer) => ({
    ...producer,
    send: (records) => producer.send(exists ? records : records.map((record) => ({ ...record, partition: 9 }))),
  }));
  const places = b.log.keep([small(0), small(1)]);
  await until(() => b.log.problem() !== undefined);
  t.is(b.log.problem(), 'the log takes no records: RecordRefused');
  exists = true;
  t.is((await places).length, 2);
  const records = await b.read();
  t.deepEqual(records.map(({ value }) => value?.toString()).sort(), ['small 0', 'small 1']);
  t.true(records.every(({ headers }) => headers['volley-truncated'] === undefined));
  t.is(b.counts.cut, 0);
  await b.close();
});
