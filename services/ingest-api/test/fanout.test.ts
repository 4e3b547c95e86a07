import { partitionOf } from '@volley/contract';
import { createFailpoints, FailpointError } from '@volley/runtime';
import test from 'ava';
import { decodeAll, PARTITIONS, readAll, topics } from './support/log.ts';
import {
  all,
  delivery,
  drafted,
  ordinalsIn,
  progressUntil,
  type Service,
  sent,
  statsOf,
  upTo,
  type World,
  world,
} from './support/roles.ts';

test('fan-out: every frozen row once, by ordinal, when the campaign itself is in the log', async (t) => {
  const w = await world();
  const s = await w.start('a');
  await sent(s, 4_500);
  await all(s.fanout);
  t.deepEqual(await ordinalsIn(w), [], 'dispatchers would have to wait for the campaign');
  await all(s.relay);
  w.clock.advance(200);
  await all(s.fanout);
  t.deepEqual(await ordinalsIn(w), upTo(4_500));
  const [message] = decodeAll('Message', await readAll(w.client, topics.messages.bulk));
  t.like(message, { ordinal: 1, campaign_version: 2, run: 0, lane: 'bulk', vars: '{"name":"P 0"}' });
  await s.stop();
});

test('fan-out: a crash between acknowledgement and checkpoint writes nothing twice and loses nothing', async (t) => {
  const w = await world();
  const a = await w.start('a', { failpoints: createFailpoints('fanout.afterAck:throw:2') });
  await sent(a, 5_000);
  await all(a.relay);
  await t.throwsAsync(all(a.fanout), { instanceOf: FailpointError });
  t.is((await ordinalsIn(w)).length, 2_000, 'two batches are in the log, one is in the checkpoint');
  const again = await w.start('a');
  await all(again.fanout);
  t.deepEqual(await ordinalsIn(w), upTo(5_000));
  t.is(await again.metricOf('volley_ingest_fanout_recovered_total'), 1_000);
  await Promise.all([a.stop(), again.stop()]);
});

test('fan-out: a crash before the first checkpoint is recovered from as well', async (t) => {
  const w = await world();
  const a = await w.start('a', { failpoints: createFailpoints('fanout.afterAck:throw') });
  await sent(a, 2_500);
  await all(a.relay);
  await t.throwsAsync(all(a.fanout), { instanceOf: FailpointError });
  const again = await w.start('a');
  await all(again.fanout);
  t.deepEqual(await ordinalsIn(w), upTo(2_500));
  await Promise.all([a.stop(), again.stop()]);
});

test('fan-out: one owner a campaign; a zombie that wakes up writes no batch', async (t) => {
  const w = await world();
  const a = await w.start('a');
  const b = await w.start('b');
  await sent(a, 4_800);
  await all(a.relay);
  await a.fanout();
  await b.fanout();
  t.is((await ordinalsIn(w)).length, 1_000, 'b does not have the lease');
  // a sleeps past its lease, b goes on, a wakes up.
  w.clock.advance(6_000);
  await all(b.fanout);
  await all(a.fanout);
  t.deepEqual(await ordinalsIn(w), upTo(4_800));
  await Promise.all([a.stop(), b.stop()]);
});

test('fan-out: what a former owner, or an older fence of the same one, saves is refused', async (t) => {
  const w = await world();
  const a = await w.start('a');
  const b = await w.start('b');
  const id = await sent(a, 4_800);
  await all(a.relay);
  await a.fanout();
  const other = w.store.fanout('b');
  w.clock.advance(6_000);
  const claimed = await other.claim(id);
  t.is(claimed?.checkpoint.ordinal, 1_000);
  t.is(await w.store.fanout('a').checkpoint(id, 1, { ordinal: 9_999, logEnds: {} }), undefined);
  t.is(await other.checkpoint(id, 1, { ordinal: 9_999, logEnds: {} }), undefined, 'an older fence of the same owner');
  await all(b.fanout);
  t.deepEqual(await ordinalsIn(w), upTo(4_800));
  await Promise.all([a.stop(), b.stop()]);
});

