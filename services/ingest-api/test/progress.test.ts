import { type DeliveryEvent, messageIdOf, partitionOf } from '@volley/contract';
import test from 'ava';
import { decodeAll, PARTITIONS, topics, until } from './support/log.ts';
import {
  delivery,
  encodeDelivery,
  joined,
  progressUntil,
  running,
  sent,
  statsOf,
  statusOf,
  upTo,
  world,
} from './support/roles.ts';

test('progress: repeats count once, and the campaign completes when the last message has ended', async (t) => {
  const { w, s, id } = await running(3);
  await w.producer.send([
    delivery(id, 1, 'deferred'),
    delivery(id, 1, 'sent', { deferrals: 1 }),
    delivery(id, 1, 'sent', { deferrals: 1 }),
    delivery(id, 1, 'failed', { deferrals: 1 }),
    delivery(id, 2, 'deferred'),
    delivery(id, 2, 'deferred', { deferrals: 1 }),
    delivery(id, 2, 'deferred'),
  ]);
  await progressUntil(s, w.clock, async () => (await statsOf(t, s, id)).retrying === 1);
  t.like(await statsOf(t, s, id), { total: 3, sent: 1, failed: 0, retrying: 1, queued: 1, status: 'running' });
  await w.producer.send([delivery(id, 2, 'sent', { deferrals: 2 }), delivery(id, 3, 'sent')]);
  await progressUntil(s, w.clock, async () => (await statusOf(w, id)) === 'completed');
  t.like(await statsOf(t, s, id), { total: 3, sent: 3, retrying: 0, queued: 0, p50_ms: null, status: 'completed' });
  await s.stop();
});

for (const [kind, status] of [
  ['failed', 'completed_with_failures'],
  ['dead', 'completed_with_failures'],
  ['expired', 'completed_with_failures'],
  ['cancelled', 'completed'],
] as const) {
  test(`progress: a campaign whose last message is ${kind} ends as ${status}`, async (t) => {
    const { w, s, id } = await running(2);
    await w.producer.send([delivery(id, 1, 'sent'), delivery(id, 2, kind)]);
    await progressUntil(s, w.clock, async () => (await statusOf(w, id)) !== 'running');
    t.is(await statusOf(w, id), status);
    await s.stop();
  });
}

test('progress: a cancelled campaign is cancelled when the sum is reached', async (t) => {
  const { w, s, id } = await running(2);
  await s.commands.command(id, 'cancel');
  await w.producer.send([delivery(id, 1, 'cancelled')]);
  await progressUntil(s, w.clock, async () => (await statsOf(t, s, id)).cancelled === 1);
  t.is(await statusOf(w, id), 'cancelling');
  await w.producer.send([delivery(id, 2, 'failed')]);
  await progressUntil(s, w.clock, async () => (await statusOf(w, id)) === 'cancelled');
  t.pass();
  await s.stop();
});

test('progress: more ends than the campaign has is an alarm, and it never completes', async (t) => {
  const { w, s, id } = await running(2);
  await w.producer.send([delivery(id, 1, 'sent'), delivery(id, 3, 'sent'), delivery(id, 2, 'sent')]);
  await progressUntil(s, w.clock, async () => (await statsOf(t, s, id)).sent === 2);
  for (let i = 0; i < 5; i++) {
    w.clock.advance(3_000);
    await s.progress();
  }
  t.is(await statusOf(w, id), 'running');
  t.is(await s.metricOf('volley_ingest_progress_events_total', { outcome: 'surplus' }), 1);
  t.is(await s.metricOf('volley_ingest_progress_surplus_campaigns'), 1);
  t.is(await s.metricOf('volley_ingest_progress_lag_events'), 0);
  await s.stop();
});

test('progress: a restart goes on after what was saved; what was not saved is counted again, once', async (t) => {
  const { w, s, id } = await running(4);
  await w.producer.send([delivery(id, 1, 'sent')]);
  await progressUntil(s, w.clock, async () => (await w.store.progressReader.tallies(id)).size > 0);
  await w.producer.send([delivery(id, 2, 'sent')]);
  // Counted in memory, not saved: the clock stands still.
  await until('it is counted', async () => {
    await s.progress();
    return (await statsOf(t, s, id)).sent === 2;
  });
  const saved = [...(await w.store.progressReader.tallies(id)).values()];
  t.is(saved[0]?.sent, 1);
  // The process dies: its group membership runs out, nothing is committed any more.
  w.broker.isolate('a-progress');
  const next = await w.start('b');
  await joined(next);
  await w.producer.send([delivery(id, 1, 'sent'), delivery(id, 3, 'sent'), delivery(id, 4, 'sent')]);
  await progressUntil(next, w.clock, async () => (await statusOf(w, id)) === 'completed');
  t.like(await statsOf(t, next, id), { sent: 4, queued: 0 });
  await Promise.all([s.stop(), next.stop()]);
});

