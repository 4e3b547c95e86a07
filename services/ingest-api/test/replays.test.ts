import { partitionOf } from '@volley/contract';
import { type ReplayView, ROUTES } from '@volley/contract/http';
import test from 'ava';
import { v7 } from 'uuid';
import type { ReplayAsk } from '../src/core/replay.ts';
import { createReplayLog } from '../src/replay-log.ts';
import { createReplayCounts, createReplayDesk } from '../src/replays.ts';
import { PARTITIONS, topics } from './support/log.ts';
import { all, delivery, drafted, running, type World, world } from './support/roles.ts';

const BY = 'key-0a1b2c3d';
const ask = (more: Partial<ReplayAsk> = {}): ReplayAsk => ({
  target: 'analytics',
  dry_run: false,
  allow_gap: false,
  send: false,
  confirm: false,
  reason: '',
  ...more,
});

const deskOn = (w: World) =>
  createReplayDesk({
    tenant: 'default',
    store: w.store.replays,
    campaigns: w.store.campaigns,
    contacts: w.store.contacts,
    log: createReplayLog(w.client),
    topics,
    now: w.clock.now,
    newId: () => v7(),
  });

/** A campaign whose messages are in the log, and half of whose outcomes. */
async function written(n = 6) {
  const { w, s, id } = await running(n);
  await all(s.fanout);
  await w.producer.send(Array.from({ length: n / 2 }, (_, i) => delivery(id, i + 1, 'sent')));
  await s.stop();
  return { w, id, desk: deskOn(w), home: partitionOf(id, '', 1, PARTITIONS) };
}

async function made(desk: ReturnType<typeof deskOn>, asked: ReplayAsk, key?: string): Promise<ReplayView> {
  const result = await desk.ask(asked, BY, key === undefined ? undefined : { key, fingerprint: JSON.stringify(asked) });
  if (!result.ok) throw new Error(`${result.failure.code}: ${result.failure.detail}`);
  if (result.value.status !== 202) throw new Error('nothing was made');
  return result.value.body;
}
async function refused(desk: ReturnType<typeof deskOn>, asked: ReplayAsk) {
  const result = await desk.ask(asked, BY);
  if (result.ok) throw new Error('it was not refused');
  return result.failure;
}
const read = (view: ReplayView) => view.ranges.filter(({ from, to }) => from < to);

test('a replay of statistics has the whole log as it is now, who asked, and why', async (t) => {
  const { w, id, desk, home } = await written();
  const job = await made(desk, ask({ reason: 'a rollup was wrong' }));
  await w.producer.send([delivery(id, 4, 'sent')]);
  t.like(job, {
    status: 'pending',
    asked_by: BY,
    reason: 'a rollup was wrong',
    total: 3,
    swap: 'if_equal',
    requested: null,
  });
  t.is(job.ranges.length, PARTITIONS);
  t.deepEqual(read(job), [{ topic: topics.deliveries, partition: home, from: 0, to: 3 }]);
  t.deepEqual(await desk.find(job.replay_id), job);
  t.true(ROUTES.getReplay.answer.safeParse(job).success);
  const { ranges: _, actions: __, result: ___, progress: ____, template: _____, subject: ______, ...summary } = job;
  t.deepEqual(await desk.list({ limit: 5 }), [summary]);
});

test('a replay of deliveries has both lanes, and reads only partitions of its campaign', async (t) => {
  const { w, id, desk, home } = await written();
  const elsewhere = (home + 1) % PARTITIONS;
  await w.producer.send([{ topic: topics.messages.bulk, partition: elsewhere, key: 'x', value: Buffer.from('x') }]);
  const job = await made(desk, ask({ target: 'deliveries', campaign_id: id, template: 'Hello {{name}}' }));
  t.is(job.ranges.length, 2 * PARTITIONS);
  t.deepEqual(read(job), [{ topic: topics.messages.bulk, partition: home, from: 0, to: 6 }]);
  t.like(job, { total: 6, template: 'Hello {{name}}', subject: null, campaign_id: id });
});

test('a rehearsal is as large as the audience: of a draft as it would be frozen now, of one that was sent as it was', async (t) => {
  const { w, id, desk } = await written();
  const s = await w.start('b');
  const draft = await drafted(s, 3, { segment_rule: 'few' });
  t.like(await made(desk, ask({ target: 'rehearsal', campaign_id: draft })), { total: 3, ranges: [] });
  t.like(await made(desk, ask({ target: 'rehearsal', campaign_id: id })), { total: 6 });
  await drafted(s, 9, { segment_rule: 'all' });
  t.like(await made(desk, ask({ target: 'rehearsal', campaign_id: id })), { total: 6 }, 'nobody came in later');
  const nobody = await drafted(s, 0, { segment_rule: 'nobody' });
  t.is((await refused(desk, ask({ target: 'rehearsal', campaign_id: nobody }))).code, 'empty_audience');
  t.is((await refused(desk, ask({ target: 'deliveries', campaign_id: draft }))).code, 'illegal_transition');
  await s.stop();
});

test('what it begins after, and what ends before its end, is left out', async (t) => {
  const { desk } = await written();
  const soon = Date.now() + 3_600_000;
  t.is((await made(desk, ask({ from: soon }))).total, 0);
  t.is((await made(desk, ask({ to: soon }))).total, 3);
  t.is((await made(desk, ask({ from: 0, to: 1_000 }))).total, 0);
});

