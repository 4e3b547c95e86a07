import test from 'ava';
import type { Cluster } from 'kafkajs';
import { type Cursor, fetchLoop } from '../src/adapters/kafka-fetch.ts';

interface Asked {
  topic: string;
  partitions: { partition: number; fetchOffset: string }[];
}

/** A broker whose partitions hold records at these offsets; `room` bounds the records of one answer over all partitions. */
function fakeCluster(logs: Record<number, { offsets: number[]; end: number }>, room = Infinity) {
  const requests: string[] = [];
  let failures: Error[] = [];
  const broker = {
    async fetch({ topics }: { topics: Asked[] }) {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      let left = room;
      const asked = topics.flatMap(({ partitions }) => partitions);
      requests.push(asked.map(({ partition, fetchOffset }) => `${partition}@${fetchOffset}`).join(' '));
      const partitions = asked.map(({ partition, fetchOffset }) => {
        const log = logs[partition] ?? { offsets: [], end: 0 };
        const messages = log.offsets
          .filter((offset) => offset >= Number(fetchOffset))
          .slice(0, left)
          .map((offset) => ({ offset: `${offset}`, key: null, value: Buffer.from(`${offset}`), timestamp: '0' }));
        left -= messages.length;
        return { partition, errorCode: 0, highWatermark: `${log.end}`, messages };
      });
      return { responses: [{ topicName: 't', partitions }] };
    },
  };
  const cluster = {
    refreshMetadataIfNecessary: async () => {},
    refreshMetadata: async () => {},
    removeBroker: () => {},
    findLeaderForPartitions: (_: string, [partition]: number[]) => ({ '1': [partition] }),
    findBroker: async () => broker,
  } as unknown as Cluster;
  const failWith = (...errors: Error[]) => {
    failures = errors;
  };
  return { cluster, requests, failWith };
}

const cursor = (partition: number, next: number, until: number): Cursor => ({ topic: 't', partition, next, until });

async function readAll(cluster: Cluster, cursors: Cursor[], logged: string[] = []): Promise<string[]> {
  const read: string[] = [];
  await fetchLoop(
    cluster,
    cursors,
    () => 1,
    ({ partition, offset }) => read.push(`${partition}@${offset}`),
    () => {},
    (_, message, fields) => logged.push(`${message} ${fields.failuresInARow}`),
  ).finished;
  return read;
}

test('a batch without records, left by the cleaner, does not hold a reader for ever', async (t) => {
  const { cluster } = fakeCluster({ 0: { offsets: [0, 1], end: 6 } });
  const at = cursor(0, 0, 6);
  t.deepEqual(await readAll(cluster, [at]), ['0@0', '0@1']);
  t.is(at.next, 6);
});

test('an answer that other partitions used up is not taken for an empty batch', async (t) => {
  const { cluster, requests } = fakeCluster({ 0: { offsets: [0, 1], end: 2 }, 1: { offsets: [0, 1], end: 2 } }, 1);
  const read = await readAll(cluster, [cursor(0, 0, 2), cursor(1, 0, 2)]);
  t.deepEqual([...read].sort(), ['0@0', '0@1', '1@0', '1@1']);
  t.true(requests.includes('1@0'));
});

test('reading ends at the end of the range, also where that offset was compacted away', async (t) => {
  const { cluster } = fakeCluster({ 0: { offsets: [0, 3, 9], end: 10 } });
  t.deepEqual(await readAll(cluster, [cursor(0, 1, 5)]), ['0@3']);
});

test('a broker that is away is asked again', async (t) => {
  const { cluster, failWith } = fakeCluster({ 0: { offsets: [0], end: 1 } });
  failWith(new Error('ECONNREFUSED'), new Error('NOT_LEADER_FOR_PARTITION'));
  const logged: string[] = [];
  t.deepEqual(await readAll(cluster, [cursor(0, 0, 1)], logged), ['0@0']);
  t.deepEqual(logged, []);
});

test('an answer that cannot be read again and again is said, and not at every attempt', async (t) => {
  const { cluster, failWith } = fakeCluster({ 0: { offsets: [0], end: 1 } });
  failWith(...Array.from({ length: 11 }, () => new Error('LZ4 compression not implemented')));
  const logged: string[] = [];
  t.deepEqual(await readAll(cluster, [cursor(0, 0, 1)], logged), ['0@0']);
  t.deepEqual(logged, ['reading fails again and again 5', 'reading fails again and again 10']);
});

test('a position that the log no longer has ends the reading', async (t) => {
  const { cluster, failWith } = fakeCluster({ 0: { offsets: [5], end: 6 } });
  failWith(Object.assign(new Error('gone'), { type: 'OFFSET_OUT_OF_RANGE' }));
  await t.throwsAsync(readAll(cluster, [cursor(0, 0, 6)]), { message: 'gone' });
});