test('progress: an owner that takes over knows what was counted before, and counts no repeat of it', async (t) => {
  const { w, s, id } = await running(4);
  await w.producer.send([delivery(id, 1, 'sent'), delivery(id, 2, 'deferred')]);
  await progressUntil(s, w.clock, async () => (await w.store.progressReader.tallies(id)).size > 0);
  w.broker.isolate('a-progress');
  const next = await w.start('b');
  await joined(next);
  await w.producer.send([delivery(id, 1, 'dead'), delivery(id, 2, 'deferred'), delivery(id, 3, 'sent')]);
  await progressUntil(next, w.clock, async () => (await statsOf(t, next, id)).sent === 2);
  t.like(await statsOf(t, next, id), { sent: 2, dead: 0, retrying: 1, queued: 1 });
  t.is(await next.metricOf('volley_ingest_progress_events_total', { outcome: 'repeat' }), 2);
  await Promise.all([s.stop(), next.stop()]);
});

test('progress: a redrive takes a message out of its state, and it counts where it ends then', async (t) => {
  const { w, s, id } = await running(2);
  await w.producer.send([delivery(id, 1, 'deferred'), delivery(id, 1, 'dead', { deferrals: 1 })]);
  await progressUntil(s, w.clock, async () => (await statsOf(t, s, id)).dead === 1);
  const redriven = delivery(id, 1, 'redriven', { run: 1, previous_kind: 'dead', attempt: 0 });
  await w.producer.send([redriven, redriven, delivery(id, 1, 'sent')]);
  await progressUntil(s, w.clock, async () => (await statsOf(t, s, id)).dead === 0);
  t.like(
    await statsOf(t, s, id),
    { total: 2, queued: 2, sent: 0, dead: 0, retrying: 0 },
    'a late end of the old run is none',
  );
  await w.producer.send([delivery(id, 1, 'deferred', { run: 1 }), delivery(id, 2, 'sent')]);
  await progressUntil(s, w.clock, async () => (await statsOf(t, s, id)).retrying === 1);
  t.is(await statusOf(w, id), 'running');
  await w.producer.send([delivery(id, 1, 'sent', { run: 1, deferrals: 1 })]);
  await progressUntil(s, w.clock, async () => (await statusOf(w, id)) === 'completed');
  t.like(await statsOf(t, s, id), { total: 2, queued: 0, sent: 2, dead: 0, retrying: 0 });
  await s.stop();
});

test('progress: a zombie saves nothing over its successor', async (t) => {
  const { w, s, id } = await running(4);
  const savedSent = async () => [...(await w.store.progressReader.tallies(id)).values()][0]?.sent;
  await w.producer.send([delivery(id, 1, 'sent')]);
  await progressUntil(s, w.clock, async () => (await savedSent()) === 1);
  await w.producer.send([delivery(id, 2, 'sent')]);
  await until('counted, and not saved', async () => {
    await s.progress();
    return (await statsOf(t, s, id)).sent === 2;
  });
  w.broker.isolate('a-progress');
  const next = await w.start('b');
  await joined(next);
  await w.producer.send([delivery(id, 3, 'sent')]);
  await progressUntil(next, w.clock, async () => (await savedSent()) === 3);
  // The zombie still believes that the partition is its own: its save is from an offset that has moved.
  w.clock.advance(2_000);
  await s.progress();
  t.is(await s.metricOf('volley_ingest_progress_saves_total', { outcome: 'fenced' }), 1);
  t.is(await savedSent(), 3);
  // It reads what was saved, and counts what it has in hand only where that goes on.
  await until('the zombie agrees', async () => {
    await s.progress();
    return (await statsOf(t, s, id)).sent === 3;
  });
  await Promise.all([s.stop(), next.stop()]);
});

test('progress: what cannot be decoded, and what belongs to no campaign, is passed over and counted', async (t) => {
  const { w, s, id } = await running(1);
  const partition = partitionOf(id, '', 1, PARTITIONS);
  const garbage = (value: Buffer | null) => ({ topic: topics.deliveries, partition, key: id, value });
  await w.producer.send([
    garbage(Buffer.from('not Avro')),
    garbage(null),
    garbage(Buffer.from([0, 0, 0, 0, 9, 1, 2])),
    { ...delivery('01a1fdc2-e2c6-780b-84ec-2fe500000000', 1, 'sent'), partition },
    { ...delivery(id, 1, 'sent'), value: encodeDelivery({ ...decodeOne(id), campaign_id: "' OR 1=1" }) },
    delivery(id, 1, 'sent'),
  ]);
  await progressUntil(s, w.clock, async () => (await statusOf(w, id)) === 'completed');
  const outcome = (name: string) => s.metricOf('volley_ingest_progress_events_total', { outcome: name });
  t.is(await outcome('undecodable'), 3);
  t.is(await outcome('unknown'), 1);
  t.is(await outcome('foreign'), 1);
  t.is(await outcome('ended'), 1);
  await s.stop();
});

