import { createFailpoints, systemClock } from '@volley/runtime';
import { createMemoryBroker } from '@volley/stream/memory';
import test from 'ava';
import { createMemoryRowStore } from '../src/adapters/row-store-memory.ts';
import { LAYOUT } from '../src/core/token.ts';
import type { RowStore } from '../src/ports.ts';
import { columnOf, committedBy, eventsOf, limits, offsetsIn, upTo } from './rows.ts';
import { encode, event, GROUP, makeTopics, startRig, TOPIC, until } from './support.ts';

const patient = { ...limits, lingerMs: 10_000 };

async function brokerWithTopics(partitions = 1) {
  const broker = createMemoryBroker();
  await makeTopics(broker, partitions);
  return broker;
}

/** What the group has of partition 0. */
async function committedIn(broker: Awaited<ReturnType<typeof brokerWithTopics>>) {
  const client = broker.client();
  const admin = await client.admin();
  const [found] = await admin.committed(GROUP, TOPIC);
  await client.close();
  return found;
}

async function writeBefore(broker: Awaited<ReturnType<typeof brokerWithTopics>>, values: readonly Buffer[]) {
  const client = broker.client();
  const producer = await client.producer({ clientId: 'before' });
  await producer.send(values.map((value) => ({ topic: TOPIC, partition: 0, key: null, value })));
  await client.close();
}

/** As another sink left it. */
async function commitAs(broker: Awaited<ReturnType<typeof brokerWithTopics>>, offset: number, metadata: string) {
  const client = broker.client();
  let epoch = -1;
  const events = {
    onBatch() {},
    onAssigned: (now: number) => {
      epoch = now;
    },
    onRevoked() {},
    onFatal() {},
  };
  const consumer = client.consumer({ groupId: GROUP, topics: [TOPIC], clientId: 'before', events });
  await consumer.start();
  await until(
    'committed',
    async () => (await consumer.commit(epoch, [{ topic: TOPIC, partition: 0, offset, metadata }])) === 'committed',
  );
  await consumer.stop();
  await client.close();
}

test('no range is inserted before the group has its plan, and the plan goes with the range', async (t) => {
  const broker = await brokerWithTopics();
  const memory = createMemoryRowStore();
  const plans: unknown[] = [];
  const store: RowStore = {
    ...memory,
    async insert(range) {
      const found = await committedIn(broker);
      plans.push([
        found?.offset === range.from || (range.from === 0 && found?.offset === 0),
        JSON.parse(found?.metadata ?? ''),
      ]);
      t.deepEqual(JSON.parse(found?.metadata ?? ''), { pending: range.to, layout: LAYOUT, count: range.rows.count });
      t.is(found?.offset, range.from);
      return memory.insert(range);
    },
  };
  const rig = await startRig(broker, store);
  await rig.write([...eventsOf(130), Buffer.from('bad'), ...eventsOf(69, 500)]);
  await until('committed', committedBy(rig, 200));
  t.true(plans.length >= 2);
  t.is((await committedIn(broker))?.metadata, '');
  t.is(memory.rows().length, 199);
  await rig.stop();
});

for (const [failpoint, isStored] of [
  ['sink.afterPlan', false],
  ['sink.beforeInsert', false],
  ['sink.afterInsert', true],
] as const)
  test(`dies at ${failpoint}: the next one inserts exactly the planned range, wherever it would end itself`, async (t) => {
    const broker = await brokerWithTopics();
    const store = createMemoryRowStore();
    const dead = await startRig(broker, store, { failpoints: createFailpoints(`${failpoint}:hang`) });
    await dead.write(eventsOf(40));
    await until('it is planned', async () => ((await committedIn(broker))?.metadata ?? '') !== '');
    if (isStored) await until('and stored', () => store.rows().length > 0);
    const planned = JSON.parse((await committedIn(broker))?.metadata ?? '').pending as number;
    await dead.write(eventsOf(60, 200));
    broker.isolate('sink-0');
    dead.pipeline.close();

    const next = await startRig(broker, store, { limits: patient }, 'sink-1');
    await until('the planned range is committed', async () => ((await committedIn(broker))?.offset ?? 0) >= planned);
    t.deepEqual(
      store.ranges().map(({ from, to }) => [from, to]),
      [[0, planned]],
    );
    next.pipeline.flush();
    await until('the rest is', committedBy(next, 100));
    t.deepEqual(offsetsIn(store), upTo(100));
    await next.stop();
  });

