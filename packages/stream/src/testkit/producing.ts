import { type Ack, type OutgoingRecord, RecordRefused, type StreamRecord } from '../port.ts';
import { type Declare, text, textOf, until } from './support.ts';

export function producing(declare: Declare): void {
  declare(
    'sends keep their order within a partition, however they are coalesced',
    async ({ t, client, name, topic }) => {
      const to = await topic(3);
      const producer = await client.producer({ clientId: name('producer'), maxBatchRecords: 50 });
      const sends: Promise<Ack[]>[] = [];
      const sent: OutgoingRecord[][] = [];
      for (let i = 0; i < 400; i++) {
        const records = Array.from({ length: 1 + (i % 5) }, (_, j) => text(to, (i + j) % 3, `${i}/${j}`));
        sent.push(records);
        sends.push(producer.send(records));
        if (i % 40 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      const acks = await Promise.all(sends);
      t.is(producer.pendingBytes(), 0);

      const admin = await client.admin();
      const ends = (await admin.logBounds(to)).map(({ end }) => end);
      const log = new Map<string, string>();
      await client.readRanges({
        ranges: ends.map((end, partition) => ({ topic: to, partition, from: 0, to: end })),
        onRecord: (record) => log.set(`${record.partition}/${record.offset}`, textOf(record)),
      });
      t.is(log.size, sent.flat().length);
      const lastOffsets = [-1, -1, -1];
      sent.forEach((records, call) => {
        records.forEach((record, i) => {
          const ack = acks[call]?.[i];
          t.is(ack?.partition, record.partition);
          t.is(log.get(`${ack?.partition}/${ack?.offset}`), record.value?.toString());
          t.true((ack?.offset ?? -1) > (lastOffsets[record.partition] as number));
          lastOffsets[record.partition] = ack?.offset ?? -1;
        });
      });
    },
  );

  declare('keys, values and headers come back byte for byte', async ({ t, client, name, topic }) => {
    const to = await topic(1);
    const odd = Buffer.from([0, 255, 254, 128, 10, 13]);
    const cases: Omit<OutgoingRecord, 'topic' | 'partition'>[] = [
      { key: odd, value: odd, headers: { odd, text: 'ünï 🎈', empty: '', none: Buffer.alloc(0) } },
      { key: null, value: null },
      { key: 'campaign', value: Buffer.alloc(0), headers: {} },
      { key: '', value: Buffer.from('x') },
      { key: 'k', value: Buffer.alloc(200_000, 7), headers: { ['__proto__']: 'kept' } },
    ];
    const producer = await client.producer({ clientId: name('producer') });
    await producer.send(cases.map((record) => ({ topic: to, partition: 0, ...record })));
    const read: StreamRecord[] = [];
    await client.readRanges({
      ranges: [{ topic: to, partition: 0, from: 0, to: cases.length }],
      onRecord: (record) => read.push(record),
    });
    const bytes = (from: string | Buffer | null) =>
      from === null ? null : Buffer.from(from as Buffer).toString('hex');
    t.deepEqual(
      read.map(({ key, value, headers }) => [bytes(key), bytes(value), hexHeaders(headers)]),
      cases.map(({ key, value, headers }) => [bytes(key), bytes(value), hexHeaders(headers ?? {})]),
    );
    t.true(read.every(({ timestampMs }) => Math.abs(timestampMs - Date.now()) < 60_000));
  });

  declare('what can never be written is refused, and its neighbours are not', async ({ t, client, name, topic }) => {
    const to = await topic(2, { 'max.message.bytes': '20000' });
    const producer = await client.producer({ clientId: name('producer') });
    const good = Array.from({ length: 10 }, (_, i) => producer.send([text(to, i % 2, `good ${i}`)]));
    const bad = [
      producer.send([text(to, 0, 'x'.repeat(30_000))]),
      producer.send([text(to, 2, 'no such partition')]),
      producer.send([text(name('nowhere'), 0, 'no such topic')]),
    ];
    const after = Array.from({ length: 10 }, (_, i) => producer.send([text(to, i % 2, `after ${i}`)]));
    const refusals = await Promise.allSettled(bad);
    for (const refusal of refusals) {
      t.true(refusal.status === 'rejected' && refusal.reason instanceof RecordRefused, JSON.stringify(refusal));
    }
    const acks = (await Promise.all([...good, ...after])).flat();
    for (const partition of [0, 1]) {
      const offsets = acks.filter((ack) => ack.partition === partition).map(({ offset }) => offset);
      t.deepEqual(
        offsets,
        Array.from({ length: 10 }, (_, i) => i),
      );
    }
    t.is(producer.pendingBytes(), 0);
  });

  declare('many small records above a topic limit together are written in several batches', async (bench) => {
    const { t, client, name } = bench;
    const to = await bench.topic(1, { 'max.message.bytes': '5000' });
    const producer = await client.producer({ clientId: name('producer') });
    const acks = await producer.send(Array.from({ length: 100 }, (_, i) => text(to, 0, `${i}`.padEnd(400, '.'))));
    t.deepEqual(
      acks.map(({ offset }) => offset),
      Array.from({ length: 100 }, (_, i) => i),
    );
  });

  declare('a compacted topic refuses a record without a key, and only that one', async ({ t, client, name, topic }) => {
    const to = await topic(1, { 'cleanup.policy': 'compact' });
    const producer = await client.producer({ clientId: name('producer') });
    const keyed = (key: string | null) => ({ topic: to, partition: 0, key, value: Buffer.from('v') });
    const results = await Promise.allSettled([
      producer.send([keyed('a')]),
      producer.send([keyed(null)]),
      producer.send([keyed('b')]),
    ]);
    t.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    t.true(results[1]?.status === 'rejected' && results[1].reason instanceof RecordRefused);
  });

  declare('closing waits for what is outstanding', async ({ t, client, name, topic }) => {
    const to = await topic(1);
    const producer = await client.producer({ clientId: name('producer') });
    const sends = Array.from({ length: 50 }, (_, i) => producer.send([text(to, 0, `${i}`)]));
    t.true(producer.pendingBytes() > 0);
    await producer.close();
    await producer.close();
    t.is((await Promise.all(sends)).length, 50);
    await t.throwsAsync(producer.send([text(to, 0, 'late')]), { name: 'StreamUnavailable' });
  });

  declare(
    'topics that exist are left, and a different partition count is named',
    async ({ t, client, name, topic }) => {
      const existing = await topic(2);
      const admin = await client.admin();
      const fresh = name('fresh');
      const spec = (of: string, partitions: number) => ({ topic: of, partitions, replicationFactor: 1, config: {} });
      const first = await admin.ensureTopics([spec(existing, 3), spec(fresh, 1)]);
      const second = await admin.ensureTopics([spec(existing, 2), spec(fresh, 1)]);
      t.deepEqual(first, { created: [fresh], mismatched: [{ topic: existing, partitions: 2 }] });
      t.deepEqual(second, { created: [], mismatched: [] });
      t.deepEqual(await admin.logBounds(existing), [
        { start: 0, end: 0 },
        { start: 0, end: 0 },
      ]);
      const kept = name('kept');
      const config = { 'cleanup.policy': 'compact', 'max.message.bytes': '123456' };
      await admin.ensureTopics([{ ...spec(kept, 1), config }]);
      await admin.ensureTopics([{ ...spec(kept, 1), config: { ...config, 'max.message.bytes': '99' } }]);
      const settings = await admin.topicSettings([kept, name('never-was')]);
      t.deepEqual([...settings.keys()], [kept]);
      t.like(settings.get(kept), config, 'what exists keeps its settings, and says them');
      await admin.deleteTopics([fresh, kept, name('never-was')]);
      t.is(await admin.clusterId(), await (await client.admin()).clusterId());
      // Brokers hear of it one after the other.
      const gone = () =>
        admin.logBounds(fresh).then(
          () => false,
          () => true,
        );
      await until(gone, 'the deletion');
    },
  );
}

function hexHeaders(headers: Readonly<Record<string, string | Buffer>>): [string, string][] {
  return Object.entries(headers)
    .map(([name, value]): [string, string] => [name, Buffer.from(value as Buffer).toString('hex')])
    .sort();
}
