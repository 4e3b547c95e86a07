import { createFailpoints } from '@volley/runtime';
import { createMemoryBroker } from '@volley/stream/memory';
import test from 'ava';
import { createMemoryRowStore } from '../src/adapters/row-store-memory.ts';
import type { RowStore } from '../src/ports.ts';
import { columnOf, committedBy, eventsOf, limits, offsetsIn, upTo } from './rows.ts';
import { encode, event, makeTopics, SCHEMA_ID, startRig, until } from './support.ts';

async function brokerWithTopics(partitions = 2) {
  const broker = createMemoryBroker();
  await makeTopics(broker, partitions);
  return broker;
}
test('every event becomes one row, in ranges that follow each other, and is committed after it', async (t) => {
  const store = createMemoryRowStore();
  const rig = await startRig(await brokerWithTopics(), store);
  await rig.write(eventsOf(250), 0);
  await rig.write(eventsOf(30, 1_000), 1);
  await until('all committed', committedBy(rig, 250, 30));
  t.is(store.rows().length, 280);
  for (const partition of [0, 1]) {
    const ranges = store.ranges().filter((r) => r.partition === partition);
    ranges.forEach((r, i) => {
      t.is(r.from, ranges[i - 1]?.to ?? 0);
      t.is(r.rows.count, r.to - r.from);
      t.true(r.rows.count <= 100);
    });
  }
  t.deepEqual(rig.fatals, []);
  await rig.stop();
});

test('what cannot be decoded becomes a dead letter with its bytes and reason, and leaves a gap in the rows', async (t) => {
  const store = createMemoryRowStore();
  const rig = await startRig(await brokerWithTopics(), store, { limits: { ...limits, lingerMs: 20 } });
  const good = encode(event(9));
  const otherSchema = Buffer.from(good);
  otherSchema.writeUInt32BE(SCHEMA_ID + 1, 1);
  const bad: [Buffer | null, string][] = [
    [Buffer.from('not avro'), 'undecodable'],
    [null, 'undecodable'],
    [good.subarray(0, good.length - 3), 'undecodable'],
    [Buffer.concat([good, Buffer.from('x')]), 'undecodable'],
    [encode({ ...event(9), message_id: 'no id' }), 'undecodable'],
    [encode({ ...event(9), occurred_at: 0 }), 'undecodable'],
    [otherSchema, 'unknown_schema'],
  ];
  await rig.write([...eventsOf(5), ...bad.map(([value]) => value), ...eventsOf(5, 20)], 1);
  await until('all committed', committedBy(rig, -1, 17));
  t.deepEqual(offsetsIn(store), [0, 1, 2, 3, 4, 12, 13, 14, 15, 16]);
  const letters = await rig.deadLetters();
  t.is(letters.length, bad.length);
  bad.forEach(([value, reason], i) => {
    const letter = letters[i];
    t.is(letter?.partition, 1);
    t.is(letter?.value, value?.toString('latin1') ?? 'null');
    t.is(letter?.headers['volley-reason'], reason);
    t.regex(letter?.headers['volley-origin'] ?? '', new RegExp(`^deliveries/1/${5 + i}/\\d+$`));
  });
  await rig.stop();
});

test('a range of nothing but dead letters is committed without an insert', async (t) => {
  const store = createMemoryRowStore();
  const rig = await startRig(await brokerWithTopics(), store);
  await rig.write([Buffer.from('a'), Buffer.from('b')]);
  await until('committed', committedBy(rig, 2));
  t.is(store.ranges().length, 0);
  // Distinct ones: a machine that stands still may have one written again.
  t.is(new Set((await rig.deadLetters()).map(({ value }) => String(value))).size, 2);
  await rig.stop();
});

test('a dead letter that the log does not take holds its range: no insert, no commit, until it does', async (t) => {
  const broker = await brokerWithTopics();
  const store = createMemoryRowStore();
  const rig = await startRig(broker, store);
  const client = broker.client();
  const admin = await client.admin();
  await admin.deleteTopics(['deliveries-dlq']);
  await rig.write([...eventsOf(3), Buffer.from('bad'), ...eventsOf(3, 10)]);
  await until('it is tried again', () => rig.pipeline.failing().some(({ what }) => what.startsWith('dead_letters 0')));
  t.is(store.ranges().length, 0);
  t.deepEqual(await rig.committed(), [0, -1]);
  await makeTopics(broker);
  await until('committed', committedBy(rig, 7));
  t.deepEqual(offsetsIn(store), [0, 1, 2, 4, 5, 6]);
  t.is((await rig.deadLetters()).length, 1);
  t.deepEqual(rig.pipeline.failing(), []);
  await rig.stop();
});