test('a zombie that inserts after its successor adds nothing, and its commit is refused', async (t) => {
  const broker = await brokerWithTopics();
  const memory = createMemoryRowStore();
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let asleep = false;
  let awake = false;
  const slow: RowStore = {
    ...memory,
    async insert(range) {
      asleep = true;
      await held;
      const answer = await memory.insert(range);
      awake = true;
      return answer;
    },
  };
  const zombie = await startRig(broker, slow);
  await zombie.write(eventsOf(30));
  await until('it is about to insert', () => asleep);
  broker.isolate('sink-0');
  const next = await startRig(broker, memory, {}, 'sink-1');
  await next.write(eventsOf(30, 100));
  await until('its successor is through', committedBy(next, 60));
  release();
  await until('the zombie has inserted too', () => awake);
  await zombie.loop.commitNow();
  zombie.pipeline.close();
  t.deepEqual(offsetsIn(memory), upTo(60));
  t.is((await committedIn(broker))?.offset, 60);
  await next.stop();
});

test('a range that was planned by other code is inserted under the layout it was planned with', async (t) => {
  const broker = await brokerWithTopics();
  await commitAs(broker, 0, JSON.stringify({ pending: 7, layout: LAYOUT + 5, count: 7 }));
  const store = createMemoryRowStore();
  await writeBefore(broker, eventsOf(20));
  const rig = await startRig(broker, store);
  await until('committed', committedBy(rig, 20));
  const [first, ...others] = store.ranges();
  t.is(first?.to, 7);
  t.true(first?.token.endsWith(`:0:0:7:${LAYOUT + 5}`));
  t.true(others.every(({ token }) => token.endsWith(`:${LAYOUT}`)));
  t.deepEqual(offsetsIn(store), upTo(20));
  await rig.stop();
});

test('a planned range keeps its end over the limits of now: rows, linger, and what may be read ahead', async (t) => {
  const broker = await brokerWithTopics();
  await writeBefore(broker, eventsOf(5_000));
  await commitAs(broker, 0, JSON.stringify({ pending: 4_000, layout: LAYOUT, count: 4_000 }));
  const store = createMemoryRowStore();
  const rig = await startRig(broker, store, { limits: { ...limits, lingerMs: 1 } }, 'sink-0', 100_000);
  await until('committed', committedBy(rig, 5_000));
  t.deepEqual([store.ranges()[0]?.from, store.ranges()[0]?.to], [0, 4_000]);
  t.true(
    store
      .ranges()
      .slice(1)
      .every(({ from, to }) => to - from <= limits.maxRows),
  );
  t.deepEqual(offsetsIn(store), upTo(5_000));
  await rig.stop();
});

test('a plan that reaches beyond the log stops the partition: the log has lost what was planned', async (t) => {
  const broker = await brokerWithTopics();
  await writeBefore(broker, eventsOf(30));
  await commitAs(broker, 0, JSON.stringify({ pending: 50, layout: LAYOUT, count: 50 }));
  const store = createMemoryRowStore();
  const rig = await startRig(broker, store);
  await until('it stopped', () => rig.stopped.has(0));
  t.regex(rig.stopped.get(0) ?? '', /\[0, 50\) is planned and the log ends at 30/);
  t.is(store.rows().length, 0);
  await rig.stop();
});

test('a group whose offset was set back behind what is stored stops, and what it holds holds up nobody', async (t) => {
  const broker = await brokerWithTopics(2);
  const store = createMemoryRowStore();
  const one = await startRig(broker, store);
  await one.write(eventsOf(50));
  await until('committed', committedBy(one, 50));
  await one.stop();
  await commitAs(broker, 20, '');
  const two = await startRig(broker, store);
  await until('it stopped', () => two.stopped.has(0));
  t.regex(two.stopped.get(0) ?? '', /rows up to offset 49 are stored/);
  await two.write(eventsOf(20, 500), 1);
  await until('the other goes on', async () => (await two.committed())[1] === 20);
  t.is(store.rows().length, 70);
  t.deepEqual(
    two.loop.lag().map(({ inMemory }) => inMemory),
    [0, 0],
  );
  await two.stop();
});