function decodeOne(id: string): DeliveryEvent {
  const { value } = delivery(id, 1, 'sent');
  const [event] = decodeAll('DeliveryEvent', [{ value } as never]);
  return event as DeliveryEvent;
}

test('progress: while the registry is away nothing is passed over', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await sent(s, 1);
  s.schemas.away = true;
  await s.loop.start();
  await w.producer.send([delivery(id, 1, 'sent')]);
  await until('the registry is asked', async () => {
    try {
      await s.progress();
      return false;
    } catch (error) {
      return /away/.test((error as Error).message);
    }
  });
  s.schemas.away = false;
  await progressUntil(s, w.clock, async () => (await statusOf(w, id)) === 'completed');
  t.is((await statsOf(t, s, id)).sent, 1);
  await s.stop();
});

test('progress: a log that does not reach back to what was saved stops the partition, loudly', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await sent(s, 5);
  const partition = partitionOf(id, '', 1, PARTITIONS);
  await w.store.progress.save({
    topic: topics.deliveries,
    cluster: await w.admin.clusterId(),
    partitions: [{ partition, from: 0, next: 2, logEnd: 2, eventAtMs: 0, changed: [] }],
  });
  await w.producer.send(upTo(5).map((n) => delivery(id, n, 'sent')));
  w.broker.truncate(topics.deliveries, partition, 3);
  await s.loop.start();
  await until('it stops', async () => {
    await s.progress();
    return s.stoppedPartitions() === 1;
  });
  t.is((await statsOf(t, s, id)).sent, 0);
  await s.stop();
});

for (const [what, cluster, next] of [
  ['a log that was made anew', 'the log before', 5],
  ['a log that ends before what was saved', undefined, 80_000],
] as const) {
  test(`progress: ${what} stops the partition, and nothing in it is taken for counted`, async (t) => {
    const w = await world();
    const s = await w.start('a');
    const id = await sent(s, 5);
    const partition = partitionOf(id, '', 1, PARTITIONS);
    await w.store.progress.save({
      topic: topics.deliveries,
      cluster: cluster ?? (await w.admin.clusterId()),
      partitions: [{ partition, from: 0, next, logEnd: next, eventAtMs: 0, changed: [] }],
    });
    await w.producer.send(upTo(5).map((n) => delivery(id, n, 'sent')));
    await s.loop.start();
    await until('it stops', async () => {
      await s.progress();
      return s.stoppedPartitions() === 1;
    });
    t.is(await s.metricOf('volley_ingest_progress_stopped_partitions'), 1);
    t.is(await s.metricOf('volley_ingest_progress_events_total', { outcome: 'skipped' }), 0);
    await s.stop();
  });
}

test('progress: which message it was is taken from its id, and an id of another campaign counts for none', async (t) => {
  const { w, s, id } = await running(2);
  const event = decodeOne(id);
  const send = (change: Partial<DeliveryEvent>) =>
    w.producer.send([{ ...delivery(id, 1, 'sent'), value: encodeDelivery({ ...event, ...change }) }]);
  await send({ message_id: messageIdOf('01a1fdc2-e2c6-780b-84ec-2fe500000000', 2), ordinal: 2 });
  await send({ message_id: 'nonsense', ordinal: 2 });
  await send({ message_id: id, ordinal: 0 });
  await send({ message_id: messageIdOf(id, 1), ordinal: 2 });
  const outcome = (name: string) => s.metricOf('volley_ingest_progress_events_total', { outcome: name });
  await progressUntil(s, w.clock, async () => (await statsOf(t, s, id)).sent === 1);
  t.is(await outcome('foreign'), 3);
  await send({ message_id: messageIdOf(id, 1), ordinal: 1 });
  await progressUntil(s, w.clock, async () => (await outcome('repeat')) === 1);
  t.is((await statsOf(t, s, id)).sent, 1, 'the first message has ended, whatever the event called its place');
  await s.stop();
});

test('progress: a registry that says once or twice that there is no such schema is asked again before it is believed', async (t) => {
  const { w, s, id } = await running(2);
  s.schemas.missing = 2;
  await w.producer.send([delivery(id, 1, 'sent'), delivery(id, 2, 'sent')]);
  const outcome = (name: string) => s.metricOf('volley_ingest_progress_events_total', { outcome: name });
  await until('it was asked', async () => {
    await s.progress();
    return s.schemas.missing === 1;
  });
  t.not(await s.progress(), true, 'it waits, and does not run in circles');
  t.is(s.schemas.missing, 1, 'not again in the same moment');
  await progressUntil(s, w.clock, async () => (await statusOf(w, id)) === 'completed');
  t.is(await outcome('undecodable'), 0);
  await s.stop();
});