test('a dry run counts, names the gaps, estimates by the rate or by what was, and makes nothing', async (t) => {
  const { w, desk, home } = await written();
  w.broker.truncate(topics.deliveries, home, 2);
  const plan = async (more: Partial<ReplayAsk>) => {
    const result = await desk.ask(ask({ dry_run: true, ...more }), BY);
    if (!result.ok || result.value.status !== 200) throw new Error('no plan');
    t.true(ROUTES.startReplay.also.answer.safeParse(result.value.body).success);
    return result.value.body;
  };
  const first = await plan({});
  t.like(first, { total: 1, gaps: [{ topic: topics.deliveries, partition: home, starts_at: 2 }] });
  t.deepEqual(first.estimate, { seconds: null, records_per_second: null, by: 'nothing' });
  t.deepEqual((await plan({ rate_per_second: 0.5 })).estimate, { seconds: 2, records_per_second: 0.5, by: 'rate' });
  await made(desk, ask({ allow_gap: true }));
  const leases = w.store.replayLeases('a');
  const held = await leases.claim(['analytics']);
  if (!held) throw new Error('not claimed');
  w.clock.advance(1_000);
  await leases.save(held, { done: 50_000 });
  await leases.end(held, { status: 'done' });
  t.deepEqual((await plan({})).estimate, { seconds: 1, records_per_second: 50_000, by: 'earlier_replays' });
  t.is((await desk.list({ limit: 5 })).length, 1);
});

test('a log that starts too late is refused with the place, unless the gap is accepted', async (t) => {
  const { w, desk, home } = await written();
  w.broker.truncate(topics.deliveries, home, 2);
  const failure = await refused(desk, ask());
  t.is(failure.code, 'log_truncated');
  t.deepEqual(
    failure.errors?.map(({ detail }) => detail),
    [`${topics.deliveries}, partition ${home}: starts at offset 2`],
  );
  t.is((await refused(desk, ask({ from: 1_000 }))).code, 'log_truncated');
  t.like(await made(desk, ask({ allow_gap: true })), { total: 1, allow_gap: true });
});

test('a campaign that is there as a whole is replayed wherever the log starts; one that is cut is refused', async (t) => {
  const { w, s, id } = await running(4);
  const home = partitionOf(id, '', 1, PARTITIONS);
  // Somebody else's, which retention has taken.
  await w.producer.send([{ topic: topics.messages.bulk, partition: home, key: 'x', value: Buffer.from('x') }]);
  w.broker.truncate(topics.messages.bulk, home, 1);
  await all(s.fanout);
  await s.stop();
  const desk = deskOn(w);
  const asked = ask({ target: 'deliveries', campaign_id: id });
  t.is((await made(desk, asked)).total, 4);
  w.broker.truncate(topics.messages.bulk, home, 2);
  t.is((await refused(desk, asked)).code, 'log_truncated');
  t.is((await made(desk, { ...asked, allow_gap: true })).total, 3);
});

test('under an Idempotency-Key there is one job, whatever the log has become; another request under it is refused', async (t) => {
  const { w, id, desk } = await written();
  const asked = ask({ reason: 'once' });
  const answers = await Promise.all([made(desk, asked, 'k'), made(desk, asked, 'k'), made(desk, asked, 'k')]);
  t.is(new Set(answers.map((job) => job.replay_id)).size, 1);
  await w.producer.send([delivery(id, 5, 'sent')]);
  w.broker.setAvailable(false);
  t.deepEqual(await made(desk, asked, 'k'), answers[0]);
  t.is((await desk.list({ limit: 5 })).length, 1);
  await t.throwsAsync(made(desk, ask(), 'k'), { message: /^idempotency_key_reused/ });
});

test('unknown campaigns, templates that do not compile and a hundred unfinished jobs are refused', async (t) => {
  const { id, desk, w } = await written();
  const unknown = `${id.slice(0, 20)}aaaa00000000`;
  t.is((await refused(desk, ask({ campaign_id: unknown }))).code, 'not_found');
  const broken = await refused(desk, ask({ target: 'deliveries', campaign_id: id, template: 'Hi {{' }));
  t.is(broken.code, 'template_invalid');
  t.is(broken.errors?.[0]?.pointer, '/template');
  for (let i = 0; i < 100; i++) await made(desk, ask());
  t.is((await refused(desk, ask())).code, 'busy');
  t.is(await w.store.replays.unfinished('default'), 100);
});

test('an action is told until it is done, and who asked for it is kept', async (t) => {
  const { w, desk } = await written();
  const { replay_id } = await made(desk, ask());
  const leases = w.store.replayLeases('a');
  const held = await leases.claim(['analytics']);
  if (!held) throw new Error('not claimed');
  const asked = await desk.act(replay_id, 'pause', 'key-2');
  t.true(asked?.ok && asked.value.requested === 'pause' && asked.value.status === 'running');
  await leases.save(held, {});
  await leases.end(held, { status: 'paused' });
  const paused = await desk.find(replay_id);
  t.like(paused, { status: 'paused', requested: null });
  t.deepEqual(paused?.actions, [{ at: new Date(w.clock.now()).toISOString(), by: 'key-2', action: 'pause' }]);
  t.is(await desk.act(v7(), 'pause', 'key-2'), undefined);
});

test('jobs are counted by target and status, and those of which there are none any more as well', async (t) => {
  const w = await world();
  const desk = deskOn(w);
  const seen = new Map<string, number>();
  const replays = {
    set: (jobs: number, { target, status }: { target: string; status: string }) =>
      void seen.set(`${target} ${status}`, jobs),
  };
  const count = createReplayCounts(w.store.replays, { replays } as never);
  const { replay_id } = await made(desk, ask());
  await count();
  t.is(seen.size, 18);
  t.is(seen.get('analytics pending'), 1);
  await desk.act(replay_id, 'cancel', BY);
  await count();
  t.is(seen.get('analytics pending'), 0);
  t.is(seen.get('analytics cancelled'), 1);
});