test('a stop in the middle of a planned range waits for nothing, and the next one has it whole', async (t) => {
  const broker = await brokerWithTopics();
  await writeBefore(broker, eventsOf(3_000));
  await commitAs(broker, 0, JSON.stringify({ pending: 2_900, layout: LAYOUT, count: 2_900 }));
  const store = createMemoryRowStore();
  const held: RowStore = { ...store, endOf: () => new Promise(() => {}) };
  const one = await startRig(broker, held);
  await until('some of it is in memory', () => (one.loop.lag()[0]?.inMemory ?? 0) > 0);
  await one.stop();
  t.is(store.rows().length, 0);
  const two = await startRig(broker, store, {}, 'sink-1');
  await until('committed', committedBy(two, 3_000));
  t.is(store.ranges()[0]?.to, 2_900);
  t.deepEqual(offsetsIn(store), upTo(3_000));
  await two.stop();
});

test('after a session without an answer of the group nothing is inserted until it answers', async (t) => {
  const broker = await brokerWithTopics();
  const store = createMemoryRowStore();
  const state = { isMember: false };
  const rig = await startRig(broker, store, { isMember: () => state.isMember });
  await rig.write(eventsOf(10));
  await until('it waits', () =>
    rig.pipeline.failing().some(({ error }) => error.includes('has not answered for a session')),
  );
  t.is(store.rows().length, 0);
  state.isMember = true;
  await until('committed', committedBy(rig, 10));
  t.is(store.rows().length, 10);
  await rig.stop();
});

test('what stands beside the offset and is no plan stops the partition and stays', async (t) => {
  const broker = await brokerWithTopics();
  await commitAs(broker, 0, 'not ours');
  const store = createMemoryRowStore();
  const rig = await startRig(broker, store);
  await rig.write(eventsOf(5));
  t.regex(rig.stopped.get(0) ?? '', /no plan of a sink/);
  await rig.stop();
  t.is(store.rows().length, 0);
  t.is((await committedIn(broker))?.metadata, 'not ours');
});

