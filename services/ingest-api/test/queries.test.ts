import { partitionOf } from '@volley/contract';
import test, { type ExecutionContext } from 'ava';
import { PARTITIONS, topics } from './support/log.ts';
import {
  delivery,
  drafted,
  progressUntil,
  running,
  type Service,
  sent,
  statsOf,
  type World,
  world,
} from './support/roles.ts';

const NO_PROGRESS = { tallies: () => new Map(), countedTo: () => new Map() };

/** As the next look at the log finds it. */
async function statsAfter(t: ExecutionContext, w: World, s: Service, id: string, ms = 1_000) {
  w.clock.advance(ms);
  const stats = await statsOf(t, s, id);
  t.is(stats.lag_ms, w.clock.now() - Date.parse(stats.as_of), 'the lag is the age of as_of');
  return stats;
}

test('stats: counts are as of the time up to which the log is counted, and stay there while nobody counts', async (t) => {
  const { w, s, id } = await running(4);
  // One process answers, and another one counts.
  const answering = await w.start('b', { live: NO_PROGRESS });
  t.like(await statsAfter(t, w, answering, id), { sent: 0, lag_ms: 0 });
  await w.producer.send([delivery(id, 1, 'sent')]);
  const counted = await statsAfter(t, w, answering, id);
  t.like(counted, { sent: 0, lag_ms: 1_000 }, 'it is not counted yet');
  // The process that counts is dead, or hangs.
  t.like(await statsAfter(t, w, answering, id, 3_600_000), { sent: 0, as_of: counted.as_of });
  await progressUntil(s, w.clock, async () => (await statsOf(t, answering, id)).sent === 1);
  t.like(await statsAfter(t, w, answering, id), { sent: 1, lag_ms: 0 });
  // While the log is away nothing of it is known.
  const before = (await statsOf(t, answering, id)).as_of;
  w.broker.setAvailable(false);
  t.like(await statsAfter(t, w, answering, id, 60_000), { sent: 1, as_of: before });
  w.broker.setAvailable(true);
  await Promise.all([s.stop(), answering.stop()]);
});

test('stats: a process that starts beside a backlog says up to when it was counted before', async (t) => {
  const { w, s, id } = await running(4);
  const sentAt = (await statsOf(t, s, id)).as_of;
  await w.producer.send([delivery(id, 1, 'sent'), delivery(id, 2, 'sent')]);
  w.clock.advance(3_600_000);
  for (const live of [undefined, NO_PROGRESS]) {
    const started = await w.start('b', live ? { live } : {});
    t.like(await statsAfter(t, w, started, id), { sent: 0, as_of: sentAt }, 'nothing was counted: as it was sent');
    await started.stop();
  }
  const partition = partitionOf(id, '', 1, PARTITIONS);
  const eventAtMs = w.clock.now() - 600_000;
  const saved = { partition, from: 0, next: 1, logEnd: 1, eventAtMs, changed: [] };
  await w.store.progress.save({ topic: topics.deliveries, cluster: await w.admin.clusterId(), partitions: [saved] });
  const started = await w.start('c', { live: NO_PROGRESS });
  t.like(await statsAfter(t, w, started, id), { as_of: new Date(eventAtMs).toISOString() });
  await started.stop();
  await s.stop();
});

test('stats: a draft has no event, so its counts are of now', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await drafted(s, 1);
  t.like(await statsAfter(t, w, s, id), { total: 0, lag_ms: 0 });
  await s.stop();
});

test('preview: other work has its turn between two rows', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await sent(s, 100);
  let turns = 0;
  let previewing = true;
  const work = () => {
    turns += 1;
    if (previewing) setImmediate(work);
  };
  setImmediate(work);
  const preview = await s.reads.preview(id, 100);
  previewing = false;
  t.is(preview.ok && preview.value.sample.length, 100);
  t.true(turns >= 100, `${turns} turns`);
  await s.stop();
});

test('preview: a template that takes its time for every row ends as a refusal that says what to do', async (t) => {
  const w = await world();
  let spentMs = 0;
  // Every look at the clock finds it 50 ms further on.
  const monotonicMs = () => {
    spentMs += 50;
    return w.clock.monotonicMs() + spentMs;
  };
  const clock = { ...w.clock, monotonicMs };
  const s = await w.start('a', { clock });
  const id = await sent(s, 100);
  const few = await s.reads.preview(id, 10);
  t.is(few.ok && few.value.explanation, 'tagged all');
  t.is(few.ok && few.value.sample.length, 10);
  const many = await s.reads.preview(id, 100);
  t.is(many.ok ? '' : many.failure.code, 'template_invalid');
  t.regex(many.ok ? '' : many.failure.detail, /more than 1000 ms .*limit/);
  await s.stop();
});
