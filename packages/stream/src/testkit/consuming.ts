import { collecting, type Declare, text, textOf, until } from './support.ts';

export function consuming(declare: Declare): void {
  declare(
    'a new group gets everything from offset 0, after its assignment',
    async ({ t, client, name, topic, fill }) => {
      const from = await topic(2);
      await fill(from, 0, 100);
      await fill(from, 1, 3);
      const { consumer, seen, records } = collecting(client, name('group'), [from], name('member'));
      await consumer.start();
      await until(() => records().length === 103, 'all records');
      t.is(seen.events[0], 'assigned');
      t.deepEqual(
        seen.assignments.map(({ partitions }) => partitions),
        [
          [
            { topic: from, partition: 0, committed: -1, metadata: '', logEnd: 100 },
            { topic: from, partition: 1, committed: -1, metadata: '', logEnd: 3 },
          ],
        ],
      );
      const first = records().filter(({ partition }) => partition === 0);
      t.deepEqual(
        first.map(({ offset }) => offset),
        Array.from({ length: 100 }, (_, i) => i),
      );
      t.deepEqual(
        first.map(textOf),
        Array.from({ length: 100 }, (_, i) => `${i}`),
      );
      t.true(seen.batches.every(({ epoch }) => epoch === seen.assignments[0]?.epoch));
      t.true(seen.batches.every(({ partition, logEnd }) => logEnd === (partition === 0 ? 100 : 3)));
      t.true(performance.now() - consumer.lastHeartbeatMs() < 10_000);
    },
  );

  declare('a commit and its metadata outlive the member, and the next one resumes there', async (bench) => {
    const { t, client, name } = bench;
    const from = await bench.topic(1);
    await bench.fill(from, 0, 10);
    const one = collecting(client, name('group'), [from], name('one'));
    await one.consumer.start();
    await until(() => one.records().length === 10, 'all records');
    const entry = { topic: from, partition: 0, offset: 4, metadata: '{"pending":7}' };
    t.is(await one.consumer.commit(one.epoch(), [entry]), 'committed');
    await one.consumer.stop();
    const admin = await client.admin();
    t.deepEqual(await admin.committed(name('group'), from), [{ offset: 4, metadata: '{"pending":7}' }]);
    t.deepEqual(await admin.committed(name('another group'), from), [{ offset: -1, metadata: '' }]);

    const two = collecting(client, name('group'), [from], name('two'));
    await two.consumer.start();
    await until(() => two.records().length === 6, 'the rest');
    const [found] = two.seen.assignments[0]?.partitions ?? [];
    t.is(found?.committed, 4);
    t.is(found?.metadata, '{"pending":7}');
    t.is(found?.logEnd, 10);
    t.is(two.records()[0]?.offset, 4);
  });

  declare('two members share the partitions by number, the same for all topics', async ({ t, client, name, topic }) => {
    const topics = [await topic(4), await topic(4)];
    const one = collecting(client, name('group'), topics, name('one'));
    const two = collecting(client, name('group'), topics, name('two'));
    await one.consumer.start();
    await two.consumer.start();
    const latest = (of: typeof one) => of.seen.assignments[of.seen.assignments.length - 1]?.partitions ?? [];
    await until(() => latest(one).length === 4 && latest(two).length === 4, 'a shared assignment');
    const numbers = (of: typeof one, of_: string | undefined) =>
      latest(of)
        .filter((entry) => entry.topic === of_)
        .map(({ partition }) => partition);
    for (const member of [one, two]) t.deepEqual(numbers(member, topics[0]), numbers(member, topics[1]));
    t.deepEqual([...numbers(one, topics[0]), ...numbers(two, topics[0])].sort(), [0, 1, 2, 3]);
    // The first member gave up what it had before it was given anything new.
    t.deepEqual(one.seen.events, ['assigned', 'revoked', 'assigned']);
    t.deepEqual(one.seen.revoked, [one.seen.assignments[0]?.epoch]);
    t.true((one.seen.assignments[1]?.epoch ?? 0) > (one.seen.assignments[0]?.epoch ?? 0));

    await two.consumer.stop();
    await until(() => latest(one).length === 8, 'everything back');
  });

  declare('a rebalance moves only what it has to, and a restart gets its partitions back', async (bench) => {
    const { t, client, name } = bench;
    const from = await bench.topic(6);
    const member = async (slot: string) => {
      const of = collecting(client, name('group'), [from], name(slot));
      await of.consumer.start();
      return of;
    };
    const numbers = (of: Awaited<ReturnType<typeof member>>) =>
      (of.seen.assignments[of.seen.assignments.length - 1]?.partitions ?? []).map(({ partition }) => partition).sort();
    const [one, two] = [await member('one'), await member('two')];
    const three = await member('three');
    const shared = () => [one, two, three].every((of) => numbers(of).length === 2);
    await until(shared, 'a shared assignment');
    const [before, gone] = [numbers(one), numbers(three)];
    await three.consumer.stop();
    await until(() => numbers(one).length === 3 && numbers(two).length === 3, 'the rest, shared');
    t.true(before.every((number) => numbers(one).includes(number)));
    const again = await member('three');
    await until(() => [one, two, again].every((of) => numbers(of).length === 2), 'the old assignment');
    t.deepEqual(numbers(again), gone);
    t.deepEqual(numbers(one), before);
  });

  declare('a commit of an assignment that is over is refused', async ({ t, client, name, topic, fill }) => {
    const from = await topic(2);
    await fill(from, 0, 10);
    await fill(from, 1, 10);
    const one = collecting(client, name('group'), [from], name('one'));
    await one.consumer.start();
    await until(() => one.records().length === 20, 'all records');
    const old = one.epoch();
    const two = collecting(client, name('group'), [from], name('two'));
    await two.consumer.start();
    await until(() => one.seen.assignments.length === 2, 'the new assignment');
    const entries = [0, 1].map((partition) => ({ topic: from, partition, offset: 9 }));
    t.is(await one.consumer.commit(old, entries), 'stale');
    const admin = await client.admin();
    t.deepEqual(
      (await admin.committed(name('group'), from)).map(({ offset }) => offset),
      [-1, -1],
    );
    t.is(one.seen.revoked[0], old);
  });

  declare(
    'a commit made while the assignment is being revoked still counts',
    async ({ t, client, name, topic, fill }) => {
      const from = await topic(1);
      await fill(from, 0, 5);
      const results: Promise<string>[] = [];
      const one = client.consumer({
        groupId: name('group'),
        topics: [from],
        clientId: name('one'),
        heartbeatIntervalMs: 200,
        events: {
          onBatch: () => {
            got += 1;
          },
          onAssigned: () => {},
          onRevoked: (epoch) => results.push(one.commit(epoch, [{ topic: from, partition: 0, offset: 3 }])),
          onFatal: () => {},
        },
      });
      let got = 0;
      await one.start();
      await until(() => got > 0, 'a batch');
      const two = collecting(client, name('group'), [from], name('two'));
      await two.consumer.start();
      await until(() => results.length > 0, 'the revocation');
      t.is(await results[0], 'committed');
      const admin = await client.admin();
      t.deepEqual(await admin.committed(name('group'), from), [{ offset: 3, metadata: '' }]);
    },
  );

  declare('a paused partition delivers nothing, the others go on, and it resumes without a gap', async (bench) => {
    const { t, client, name } = bench;
    const from = await bench.topic(2);
    await bench.fill(from, 0, 5);
    await bench.fill(from, 1, 5);
    const { consumer, records } = collecting(client, name('group'), [from], name('member'));
    await consumer.start();
    await until(() => records().length === 10, 'the first records');
    consumer.pause([{ topic: from, partition: 0 }]);
    await bench.fill(from, 0, 5);
    await bench.fill(from, 1, 5);
    const of = (partition: number) => records().filter((record) => record.partition === partition);
    await until(() => of(1).length === 10, 'the partition that is not paused');
    // A second round of the other one: a fetch that was on its way at the pause has long been answered.
    await bench.fill(from, 1, 5);
    await until(() => of(1).length === 15, 'the partition that is not paused, again');
    t.is(of(0).length, 5);
    consumer.resume([{ topic: from, partition: 0 }]);
    await until(() => of(0).length === 10, 'the resumed partition');
    t.deepEqual(
      of(0).map(({ offset }) => offset),
      Array.from({ length: 10 }, (_, i) => i),
    );
  });

  declare(
    'stopping is quick and silent, and its partitions go to the others',
    async ({ t, client, name, topic, fill }) => {
      const from = await topic(2);
      const one = collecting(client, name('group'), [from], name('one'));
      const two = collecting(client, name('group'), [from], name('two'));
      await one.consumer.start();
      await two.consumer.start();
      await until(() => one.seen.assignments.length === 2, 'a shared assignment');
      const before = performance.now();
      await one.consumer.stop();
      t.true(performance.now() - before < 1_000, `${performance.now() - before} ms`);
      await one.consumer.stop();
      const events = one.seen.events.length;
      await until(
        () => two.seen.assignments[two.seen.assignments.length - 1]?.partitions.length === 2,
        'the take-over',
      );
      await fill(from, 0, 3);
      await until(() => two.records().length === 3, 'the records');
      t.is(one.seen.events.length, events);
      t.is(await one.consumer.commit(one.epoch(), [{ topic: from, partition: 0, offset: 1 }]), 'stale');
      t.deepEqual([...one.seen.fatal, ...two.seen.fatal], []);
    },
  );

  declare('a consumer reads on while records are being written', async ({ t, client, name, topic }) => {
    const from = await topic(3);
    const { consumer, records } = collecting(client, name('group'), [from], name('member'));
    await consumer.start();
    const producer = await client.producer({ clientId: name('producer') });
    const sends: Promise<unknown>[] = [];
    for (let i = 0; i < 3_000; i++) {
      sends.push(producer.send([text(from, i % 3, `${i}`)]));
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(sends);
    await until(() => records().length >= 3_000, 'all records');
    const values = records().map(textOf);
    t.is(new Set(values).size, 3_000);
    t.is(values.length, 3_000);
  });

  declare(
    'an exclusive member has everything while it is there, and the others have it back after it',
    async (bench) => {
      const { t, client, name } = bench;
      const from = await bench.topic(3);
      const numbers = (of: ReturnType<typeof collecting>) =>
        of.seen.assignments.at(-1)?.partitions.map(({ partition }) => partition);
      const ordinary = collecting(client, name('group'), [from], name('a'));
      await ordinary.consumer.start();
      const first = collecting(client, name('group'), [from], name('x'), { exclusive: true });
      await first.consumer.start();
      await until(
        () => numbers(first)?.length === 3 && numbers(ordinary)?.length === 0,
        'everything belongs to the first',
      );
      // Neither a member that comes nor another exclusive one before it in the order of ids takes anything away.
      const late = collecting(client, name('group'), [from], name('b'));
      await late.consumer.start();
      const second = collecting(client, name('group'), [from], name('c'), { exclusive: true });
      await second.consumer.start();
      await until(() => second.seen.assignments.length > 0 && numbers(first)?.length === 3, 'the second one waits');
      t.deepEqual([numbers(ordinary), numbers(late), numbers(second)], [[], [], []]);
      await bench.fill(from, 0, 5);
      await until(() => first.records().length === 5, 'its records');
      t.deepEqual(
        [ordinary, late, second].map((of) => of.records().length),
        [0, 0, 0],
      );
      await first.consumer.stop();
      await until(() => numbers(second)?.length === 3, 'the turn of the second');
      await second.consumer.stop();
      await until(
        () => (numbers(ordinary)?.length ?? 0) + (numbers(late)?.length ?? 0) === 3,
        'all of it is shared again',
      );
    },
  );
}
