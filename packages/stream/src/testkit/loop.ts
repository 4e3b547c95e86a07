import { type Declare, looping, textOf, until } from './support.ts';

export function loop(declare: Declare): void {
  declare('the loop never commits past a record that is not settled', async ({ t, client, name, topic, fill }) => {
    const from = await topic(1);
    await fill(from, 0, 100);
    const one = looping(client, name('group'), [from], name('one'));
    await one.loop.start();
    await until(() => one.held.length === 100, 'all records');
    const admin = await client.admin();
    const committed = async () => (await admin.committed(name('group'), from))[0]?.offset;
    one.settle(({ offset }) => offset !== 0 && offset !== 40);
    await one.loop.commitNow();
    t.is(await committed(), -1);
    one.settle(({ offset }) => offset === 0);
    await one.loop.commitNow();
    t.is(await committed(), 40);
    t.deepEqual(one.loop.lag(), [
      { topic: from, partition: 0, logEnd: 100, watermark: 40, inMemory: 1, inMemoryBytes: one.held[0]?.bytes ?? 0 },
    ]);
    one.settle();
    // Without being asked: the interval does it.
    await until(async () => (await committed()) === 100, 'the last commit');
    await one.loop.stop(1_000);
  });

  declare(
    'a range is settled as its records would be, those that are settled already and those of another assignment apart',
    async (bench) => {
      const { t, client, name } = bench;
      const from = await bench.topic(2);
      await bench.fill(from, 0, 40);
      await bench.fill(from, 1, 10);
      const one = looping(client, name('group'), [from], name('one'), { commitIntervalMs: 60_000 });
      await one.loop.start();
      await until(() => one.held.length === 50, 'all records');
      const ofFirst = one.held.filter(({ record }) => record.partition === 0);
      const epoch = one.loop.currentEpoch();
      const bytesOf = (tracked: typeof ofFirst) => tracked.reduce((sum, { bytes }) => sum + bytes, 0);
      const range = { topic: from, partition: 0, epoch, to: 30 };
      one.loop.settleTo({ ...range, epoch: epoch - 1, bytes: 1 });
      one.loop.settleTo({ ...range, partition: 7, bytes: 1 });
      one.settle(({ partition, offset }) => partition === 0 && offset === 4);
      one.loop.settleTo({
        ...range,
        bytes: bytesOf(ofFirst.filter(({ record: { offset } }) => offset < 30 && offset !== 4)),
      });
      one.loop.settleTo({ ...range, bytes: 1 });
      const [first, second] = one.loop.lag();
      t.like(first, { watermark: 30, inMemory: 10, inMemoryBytes: bytesOf(ofFirst.slice(30)) });
      t.like(second, { watermark: 0, inMemory: 10 });
      t.is(await one.loop.commitNow(), 'committed');
      const admin = await client.admin();
      t.is((await admin.committed(name('group'), from))[0]?.offset, 30);
      await one.loop.stop(0);
    },
  );

  declare('stopping takes nothing new, waits for what is handed over, and commits it', async (bench) => {
    const { t, client, name } = bench;
    const from = await bench.topic(1);
    await bench.fill(from, 0, 50);
    const one = looping(client, name('group'), [from], name('one'), { commitIntervalMs: 60_000 });
    await one.loop.start();
    await until(() => one.held.length === 50, 'all records');
    const stopping = one.loop.stop(20_000);
    await bench.fill(from, 0, 50);
    t.is(one.held.length, 50);
    one.settle();
    await stopping;
    t.is(one.loop.currentEpoch(), -1);
    const two = looping(client, name('group'), [from], name('two'));
    await two.loop.start();
    await until(() => two.held.length === 50, 'the rest');
    t.is(two.held[0]?.record.offset, 50);
    await two.loop.stop(0);
  });

  declare('a stop that may not wait commits what is settled and leaves the rest', async (bench) => {
    const { t, client, name } = bench;
    const from = await bench.topic(1);
    await bench.fill(from, 0, 20);
    const one = looping(client, name('group'), [from], name('one'), { commitIntervalMs: 60_000 });
    await one.loop.start();
    await until(() => one.held.length === 20, 'all records');
    one.settle(({ offset }) => offset < 7);
    await one.loop.stop(10);
    const admin = await client.admin();
    t.is((await admin.committed(name('group'), from))[0]?.offset, 7);
  });

  declare('metadata is committed beside the offset, also when the offset stands still', async (bench) => {
    const { t, client, name } = bench;
    const from = await bench.topic(1);
    await bench.fill(from, 0, 10);
    let metadata = 'first';
    const one = looping(client, name('group'), [from], name('one'), { metadata: () => metadata, idleMetadataMs: 50 });
    await one.loop.start();
    await until(() => one.held.length === 10, 'all records');
    one.settle();
    const admin = await client.admin();
    const committed = async () => (await admin.committed(name('group'), from))[0];
    await until(async () => (await committed())?.offset === 10, 'the commit');
    t.is((await committed())?.metadata, 'first');
    metadata = 'second';
    await until(async () => (await committed())?.metadata === 'second', 'the changed metadata');
    t.is((await committed())?.offset, 10);
    await one.loop.stop(0);
  });

  declare('a full partition is paused and does not starve the others', async ({ t, client, name, topic, fill }) => {
    const from = await topic(3);
    const maxBytes = 300_000;
    await fill(from, 0, 2_000, 1_000);
    const one = looping(client, name('group'), [from], name('one'), { maxBytes });
    await one.loop.start();
    const bytesOf = (partition: number) =>
      one.loop.lag().find((entry) => entry.partition === partition)?.inMemoryBytes ?? 0;
    await until(() => bytesOf(0) >= maxBytes / 2, 'a full partition');
    await fill(from, 1, 1_000, 1_000);
    await fill(from, 2, 1_000, 1_000);
    const seen = (partition: number) => one.all.filter((record) => record.partition === partition).length;
    // Partition 0 settles nothing (a rate limit); the others go through to their ends.
    await until(() => {
      one.settle(({ partition }) => partition !== 0);
      return seen(1) === 1_000 && seen(2) === 1_000;
    }, 'the other partitions');
    t.true(seen(0) < 1_000, `${seen(0)} records of the full partition were read ahead`);
    // Its share, and at most the fetches that were on their way when it was paused.
    t.true(bytesOf(0) <= maxBytes + 2 * 70_000, `${bytesOf(0)} bytes`);
    await until(() => {
      one.settle();
      return seen(0) === 2_000;
    }, 'the full partition, once it settles');
    t.deepEqual(
      one.all
        .filter(({ partition }) => partition === 0)
        .map(({ offset }) => offset)
        .slice(0, 2_000),
      [...Array(2_000).keys()],
    );
    await one.loop.stop(1_000);
  });

  declare('a partition of which more must come is not paused, whatever it holds', async (bench) => {
    const { t, client, name } = bench;
    const from = await bench.topic(1);
    await bench.fill(from, 0, 1_000, 1_000);
    let enough = 900;
    const needsMore = () => one.all.length < enough;
    const one = looping(client, name('group'), [from], name('one'), { maxBytes: 100_000, needsMore });
    await one.loop.start();
    await until(() => one.all.length >= enough, 'as many as it needs');
    t.true((one.loop.lag()[0]?.inMemoryBytes ?? 0) > 800_000);
    one.settle();
    enough = 1_000;
    await until(() => one.all.length === 1_000, 'and the rest');
    one.settle();
    await one.loop.stop(1_000);
  });

  declare(
    'what was released counts for nothing: memory, lag and a stop go on without it, and it is not committed',
    async (bench) => {
      const { t, client, name } = bench;
      const from = await bench.topic(2);
      await bench.fill(from, 0, 100, 1_000);
      await bench.fill(from, 1, 100, 1_000);
      const one = looping(client, name('group'), [from], name('one'), { maxBytes: 10_000_000 });
      await one.loop.start();
      await until(() => one.all.length === 200, 'all records');
      one.settle(({ partition, offset }) => partition === 0 && offset < 10);
      one.loop.release(from, 0);
      t.deepEqual(
        one.loop
          .lag()
          .map(({ partition, watermark, inMemory, inMemoryBytes }) => [
            partition,
            watermark,
            inMemory,
            inMemoryBytes > 0,
          ]),
        [
          [0, 10, 0, false],
          [1, 0, 100, true],
        ],
      );
      // Settled after all, it changes nothing.
      one.settle();
      const startedMs = performance.now();
      await one.loop.stop(60_000);
      t.true(performance.now() - startedMs < 30_000);
      const admin = await client.admin();
      t.deepEqual(
        (await admin.committed(name('group'), from)).map(({ offset }) => offset),
        [10, 100],
      );
    },
  );

  declare('an assignment says what was committed beside each offset, and metadata may stay as it is', async (bench) => {
    const { t, client, name } = bench;
    const from = await bench.topic(2);
    await bench.fill(from, 0, 10);
    const asked: [number, number][] = [];
    const metadata = ({ partition }: { partition: number }, watermark: number) => {
      asked.push([partition, watermark]);
      return partition === 0 ? `at ${watermark}` : undefined;
    };
    const one = looping(client, name('group'), [from], name('one'), { metadata, idleMetadataMs: 50 });
    await one.loop.start();
    await until(() => one.held.length === 10, 'all records');
    one.settle(({ offset }) => offset < 4);
    const admin = await client.admin();
    await until(async () => (await admin.committed(name('group'), from))[0]?.offset === 4, 'the commit');
    await until(() => asked.some(([partition]) => partition === 1), 'the question for the idle partition');
    await one.loop.stop(0);
    t.true(asked.some(([partition, watermark]) => partition === 0 && watermark === 4));

    const two = looping(client, name('group'), [from], name('two'), { metadata: () => undefined });
    await two.loop.start();
    t.deepEqual(two.assignments[0], [
      { topic: from, partition: 0, committed: 4, metadata: 'at 4', logEnd: 10 },
      { topic: from, partition: 1, committed: -1, metadata: '', logEnd: 0 },
    ]);
    // It moves on and has nothing to say: what was said before stays beside the new offset.
    await until(() => two.held.length === 6, 'the rest');
    two.settle();
    await two.loop.commitNow();
    t.deepEqual((await admin.committed(name('group'), from))[0], { offset: 10, metadata: 'at 4' });
    await two.loop.stop(0);
  });

  declare(
    'a takeover repeats what was not settled, and settling it in the old owner changes nothing',
    async (bench) => {
      const { t, client, name } = bench;
      const from = await bench.topic(2);
      await bench.fill(from, 0, 30);
      await bench.fill(from, 1, 30);
      const one = looping(client, name('group'), [from], name('one'), { commitIntervalMs: 60_000 });
      await one.loop.start();
      await until(() => one.held.length === 60, 'all records');
      one.settle(({ offset }) => offset < 10);
      const old = [...one.held];
      const two = looping(client, name('group'), [from], name('two'));
      await two.loop.start();
      await until(() => one.assignments.length === 2 && two.assignments.length === 1, 'the new assignments');
      for (const tracked of old) one.loop.settle(tracked);
      const [oneOwns] = one.assignments[1] ?? [];
      const [twoOwns] = two.assignments[0] ?? [];
      t.is(one.assignments[1]?.length, 1);
      t.not(oneOwns?.partition, twoOwns?.partition);
      await until(() => two.held.length === 20 && one.all.length === 80, 'what was not settled');
      // The commit of the first ten was made when the assignment was revoked.
      t.is(two.held[0]?.record.offset, 10);
      t.is(one.all[60]?.offset, 10);
      two.settle();
      one.settle(({ offset }) => offset >= 10);
      await one.loop.commitNow();
      await two.loop.commitNow();
      const admin = await client.admin();
      t.deepEqual(
        (await admin.committed(name('group'), from)).map(({ offset }) => offset),
        [30, 30],
      );
      await one.loop.stop(0);
      await two.loop.stop(0);
    },
  );

  declare('a log that lost unread records stops its partition, and no other', async (bench) => {
    const { t, client, name, harness } = bench;
    const from = await bench.topic(2);
    await bench.fill(from, 0, 20);
    await bench.fill(from, 1, 20);
    const one = looping(client, name('group'), [from], name('one'));
    await one.loop.start();
    await until(() => one.held.length === 40, 'all records');
    one.settle(({ partition, offset }) => partition === 1 || offset < 5);
    await one.loop.stop(0);
    await harness.truncate(from, 0, 12);

    const two = looping(client, name('group'), [from], name('two'));
    await two.loop.start();
    await until(() => two.stopped.length > 0, 'the stop');
    t.is(two.stopped[0]?.partition, 0);
    t.regex(two.stopped[0]?.why ?? '', /offset 5 was expected/);
    await bench.fill(from, 1, 3);
    await until(() => two.all.length === 3, 'the other partition');
    t.is(two.all.filter(({ partition }) => partition === 0).length, 0);
    two.settle();
    await two.loop.commitNow();
    const admin = await client.admin();
    t.deepEqual(
      (await admin.committed(name('group'), from)).map(({ offset }) => offset),
      [5, 23],
    );
    await two.loop.stop(0);
  });

  declare('a log that lost unread records and is empty since stops its partition too', async (bench) => {
    const { t, client, name, harness } = bench;
    const from = await bench.topic(1);
    await bench.fill(from, 0, 20);
    const one = looping(client, name('group'), [from], name('one'));
    await one.loop.start();
    await until(() => one.held.length === 20, 'all records');
    one.settle(({ offset }) => offset < 5);
    await one.loop.stop(0);
    await harness.truncate(from, 0, 20);
    const two = looping(client, name('group'), [from], name('two'));
    await two.loop.start();
    await until(() => two.stopped.length > 0, 'the stop');
    t.regex(two.stopped[0]?.why ?? '', /the log starts at 20/);
    await two.loop.stop(0);
  });

  declare('a new group on a log that does not start at 0 stops instead of skipping', async (bench) => {
    const { t, client, name, harness } = bench;
    const from = await bench.topic(1);
    await bench.fill(from, 0, 20);
    await harness.truncate(from, 0, 3);
    const one = looping(client, name('group'), [from], name('one'));
    await one.loop.start();
    await until(() => one.stopped.length > 0, 'the stop');
    t.is(one.all.length, 0);
    await one.loop.stop(0);
  });

  declare('records that are lost while a partition is paused stop it when it goes on', async (bench) => {
    const { t, client, name, harness } = bench;
    const from = await bench.topic(1);
    await bench.fill(from, 0, 200, 1_000);
    const one = looping(client, name('group'), [from], name('one'), { maxBytes: 64 * 1024 });
    await one.loop.start();
    await until(() => one.held.length > 0, 'the first records');
    await bench.fill(from, 0, 200, 1_000);
    t.true(one.all.length < 200);
    await harness.truncate(from, 0, 390);
    await until(() => {
      one.settle();
      return one.stopped.length > 0;
    }, 'the stop');
    const last = one.all[one.all.length - 1]?.offset ?? -1;
    t.true(last < 390);
    t.is(textOf(one.all[0] as (typeof one.all)[0]).slice(0, 1), '0');
    one.settle();
    await one.loop.commitNow();
    const admin = await client.admin();
    t.is((await admin.committed(name('group'), from))[0]?.offset, last + 1);
    await one.loop.stop(0);
  });

  declare('nothing at or after the end is handed over, and reading goes on when the end rises', async (bench) => {
    const { t, client, name } = bench;
    const from = await bench.topic(2);
    await bench.fill(from, 0, 100, 1_000);
    await bench.fill(from, 1, 100, 1_000);
    const ends = [30, 0];
    const one = looping(client, name('group'), [from], name('one'), {
      maxBytes: 100_000,
      endOf: ({ partition }) => ends[partition] ?? 0,
    });
    await one.loop.start();
    const seen = (partition: number) =>
      one.all.filter((record) => record.partition === partition).map(({ offset }) => offset);
    const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);
    await until(() => seen(0).length === 30, 'as far as its end');
    // Full or at its end, it is not fetched: what is written meanwhile is there when it goes on.
    await bench.fill(from, 1, 20, 1_000);
    for (const [to, settles] of [
      [30, true],
      [70, false],
      [71, true],
      [120, true],
    ] as const) {
      ends[1] = to;
      one.loop.readOn();
      await until(() => {
        if (settles) one.settle(({ partition }) => partition === 1);
        return seen(1).length === to;
      }, `as far as ${to}`);
    }
    one.settle();
    await one.loop.commitNow();
    t.deepEqual([seen(0), seen(1)], [upTo(30), upTo(120)]);
    t.deepEqual(one.stopped, []);
    const admin = await client.admin();
    t.deepEqual(
      (await admin.committed(name('group'), from)).map(({ offset }) => offset),
      [30, 120],
    );
    await one.loop.stop(1_000);
  });
}
