import { DEAD_LETTER_HEADERS, groupsOf } from '@volley/contract';
import { createConsumerLoop, StreamUnavailable, type TrackedRecord } from '@volley/stream';
import test from 'ava';
import { createAuditLog } from '../src/audit-log.ts';
import { createTestLog, PARTITIONS, topics, until } from './support/log.ts';

const GROUP = groupsOf('t').sink;

async function world(maxLetters?: number) {
  const { broker, client, close } = await createTestLog();
  const producer = await client.producer({ clientId: 'p', deadlineMs: 2_000 });
  let read = 0;
  const counting: typeof client = {
    ...client,
    readRanges: (options) =>
      client.readRanges({
        ...options,
        onRecord(record) {
          read += 1;
          options.onRecord(record);
        },
      }),
  };
  const named = { topic: topics.deliveries, deadLetterTopic: topics.deliveriesDlq, groupId: GROUP };
  return {
    broker,
    client,
    close,
    read: () => read,
    log: createAuditLog({ client: counting, ...named, ...(maxLetters === undefined ? {} : { maxLetters }) }),
    events: (partition: number, n: number) =>
      producer.send(
        Array.from({ length: n }, () => ({ topic: topics.deliveries, partition, key: 'c', value: Buffer.from('x') })),
      ),
    letter: (partition: number, origin: string) =>
      producer.send([
        {
          ...{ topic: topics.deliveriesDlq, partition, key: 'c', value: Buffer.from('x') },
          headers: { [DEAD_LETTER_HEADERS.origin]: origin },
        },
      ]),
  };
}

test('bounds of the log, and where the sink is in it', async (t) => {
  const w = await world();
  await w.events(1, 3);
  t.deepEqual(await w.log.committed(), [-1, -1, -1]);
  const tracked: TrackedRecord[] = [];
  const loop = createConsumerLoop({
    client: w.client,
    groupId: GROUP,
    topics: [topics.deliveries],
    clientId: 'sink',
    commitIntervalMs: 5,
    handler: {
      onRecords: (records) => void tracked.push(...records),
      onPartitionStopped: (_, why) => t.fail(why),
      onFatal: (error) => {
        throw error;
      },
    },
  });
  await loop.start();
  await until('three records', () => tracked.length === 3);
  for (const one of tracked.slice(0, 2)) loop.settle(one);
  await until('a commit', async () => (await w.log.committed())[1] === 2);
  t.deepEqual(
    (await w.log.bounds()).map(({ start, end }) => [start, end]),
    [
      [0, 0],
      [0, 3],
      [0, 0],
    ],
  );
  await loop.stop(0);
  await w.close();
});

test('letters are counted by the offset they come from, however often they were written, and read once', async (t) => {
  const w = await world();
  t.is((await w.log.letters())?.size, 0);
  await w.letter(1, `${topics.deliveries}/1/7/1`);
  await w.letter(1, `${topics.deliveries}/1/7/1`);
  await w.letter(2, `${topics.deliveries}/2/7/1`);
  await w.letter(2, 'somewhere else');
  const first = await w.log.letters();
  t.deepEqual([...(first?.get(1) ?? [])], [7]);
  t.deepEqual([...(first?.get(2) ?? [])], [7]);
  await w.letter(1, `${topics.deliveries}/1/9/1`);
  // What was read before is remembered also when the log no longer has it.
  w.broker.truncate(topics.deliveriesDlq, 1, 2);
  t.deepEqual([...((await w.log.letters())?.get(1) ?? [])], [7, 9]);
  t.is(w.read(), 5);
  await w.close();
});

test('more letters than can be kept in memory are not known, rather than half of them', async (t) => {
  const w = await world(2);
  for (const offset of [1, 2]) await w.letter(0, `${topics.deliveries}/0/${offset}/1`);
  t.is((await w.log.letters())?.get(0)?.size, 2);
  await w.letter(0, `${topics.deliveries}/0/3/1`);
  t.is(await w.log.letters(), undefined);
  await w.close();
});

test('a record is dated while the log has it', async (t) => {
  const w = await world();
  await w.events(0, 3);
  t.true(((await w.log.appendedAtMs(0, 1)) ?? 0) > 0);
  w.broker.truncate(topics.deliveries, 0, 2);
  t.is(await w.log.appendedAtMs(0, 1), undefined);
  t.is(await w.log.appendedAtMs(0, 3), undefined);
  t.is(await w.log.appendedAtMs(PARTITIONS, 0), undefined);
  await w.close();
});

test('a log that is away says so, and answers when it is there again', async (t) => {
  const w = await world();
  w.broker.setAvailable(false);
  await t.throwsAsync(w.log.committed(), { instanceOf: StreamUnavailable });
  await t.throwsAsync(w.log.letters(), { instanceOf: StreamUnavailable });
  w.broker.setAvailable(true);
  t.deepEqual(await w.log.committed(), [-1, -1, -1]);
  await w.close();
});
