import { GroupInUse, type OutgoingRecord, type StreamRecord, TopicMissing } from '../port.ts';
import { collecting, type Declare, text, textOf, until } from './support.ts';

export function reading(declare: Declare): void {
  declare('topics that do not exist are named to whoever begins to read them', async ({ t, client, name, topic }) => {
    const there = await topic(1);
    const [gone, lost] = [name('gone'), name('lost')];
    const admin = await client.admin();
    const { consumer, seen } = collecting(client, name('group'), [gone, there, lost], name('one'));
    const asked = [
      [consumer.start(), [gone, lost]],
      [client.follow({ topic: gone, clientId: name('f'), onRecord: () => {}, onFatal: () => {} }), [gone]],
      [admin.logBounds(gone), [gone]],
      [admin.offsetsAt(gone, 0), [gone]],
      [admin.committed(name('group'), gone), [gone]],
    ] as const;
    for (const [answer, topics] of asked) {
      const error = await t.throwsAsync<TopicMissing>(answer, { instanceOf: TopicMissing });
      t.deepEqual([...(error?.topics ?? [])].sort(), [...topics].sort());
      for (const one of topics) t.true(error?.message.includes(one));
    }
    t.deepEqual(seen.fatal, []);
    t.is((await admin.logBounds(there)).length, 1);
  });

  declare('a follower hands over all partitions, says when it has caught up, and goes on', async (bench) => {
    const { t, client, name } = bench;
    const topic = await bench.topic(3, { 'cleanup.policy': 'compact' });
    const producer = await client.producer({ clientId: name('producer') });
    const keyed = (partition: number, key: string, value: string | null): OutgoingRecord => ({
      topic,
      partition,
      key,
      value: value === null ? null : Buffer.from(value),
    });
    await producer.send([keyed(0, 'a', '1'), keyed(0, 'b', '1'), keyed(0, 'a', null), keyed(1, 'c', '1')]);
    const records: StreamRecord[] = [];
    const fatal: Error[] = [];
    const follower = await client.follow({
      topic,
      clientId: name('follower'),
      onRecord: (record) => records.push(record),
      onFatal: (error) => fatal.push(error),
    });
    await follower.caughtUp;
    const seen = () => records.map(({ partition, key, value }) => `${partition} ${key} ${value}`);
    t.deepEqual(
      seen().filter((line) => line.startsWith('0')),
      ['0 a 1', '0 b 1', '0 a null'],
    );
    t.is(records.length, 4);
    await producer.send([keyed(2, 'd', '1')]);
    await until(() => records.length === 5, 'the live record');
    t.is(seen()[4], '2 d 1');
    await follower.stop();
    await follower.stop();
    await producer.send([keyed(2, 'e', '1')]);
    t.is(records.length, 5);
    t.deepEqual(fatal, []);
  });

  declare('an empty log, and one that retention emptied, are caught up with at once', async (bench) => {
    const { t, client, name, harness } = bench;
    const topic = await bench.topic(2);
    await bench.fill(topic, 1, 10);
    await harness.truncate(topic, 1, 10);
    const records: StreamRecord[] = [];
    const follower = await client.follow({
      topic,
      clientId: name('follower'),
      onRecord: (record) => records.push(record),
      onFatal: (error) => t.fail(error.message),
    });
    await follower.caughtUp;
    t.is(records.length, 0);
    await bench.fill(topic, 1, 1);
    await until(() => records.length === 1, 'the live record');
    t.is(records[0]?.offset, 10);
    await follower.stop();
  });

  declare('a follower whose handler throws ends as fatal', async ({ t, client, name, topic, fill }) => {
    const from = await topic(1);
    await fill(from, 0, 2);
    const fatal: Error[] = [];
    let calls = 0;
    const follower = await client.follow({
      topic: from,
      clientId: name('follower'),
      onRecord() {
        calls += 1;
        throw new Error('cannot take it');
      },
      onFatal: (error) => fatal.push(error),
    });
    await t.throwsAsync(follower.caughtUp, { message: 'cannot take it' });
    await until(() => fatal.length > 0, 'the fatal error');
    t.is(calls, 1);
    await follower.stop();
  });

  declare('ranges are read exactly, once, in order, and leave no group behind', async ({ t, client, name, topic }) => {
    const from = await topic(3);
    const producer = await client.producer({ clientId: name('producer') });
    await producer.send(Array.from({ length: 3_000 }, (_, i) => text(from, i % 3, `${Math.floor(i / 3)}`)));
    const read = new Map<number, StreamRecord[]>([
      [0, []],
      [1, []],
      [2, []],
    ]);
    await client.readRanges({
      ranges: [
        { topic: from, partition: 0, from: 17, to: 900 },
        { topic: from, partition: 1, from: 999, to: 1_000 },
        { topic: from, partition: 2, from: 5, to: 5 },
      ],
      onRecord: (record) => read.get(record.partition)?.push(record),
    });
    t.deepEqual(
      read.get(0)?.map(({ offset }) => offset),
      Array.from({ length: 883 }, (_, i) => 17 + i),
    );
    t.is(textOf(read.get(0)?.[0] as StreamRecord), '17');
    t.deepEqual(read.get(1)?.map(textOf), ['999']);
    t.is(read.get(2)?.length, 0);
  });

  declare('a read whose handler throws ends there, with that error', async ({ t, client, topic, fill }) => {
    const from = await topic(2);
    for (const partition of [0, 1]) await fill(from, partition, 10);
    let read = 0;
    const enough = new Error('enough');
    const onRecord = () => {
      read += 1;
      if (read === 3) throw enough;
    };
    const ranges = [0, 1].map((partition) => ({ topic: from, partition, from: 0, to: 10 }));
    t.is(await t.throwsAsync(client.readRanges({ ranges, onRecord })), enough);
    t.is(read, 3);
  });

  declare('a range that the log no longer or not yet has is an error', async ({ t, client, harness, topic, fill }) => {
    const from = await topic(1);
    await fill(from, 0, 10);
    await harness.truncate(from, 0, 4);
    const read = (low: number, high: number) =>
      client.readRanges({ ranges: [{ topic: from, partition: 0, from: low, to: high }], onRecord: () => {} });
    await t.throwsAsync(read(3, 8), { instanceOf: RangeError });
    await t.throwsAsync(read(5, 11), { instanceOf: RangeError });
    await t.notThrowsAsync(read(4, 10));
    const admin = await client.admin();
    t.deepEqual(await admin.logBounds(from), [{ start: 4, end: 10 }]);
  });

  declare('a time is an offset: of the first record taken then or later, or the end', async (bench) => {
    const { t, client, harness } = bench;
    const topic = await bench.topic(3, { 'message.timestamp.type': 'LogAppendTime' });
    await bench.fill(topic, 0, 3);
    const admin = await client.admin();
    const read: StreamRecord[] = [];
    const times = async () => {
      read.length = 0;
      const { start, end } = (await admin.logBounds(topic))[0] as { start: number; end: number };
      const onRecord = (record: StreamRecord) => void read.push(record);
      await client.readRanges({ ranges: [{ topic, partition: 0, from: start, to: end }], onRecord });
      return read.map(({ timestampMs }) => timestampMs);
    };
    const [first = 0] = await times();
    await until(() => Date.now() > first + 5, 'a later millisecond');
    await bench.fill(topic, 0, 2);
    await bench.fill(topic, 2, 1);
    const taken = await times();
    const later = taken[3] as number;
    t.true(later > (taken[2] as number));
    t.deepEqual(await admin.offsetsAt(topic, 0), [0, 0, 0]);
    t.deepEqual(await admin.offsetsAt(topic, first), [0, 0, 0]);
    t.is((await admin.offsetsAt(topic, (taken[2] as number) + 1))[0], 3);
    t.is((await admin.offsetsAt(topic, later))[0], 3);
    t.deepEqual(await admin.offsetsAt(topic, Date.now() + 3_600_000), [5, 0, 1]);
    await harness.truncate(topic, 0, 4);
    t.is((await admin.offsetsAt(topic, first))[0], 4);
    await harness.truncate(topic, 0, 5);
    t.is((await admin.offsetsAt(topic, first))[0], 5);
  });

  declare('who is in a group is known', async (bench) => {
    const { t, client, name } = bench;
    const from = await bench.topic(2);
    const admin = await client.admin();
    t.deepEqual(await admin.members(name('group')), []);
    const one = collecting(client, name('group'), [from], name('one'));
    await one.consumer.start();
    await until(() => one.seen.assignments.length > 0, 'one is in');
    t.deepEqual(await admin.members(name('group')), [name('one')]);
    const two = collecting(client, name('group'), [from], name('two'));
    await two.consumer.start();
    await until(() => two.seen.assignments.length > 0, 'two is in');
    t.deepEqual((await admin.members(name('group'))).sort(), [name('one'), name('two')]);
    await one.consumer.stop();
    await two.consumer.stop();
    await until(async () => (await admin.members(name('group'))).length === 0, 'both have left');
  });

  declare('offsets of a group are set, and the group deleted, while nobody is in it', async (bench) => {
    const { t, client, name } = bench;
    const from = await bench.topic(2);
    await bench.fill(from, 1, 10);
    const admin = await client.admin();
    await admin.deleteGroup(name('group'));
    await admin.setCommitted(name('group'), [{ topic: from, partition: 1, offset: 6, metadata: 'here' }]);
    const found = [
      { offset: -1, metadata: '' },
      { offset: 6, metadata: 'here' },
    ];
    t.deepEqual(await admin.committed(name('group'), from), found);
    const { consumer, records, seen } = collecting(client, name('group'), [from], name('member'));
    await consumer.start();
    await until(() => records().length === 4, 'the rest');
    t.is(seen.assignments[0]?.partitions[1]?.metadata, 'here');
    const entry = { topic: from, partition: 1, offset: 0 };
    await t.throwsAsync(admin.setCommitted(name('group'), [entry]), { instanceOf: GroupInUse });
    await t.throwsAsync(admin.deleteGroup(name('group')), { instanceOf: GroupInUse });
    t.deepEqual(await admin.committed(name('group'), from), found);
    await consumer.stop();
    await admin.deleteGroup(name('group'));
    t.is((await admin.committed(name('group'), from))[1]?.offset, -1);
  });
}