test('a group that has no offset while rows are stored stops instead of storing them again', async (t) => {
  const store = createMemoryRowStore();
  const first = await brokerWithTopics();
  const one = await startRig(first, store);
  await one.write(eventsOf(10));
  await until('committed', committedBy(one, 10));
  await one.stop();

  const made = await brokerWithTopics();
  const two = await startRig(made, store);
  await two.write(eventsOf(10));
  await until('it stopped', () => two.stopped.has(0));
  t.regex(two.stopped.get(0) ?? '', /rows up to offset 9 are stored, and by the group's offset 0 would come next/);
  t.is(store.rows().length, 10);
  t.deepEqual(await two.committed(), [-1]);
  await two.stop();
});

test('an answer that was lost is followed by a count, and a wrong one stops the partition before its commit', async (t) => {
  const memory = createMemoryRowStore();
  memory.loseAnswers(1);
  const counted: unknown[] = [];
  const store: RowStore = {
    ...memory,
    async count(places) {
      const answer = await memory.count(places);
      if (places.to < Number.MAX_SAFE_INTEGER) counted.push(places);
      // As when the window of tokens was too short, and the range is there twice.
      return answer.ok && places.to < Number.MAX_SAFE_INTEGER ? { ok: true, rows: answer.rows * 2 } : answer;
    },
  };
  const rig = await startRig(await brokerWithTopics(), store, { limits: patient });
  await rig.write(eventsOf(100));
  await until('it stopped', () => rig.stopped.has(0));
  t.regex(rig.stopped.get(0) ?? '', /\[0, 100\) has 200 rows stored, and 100 in the log/);
  t.is(counted.length, 1);
  t.is((await rig.committed())[0], 0);
  await rig.stop();
});

for (const [keptDays, isForgotten] of [
  [89, false],
  [91, true],
] as const) {
  test(`after a lost answer, a range without a row ${isForgotten ? 'goes' : 'does not go'} for stored at ${keptDays} days`, async (t) => {
    const memory = createMemoryRowStore();
    memory.loseAnswers(1);
    const store: RowStore = { ...memory, count: async () => ({ ok: true, rows: 0 }) };
    const clock = { ...systemClock, now: () => Date.now() + keptDays * 86_400_000 };
    const rig = await startRig(await brokerWithTopics(), store, { limits, clock });
    await rig.write(eventsOf(100));
    if (isForgotten) await until('committed', committedBy(rig, 100));
    else await until('it stopped', () => /has 0 rows stored, and 100 in the log/.test(rig.stopped.get(0) ?? ''));
    t.is(rig.stopped.size, isForgotten ? 0 : 1);
    await rig.stop();
  });
}

test('a message ends once: repeats are stored and marked, also when a takeover lies between', async (t) => {
  const broker = await brokerWithTopics();
  const store = createMemoryRowStore();
  const deferred = { kind: 'deferred', reason: 'provider_transient', deferrals: 0 } as const;
  const one = await startRig(broker, store);
  await one.write([event(1), event(2, deferred), event(2), event(1), event(2, deferred)].map((e) => encode(e)));
  await until('committed', committedBy(one, 5));
  await one.stop();
  const two = await startRig(broker, store, {}, 'sink-1');
  await two.write([event(1), event(3), event(3, { kind: 'failed' }), event(1, { run: 1 })].map((e) => encode(e)));
  await until('committed', committedBy(two, 9));
  const marks = [...store.rows()]
    .sort((a, b) => Number(columnOf(a, 'source_offset')) - Number(columnOf(b, 'source_offset')))
    .map((row) => columnOf(row, 'is_repeat'));
  t.deepEqual(marks, [false, false, false, true, true, true, false, true, false]);
  await two.stop();
});

test('an event whose id is not of its campaign is a dead letter: it says nothing about the message it names', async (t) => {
  const broker = await brokerWithTopics();
  const store = createMemoryRowStore();
  const rig = await startRig(broker, store);
  const alien = { ...event(1), campaign_id: event(1).campaign_id.replace(/^.{8}/, 'ffffffff') };
  await rig.write([encode(alien), encode(event(1))]);
  await until('committed', committedBy(rig, 2));
  t.deepEqual(offsetsIn(store), [1]);
  t.is(columnOf(store.rows()[0] ?? [], 'is_repeat'), false);
  t.deepEqual(
    [...new Set((await rig.deadLetters()).map(({ headers }) => headers['volley-origin']?.split('/')[2]))],
    ['0'],
  );
  await rig.stop();
});

for (const seed of [1, 2, 3, 4, 5, 6])
  test(`sinks that die anywhere, again and again, with ranges of any length: every record once (seed ${seed})`, async (t) => {
    let state = seed * 2_654_435_761;
    const random = (n: number) => {
      state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
      return (state >>> 0) % n;
    };
    const broker = await brokerWithTopics(3);
    const store = createMemoryRowStore();
    const total = [0, 0, 0];
    const points = ['sink.afterPlan', 'sink.beforeInsert', 'sink.afterInsert'];
    for (let life = 0; life < 8; life++) {
      const name = `sink-${life}`;
      const where = `${points[random(3)]}:hang:${1 + random(4)}`;
      const rig = await startRig(
        broker,
        store,
        {
          failpoints: createFailpoints(where),
          limits: {
            maxRows: 1 + random(40),
            maxBytes: 1_000_000,
            lingerMs: random(6),
            maxInserts: 1 + random(3),
            pressedBytes: 1e9,
          },
        },
        name,
      );
      for (const partition of [0, 1, 2]) {
        const n = random(120);
        await rig.write(eventsOf(n, 1 + life * 1_000 + partition * 200), partition);
        total[partition] = (total[partition] ?? 0) + n;
      }
      const before = store.ranges().length;
      await until(
        'something happened, or nothing can',
        () => store.ranges().length > before || rig.pipeline.failing().length === 0,
      );
      broker.isolate(name);
      rig.pipeline.close();
    }
    const last = await startRig(broker, store, {}, 'sink-last');
    await until('all is committed', async () =>
      (await last.committed()).every((offset, p) => offset === total[p] || (total[p] === 0 && offset <= 0)),
    );
    for (const partition of [0, 1, 2]) t.deepEqual(offsetsIn(store, partition), upTo(total[partition] ?? 0));
    t.deepEqual(last.stopped, new Map());
    await last.stop();
  });