test('fan-out: a zombie that slept between the check of its lease and its batch repeats that batch, and no other', async (t) => {
  const w = await world();
  const client = w.broker.client();
  let asleep = async () => {};
  const a = await w.start('a', {
    client: {
      ...client,
      async producer(options) {
        const producer = await client.producer(options);
        return {
          ...producer,
          async send(records) {
            await asleep();
            return producer.send(records);
          },
        };
      },
    },
  });
  const b = await w.start('b');
  await sent(a, 3_500);
  await all(a.relay);
  await a.fanout();
  asleep = async () => {
    asleep = async () => {};
    w.clock.advance(6_000);
    await all(b.fanout);
  };
  await all(a.fanout);
  const ordinals = await ordinalsIn(w);
  t.is(ordinals.length, 4_500);
  t.deepEqual(new Set(ordinals), new Set(upTo(3_500)));
  t.deepEqual(ordinals.slice(-1_000), upTo(2_000).slice(1_000), 'the batch that it had in hand');
  t.is(await a.metricOf('volley_ingest_fanout_fenced_total'), 1);
  w.clock.advance(6_000);
  await all(a.fanout);
  t.is((await ordinalsIn(w)).length, 4_500);
  await Promise.all([a.stop(), b.stop()]);
});

test('fan-out: at most W outstanding; what ends makes room; a pause stops it, a cancel goes on without W', async (t) => {
  const w = await world();
  const s = await w.start('a');
  await s.loop.start();
  const id = await sent(s, 300, { rate_per_second: 5 });
  await all(s.relay);
  const round = async () => {
    w.clock.advance(200);
    await all(s.fanout);
    return (await ordinalsIn(w)).length;
  };
  t.is(await round(), 50);
  t.is(await round(), 50);
  t.is(await s.fanout(), 'waiting', 'so it looks again soon');
  await w.producer.send(upTo(10).map((n) => delivery(id, n, 'sent')));
  await progressUntil(s, w.clock, async () => (await statsOf(t, s, id)).sent === 10);
  t.is(await round(), 60);
  await s.commands.command(id, 'pause');
  await w.producer.send(upTo(20).map((n) => delivery(id, n, 'sent')));
  await progressUntil(s, w.clock, async () => (await statsOf(t, s, id)).sent === 20);
  t.is(await round(), 60, 'a paused campaign gets none');
  await s.commands.command(id, 'cancel');
  t.is(await round(), 300);
  t.is(await s.fanout(), false, 'all is written, nothing is waited for');
  await s.stop();
});

test('fan-out: a campaign of ten does not stand behind one of many', async (t) => {
  const w = await world();
  const s = await w.start('a');
  await sent(s, 10_000, { segment_rule: 'many' });
  const small = await sent(s, 10, { segment_rule: 'few' });
  await all(s.relay);
  await s.fanout();
  const written = await readAll(w.client, topics.messages.bulk);
  t.is(written.filter((r) => r.key?.toString() === small).length, 10, 'after one round');
  t.is(written.length, 1_010);
  await s.stop();
});

test('fan-out: campaigns of one partition share its mark', async (t) => {
  const w = await world();
  const s = await w.start('a', { backlogMark: 100 });
  for (const tag of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) await sent(s, 60, { segment_rule: tag });
  await all(s.relay);
  for (let i = 0; i < 5; i++) {
    w.clock.advance(200);
    await all(s.fanout);
  }
  const perPartition = Map.groupBy(await readAll(w.client, topics.messages.bulk), (r) => r.partition);
  for (const [partition, records] of perPartition) t.true(records.length <= 100, `${partition}: ${records.length}`);
  t.true([...perPartition.values()].some((records) => records.length > 60));
  await s.stop();
});

/** A campaign whose messages lie in this partition. */
async function sentInto(s: Service, people: number, tag: string, partition: number): Promise<string> {
  for (;;) {
    const id = await drafted(s, people, { segment_rule: tag });
    if (partitionOf(id, '', 1, PARTITIONS) !== partition) continue;
    await s.commands.command(id, 'send');
    return id;
  }
}
const countsIn = async (w: World) =>
  Map.groupBy(await readAll(w.client, topics.messages.bulk), (r) => r.key?.toString() ?? '');

test('fan-out: what waits in a tier or in held is in nobody’s way', async (t) => {
  const w = await world();
  const s = await w.start('a', { backlogMark: 100 });
  await s.loop.start();
  const a = await sent(s, 150, { segment_rule: 'first' });
  const b = await sentInto(s, 40, 'second', partitionOf(a, '', 1, PARTITIONS));
  const round = async () => {
    w.clock.advance(200);
    await all(s.relay);
    await all(s.fanout);
    const written = await countsIn(w);
    return [written.get(a)?.length ?? 0, written.get(b)?.length ?? 0];
  };
  t.deepEqual(await round(), [100, 0], 'the partition is at its mark');
  t.deepEqual(await round(), [100, 0]);
  const moved = upTo(50).map((n) => delivery(a, n, 'deferred', { tier: '1m', reason: 'provider_transient' }));
  await w.producer.send(moved);
  await progressUntil(s, w.clock, async () => (await statsOf(t, s, a)).retrying === 50);
  t.deepEqual(await round(), [110, 40]);
  await s.stop();
});

