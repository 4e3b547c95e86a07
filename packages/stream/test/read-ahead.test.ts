import test from 'ava';
import type { TopicPartition } from '../src/port.ts';
import { createReadAhead, type Held } from '../src/read-ahead.ts';

const KIB = 1024;

function setUp(maxBytes: number, assigned: number) {
  const calls: string[] = [];
  const fetching = {
    pause: ({ partition }: TopicPartition) => calls.push(`pause ${partition}`),
    resume: ({ partition }: TopicPartition) => calls.push(`resume ${partition}`),
  };
  const ahead = createReadAhead(maxBytes, fetching);
  ahead.reset(assigned);
  const partitions: Held[] = Array.from({ length: assigned }, (_, partition) => ({
    topic: 't',
    partition,
    bytes: 0,
    paused: false,
  }));
  const take = (partition: number, bytes: number) => {
    const held = partitions[partition] as Held;
    ahead.grew(held, bytes);
    ahead.pauseIfFull(held);
  };
  const give = (partition: number, bytes: number) => ahead.shrank(partitions[partition] as Held, bytes);
  return { calls, take, give };
}

test('the only partition that holds anything may hold all', (t) => {
  const { calls, take } = setUp(1_000 * KIB, 4);
  take(0, 1_000 * KIB);
  t.deepEqual(calls, []);
  take(0, 1);
  t.deepEqual(calls, ['pause 0']);
});

test('a partition beside a full one is still read, up to its part', (t) => {
  const { calls, take } = setUp(1_000 * KIB, 4);
  take(0, 1_001 * KIB);
  take(1, 120 * KIB);
  t.deepEqual(calls, ['pause 0']);
  take(1, 10 * KIB);
  t.deepEqual(calls, ['pause 0', 'pause 1']);
});

test('it goes on below half of its part, although the other is still full', (t) => {
  const { calls, take, give } = setUp(1_000 * KIB, 4);
  take(0, 1_001 * KIB);
  take(1, 130 * KIB);
  give(1, 60 * KIB);
  t.deepEqual(calls, ['pause 0', 'pause 1']);
  give(1, 10 * KIB);
  t.deepEqual(calls, ['pause 0', 'pause 1', 'resume 1']);
});

test('alone it goes on below half of the bound', (t) => {
  const { calls, take, give } = setUp(1_000 * KIB, 4);
  take(0, 1_100 * KIB);
  give(0, 500 * KIB);
  t.deepEqual(calls, ['pause 0']);
  give(0, 101 * KIB);
  t.deepEqual(calls, ['pause 0', 'resume 0']);
});

test('no part is smaller than 64 KiB, however many partitions share a small bound', (t) => {
  const { calls, take } = setUp(64 * KIB, 100);
  take(0, 64 * KIB);
  take(1, 64 * KIB);
  t.deepEqual(calls, []);
  take(1, 1);
  t.deepEqual(calls, ['pause 1']);
});