test('a dead letter that the log never takes whole goes there cut, beside the others, and holds nothing', async (t) => {
  const broker = createMemoryBroker();
  await makeTopics(broker, 2, { 'max.message.bytes': '30000' });
  const store = createMemoryRowStore();
  const rig = await startRig(broker, store, { limits: { ...limits, lingerMs: 50 } });
  const large = Buffer.alloc(50_000, 'L');
  await rig.write([
    ...eventsOf(3),
    Buffer.from('one'),
    large,
    Buffer.from('two'),
    Buffer.from('three'),
    ...eventsOf(3, 10),
  ]);
  await until('committed', committedBy(rig, 10));
  t.deepEqual(offsetsIn(store), [0, 1, 2, 7, 8, 9]);
  const letters = await rig.deadLetters();
  // A set: what lay before the refused one in its call may be there once more, with the same origin.
  const found = new Set(letters.map(({ value }) => value.slice(0, 5)));
  t.deepEqual([...found].sort(), ['LLLLL', 'one', 'three', 'two']);
  const cut = letters.find(({ value }) => value.startsWith('L'));
  t.is(cut?.value, large.toString().slice(0, cut?.value.length));
  t.true((cut?.value.length ?? 0) > 10_000);
  t.is(cut?.headers['volley-truncated'], '1');
  t.is(cut?.headers['volley-original-bytes'], '50000');
  t.regex(cut?.headers['volley-origin'] ?? '', /^deliveries\/0\/4\//);
  t.true(letters.every(({ value, headers }) => value.startsWith('L') || !('volley-truncated' in headers)));
  await rig.stop();
});

test('while the registry is away the partition waits in order, and nothing becomes a dead letter', async (t) => {
  const store = createMemoryRowStore();
  const broker = await brokerWithTopics();
  const rig = await startRig(broker, store);
  rig.schemas.state.away = true;
  await rig.write(eventsOf(20));
  await rig.write(eventsOf(20, 100));
  await until('it was asked more than once', () => rig.schemas.state.asked > 2);
  t.is(store.rows().length, 0);
  t.true(rig.pipeline.failing().some(({ what }) => what === `schema ${SCHEMA_ID}`));
  rig.schemas.state.away = false;
  await until('committed', committedBy(rig, 40));
  t.deepEqual(
    store.rows().map((row) => columnOf(row, 'source_offset')),
    upTo(40),
  );
  t.deepEqual(await rig.deadLetters(), []);
  t.deepEqual(rig.pipeline.failing(), []);
  await rig.stop();
});

test('partitions that wait for the registry hold up no other, however much they have, and go on when it is back', async (t) => {
  const store = createMemoryRowStore();
  const rig = await startRig(await brokerWithTopics(4), store, {}, 'sink-0', 512 * 1024);
  await rig.write(eventsOf(1));
  await until('the schema is known', committedBy(rig, 1));
  rig.schemas.state.away = true;
  const unknown = Buffer.from(encode(event(2)));
  unknown.writeUInt32BE(SCHEMA_ID + 1, 1);
  const many = 3_000;
  for (const partition of [0, 1]) await rig.write([unknown, ...eventsOf(many, 10 + partition * many)], partition);
  for (const partition of [2, 3]) await rig.write(eventsOf(many, 10 + partition * many), partition);
  await until('the others are through', committedBy(rig, 1, -1, many, many));
  t.true(rig.loop.lag().every(({ inMemoryBytes }) => inMemoryBytes < 512 * 1024));
  rig.schemas.state.away = false;
  await until('all are through', committedBy(rig, many + 2, many + 1, many, many));
  t.is(store.rows().length, 1 + 4 * many);
  t.is((await rig.deadLetters()).length, 2);
  t.deepEqual(rig.fatals, []);
  await rig.stop();
});

test('while ClickHouse is away nothing is committed or given up; afterwards nothing is missing or doubled', async (t) => {
  const store = createMemoryRowStore();
  const rig = await startRig(await brokerWithTopics(), store);
  await rig.write(eventsOf(50));
  await until('the first are committed', committedBy(rig, 50));
  store.setAvailable(false);
  await rig.write(eventsOf(300, 100), 0);
  await rig.write(eventsOf(300, 500), 1);
  await until('inserts fail', () => rig.pipeline.failing().length > 0);
  t.deepEqual(await rig.committed(), [50, -1]);
  store.setAvailable(true);
  await until('all committed', committedBy(rig, 350, 300));
  t.is(store.rows().length, 650);
  t.deepEqual(await rig.deadLetters(), []);
  await rig.stop();
});

test('an insert whose answer was lost is repeated under the same token, so that nothing is doubled', async (t) => {
  const store = createMemoryRowStore();
  store.loseAnswers(3);
  const rig = await startRig(await brokerWithTopics(), store);
  await rig.write(eventsOf(120));
  await until('all committed', committedBy(rig, 120));
  t.deepEqual(offsetsIn(store), upTo(120));
  await rig.stop();
});

test('dies between insert and commit: the next one inserts the range again, and the same range only once', async (t) => {
  const broker = await brokerWithTopics();
  const store = createMemoryRowStore();
  // What SIGKILL leaves: the rows are stored, nothing of them is settled or committed, the process does no more.
  const dead = await startRig(broker, store, {
    failpoints: createFailpoints('sink.afterInsert:hang'),
    limits: { ...limits, lingerMs: 10_000 },
  });
  await dead.write(eventsOf(100));
  await until('inserted', () => store.rows().length === 100);
  t.deepEqual(await dead.committed(), [0, -1]);

  broker.isolate('sink-0');
  const next = await startRig(broker, store, { limits: { ...limits, lingerMs: 10_000 } }, 'sink-1');
  await until('committed by the next one', committedBy(next, 100));
  t.deepEqual(offsetsIn(store), upTo(100), 'the range has the same end, so its token kept it out');
  await next.stop();
});

test('stop inserts what is in memory without waiting for its linger, and commits it', async (t) => {
  const store = createMemoryRowStore();
  const broker = await brokerWithTopics();
  const rig = await startRig(broker, store, { limits: { ...limits, lingerMs: 600_000 } });
  await rig.write(eventsOf(7), 0);
  await rig.write(eventsOf(8, 50), 1);
  await until('both are in memory', () => rig.loop.lag().reduce((sum, { inMemory }) => sum + inMemory, 0) === 15);
  t.is(store.rows().length, 0);
  await rig.stop();
  t.is(store.rows().length, 15);
  const admin = await broker.client().admin();
  t.deepEqual(
    (await admin.committed('sink', 'deliveries')).map(({ offset }) => offset),
    [7, 8],
  );
});

test('a partition has one insert under way at most, all partitions together have the limit', async (t) => {
  const memory = createMemoryRowStore();
  const under = new Map<number, number>();
  let most = 0;
  let mostOfOne = 0;
  const store: RowStore = {
    ...memory,
    async insert(range) {
      under.set(range.partition, (under.get(range.partition) ?? 0) + 1);
      most = Math.max(
        most,
        [...under.values()].reduce((a, b) => a + b, 0),
      );
      mostOfOne = Math.max(mostOfOne, ...under.values());
      const answer = await memory.insert(range);
      await new Promise((resolve) => setImmediate(resolve));
      under.set(range.partition, (under.get(range.partition) ?? 0) - 1);
      return answer;
    },
  };
  const rig = await startRig(await brokerWithTopics(6), store, { limits: { ...limits, maxRows: 10 } });
  await Promise.all([0, 1, 2, 3, 4, 5].map((partition) => rig.write(eventsOf(100, partition * 1_000 + 1), partition)));
  await until('all committed', committedBy(rig, 100, 100, 100, 100, 100, 100));
  t.is(memory.rows().length, 600);
  t.is(mostOfOne, 1);
  t.is(most, 2);
  await rig.stop();
});

test('a bug in what becomes of a record ends the process instead of being repeated for ever', async (t) => {
  const memory = createMemoryRowStore();
  const store: RowStore = { ...memory, insert: () => Promise.reject(new TypeError('a bug')) };
  const rig = await startRig(await brokerWithTopics(), store);
  await rig.write(eventsOf(3));
  await until('it is fatal', () => rig.fatals.length > 0);
  t.is(rig.fatals[0]?.message, 'a bug');
  t.deepEqual(await rig.committed(), [0, -1]);
});

test('after a rebalance the new owner goes on where the group is, and the old one inserts nothing more', async (t) => {
  const broker = await brokerWithTopics(4);
  const store = createMemoryRowStore();
  const one = await startRig(broker, store, {}, 'sink-0');
  for (const partition of [0, 1, 2, 3]) await one.write(eventsOf(20, partition * 100 + 1), partition);
  await until('all committed', committedBy(one, 20, 20, 20, 20));
  const two = await startRig(broker, store, {}, 'sink-1');
  await until('both have partitions', () => one.loop.lag().length === 2 && two.loop.lag().length === 2);
  for (const partition of [0, 1, 2, 3]) await one.write(eventsOf(20, partition * 100 + 50), partition);
  await until('all committed', committedBy(two, 40, 40, 40, 40));
  t.is(store.rows().length, 160);
  await one.stop();
  await two.stop();
});