test('fan-out: where the mark leaves room for few, who has least in the log goes first', async (t) => {
  const w = await world();
  const s = await w.start('a', { backlogMark: 100 });
  await s.loop.start();
  const a = await sent(s, 300, { segment_rule: 'first' });
  const round = async () => {
    w.clock.advance(200);
    await all(s.relay);
    await all(s.fanout);
    return (await countsIn(w)).get(a)?.length ?? 0;
  };
  t.is(await round(), 100);
  const b = await sentInto(s, 30, 'second', partitionOf(a, '', 1, PARTITIONS));
  t.is(await round(), 100);
  await w.producer.send(upTo(20).map((n) => delivery(a, n, 'sent')));
  await progressUntil(s, w.clock, async () => (await statsOf(t, s, a)).sent === 20);
  t.is(await round(), 100, 'nothing for the one that has plenty');
  t.is((await countsIn(w)).get(b)?.length, 20);
  await s.stop();
});

test('fan-out: when the log takes nothing, the batch is repeated without a double after it is back', async (t) => {
  const w = await world();
  const s = await w.start('a');
  await sent(s, 2_500);
  await all(s.relay);
  w.broker.setAvailable(false);
  await t.throwsAsync(s.fanout());
  w.broker.setAvailable(true);
  w.clock.advance(200);
  await all(s.fanout);
  t.deepEqual(await ordinalsIn(w), upTo(2_500));
  await s.stop();
});

test('fan-out: a round costs each campaign the same, however many are under way', async (t) => {
  const w = await world();
  let asked = 0;
  const live = {
    tallies: () => {
      asked += 1;
      return new Map();
    },
    countedTo: () => new Map(),
  };
  const s = await w.start('a', { live });
  const n = 24;
  for (let i = 0; i < n; i++) await sent(s, 30, { segment_rule: `c${i}`, rate_per_second: 1 });
  await all(s.relay);
  await all(s.fanout);
  t.is((await ordinalsIn(w)).length, n * 20, 'each has its window');
  w.clock.advance(200);
  asked = 0;
  await s.fanout();
  t.true(asked <= 2 * n, `${asked} questions for ${n} campaigns`);
  await s.stop();
});

test('fan-out: a paused campaign is not opened, and one that was is given back', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await sent(s, 30, { rate_per_second: 1 });
  await all(s.relay);
  await all(s.fanout);
  t.is(await w.store.fanout('b').claim(id), undefined, 'a has it');
  await s.commands.command(id, 'pause');
  const round = async () => {
    w.clock.advance(2_000);
    await all(s.fanout);
  };
  await round();
  const claimed = await w.store.fanout('b').claim(id);
  t.is(claimed?.checkpoint.ordinal, 20, 'at once');
  for (let i = 0; i < 5; i++) await round();
  t.truthy(await w.store.fanout('c').claim(id), 'nobody renews it, nobody takes it');
  await w.store.fanout('c').checkpoint(id, (claimed?.lease.fence ?? 0) + 1, { ordinal: 20, logEnds: {} }, 'release');
  await s.commands.command(id, 'cancel');
  await all(s.relay);
  await round();
  t.deepEqual(await ordinalsIn(w), upTo(30));
  await s.stop();
});

test('fan-out: what others wrote while a campaign was paused is not read when it goes on', async (t) => {
  const w = await world();
  const client = w.broker.client();
  const read: number[] = [];
  const counting = {
    ...client,
    readRanges: (of: Parameters<typeof client.readRanges>[0]) => {
      read.push(of.ranges.reduce((sum, { from, to }) => sum + to - from, 0));
      return client.readRanges(of);
    },
  };
  const s = await w.start('a', { client: counting });
  const id = await sent(s, 40, { rate_per_second: 1 });
  await all(s.relay);
  await all(s.fanout);
  t.deepEqual(await ordinalsIn(w), upTo(20));
  await s.commands.command(id, 'pause');
  w.clock.advance(200);
  await all(s.fanout);
  const partition = partitionOf(id, '', 1, PARTITIONS);
  const other = { topic: topics.messages.bulk, partition, key: 'other', value: Buffer.from('x') };
  await w.producer.send(Array.from({ length: 1_000 }, () => other));
  await s.commands.command(id, 'resume');
  await s.commands.command(id, 'cancel');
  await all(s.relay);
  w.clock.advance(200);
  await all(s.fanout);
  t.deepEqual(read, []);
  t.deepEqual(
    (await ordinalsIn(w)).filter((ordinal) => ordinal > 0),
    upTo(40),
  );
  await s.stop();
});
