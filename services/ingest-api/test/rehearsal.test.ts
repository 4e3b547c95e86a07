import { isRehearsal, type Message, rehearsalTenantOf } from '@volley/contract';
import type { ReplayJob } from '@volley/contract/replays';
import { createMemoryReplayLeases, type MemoryReplays, memoryReplay } from '@volley/contract/replays-memory';
import { createMetrics } from '@volley/runtime';
import test from 'ava';
import { metricCatalogue } from '../src/metrics.ts';
import type { RehearsalReader, RehearsalResult } from '../src/rehearsal-ports.ts';
import { rehearsalSide } from '../src/rehearsal-role.ts';
import { identity } from './support/api.ts';
import { decodeAll, PARTITIONS, readAll, silent, topics } from './support/log.ts';
import {
  all,
  delivery,
  drafted,
  progressUntil,
  type World as Roles,
  type Service,
  sent,
  upTo,
  world,
} from './support/roles.ts';

const REHEARSALS = rehearsalTenantOf('default');
const PROVIDERS = [{ name: 'simulated', channel: 'simulated', url: 'simulated:', rate_per_second: 40 }] as const;
const JOB = '01990000-0000-7000-8000-000000000001';

const jobOf = (campaignId: string, total: number): ReplayJob => ({
  replay_id: JOB,
  tenant_id: 'default',
  target: 'rehearsal',
  status: 'pending',
  phase: '',
  reason: 'test',
  asked_by: 'test',
  campaign_id: campaignId,
  rate_per_second: null,
  options: { allow_gap: false, swap: 'never', send: false },
  ranges: [],
  total,
  done: 0,
  progress: null,
  result: null,
  error: null,
  created_at: 0,
  started_at: null,
  finished_at: null,
  undo_requested: false,
});

/** A role of one process; what it rehearses is in the world's store and log. */
function roleOf(w: World, s: Service, owner: string, figures: RehearsalReader['figures'] = async () => NO_FIGURES) {
  const { m: metric } = createMetrics(metricCatalogue, false);
  const forgotten: string[] = [];
  const nothing = () => {};
  const role = rehearsalSide(
    {
      ...{ clock: w.clock, log: silent, metric, topics, partitions: PARTITIONS, providers: PROVIDERS },
      ...{ wakeRelay: nothing, wakeFanout: nothing, wakeProgress: nothing, wakeRedrive: nothing },
      failpoints: { hit: () => undefined, around: (_, work) => work() },
    },
    {
      ...{
        ...identity,
        store: w.store.campaigns,
        commands: s.commands,
        live: s.live,
        progress: w.store.progressReader,
      },
      leases: createMemoryReplayLeases(w.replays, { owner, monotonicMs: w.clock.monotonicMs }),
      reader: { figures },
      forgetAudience: async (id) => void forgotten.push(id),
    },
  );
  const round = () => {
    w.clock.advance(1_000);
    return role.round();
  };
  return { ...role, round, forgotten };
}
interface World extends Roles {
  readonly replays: MemoryReplays;
}
const NO_FIGURES = { reasons: [], samples: [], p50_ms: null, p95_ms: null, p99_ms: null };

const job = (w: World) => w.replays.get(JOB)?.job as ReplayJob;
function ask(w: World, what: { pauseRequested?: boolean; cancelRequested?: boolean }): void {
  const row = w.replays.get(JOB);
  if (row) w.replays.set(JOB, { ...row, ...what });
}
const messagesOf = async (w: World) => decodeAll('Message', await readAll(w.client, topics.messages.bulk));

async function rehearsing(
  people: number,
  before: (s: Service) => Promise<string> = (s) => drafted(s, people, { rate_per_second: 60 }),
  rate: number | null = null,
) {
  const w: World = { ...(await world()), replays: new Map() };
  const s = await w.start('a', { providers: PROVIDERS });
  const id = await before(s);
  w.replays.set(JOB, memoryReplay({ ...jobOf(id, people), rate_per_second: rate }));
  await s.loop.start();
  return { w, s, id };
}

/** Everything that the copy has ends as this. */
async function end(w: World, s: Service, messages: readonly Message[], kind: (n: number) => 'sent' | 'dead') {
  for (const m of messages) {
    const event = { tenant_id: m.tenant_id, partition: 0 };
    await w.producer.send([delivery(m.campaign_id, m.ordinal, kind(m.ordinal), { tenant_id: event.tenant_id })]);
  }
  await progressUntil(s, w.clock, async () => s.live.tallies(messages[0]?.campaign_id ?? '').size > 0);
}

test('a draft is rehearsed with the audience that a send would freeze, and stays a draft', async (t) => {
  const { w, s, id } = await rehearsing(6);
  const asked: [string, number][] = [];
  const role = roleOf(w, s, 'a', async (of, n) => {
    asked.push([of.tenant_id, n]);
    return asked.length === 1
      ? undefined
      : { ...NO_FIGURES, p95_ms: 12, reasons: [{ reason: 'missing_variable', messages: 2 }] };
  });
  await role.round();
  await all(s.relay);
  await all(s.fanout);
  const messages = await messagesOf(w);
  t.deepEqual(messages.map((m) => m.ordinal).sort(), upTo(6));
  t.true(messages.every((m) => isRehearsal(m.tenant_id) && m.campaign_id !== id));
  const copyId = messages[0]?.campaign_id as string;
  const copy = await w.store.campaigns.find(REHEARSALS, copyId);
  t.like(copy, { status: 'running', provider: 'rehearsal:simulated', template: 'Hi {{name}}', expected: 6 });

  await role.round();
  t.like(job(w), { status: 'running', phase: 'sending', progress: { rehearsal_id: copyId } });
  await end(w, s, messages, (n) => (n > 4 ? 'dead' : 'sent'));
  await progressUntil(s, w.clock, async () => (await w.store.campaigns.find(REHEARSALS, copyId))?.ended_at !== null);
  await role.round();
  t.like(job(w), { status: 'running', phase: 'counting', done: 6 }, 'not all of it is stored yet');
  await role.round();
  const { result, ...ended } = job(w);
  t.like(ended, { status: 'done', done: 6 });
  t.like(result as RehearsalResult, {
    ...{ campaign_id: copyId, total: 6, would_send: 4, would_fail: 2, p95_ms: 12, rate_per_second: 40 },
    reasons: [{ reason: 'missing_variable', messages: 2 }],
  });
  t.deepEqual(asked, [
    [REHEARSALS, 6],
    [REHEARSALS, 6],
  ]);
  t.deepEqual(role.forgotten, [copyId]);

  t.like(await w.store.campaigns.find('default', id), { status: 'draft', version: 1 });
  t.deepEqual(
    (await w.store.campaigns.list('default', { limit: 10 })).map((c) => c.campaign_id),
    [id],
  );
  await s.stop();
});

test('a campaign that was sent is rehearsed with the audience that it had', async (t) => {
  const { w, s } = await rehearsing(3, async (service) => {
    const sentId = await sent(service, 3);
    // Somebody who came later.
    await drafted(service, 5);
    return sentId;
  });
  await roleOf(w, s, 'a').round();
  await all(s.relay);
  await all(s.fanout);
  const rehearsed = (await messagesOf(w)).filter((m) => isRehearsal(m.tenant_id));
  t.is(rehearsed.length, 3);
  await s.stop();
});

test('killed before its copy was made, or after: whoever goes on has one copy', async (t) => {
  for (const dies of ['before', 'after'] as const) {
    const { w, s } = await rehearsing(4);
    const { transaction } = w.store.campaigns;
    const dying = await w.start('b', { providers: PROVIDERS });
    const store = {
      ...w.store.campaigns,
      async transaction(work: Parameters<typeof transaction>[0]) {
        if (dies === 'after') await transaction(work);
        throw new Error('killed');
      },
    };
    const role = roleOf({ ...w, store: { ...w.store, campaigns: store as typeof w.store.campaigns } }, dying, 'b');
    await t.throwsAsync(role.round(), { message: 'killed' });
    w.clock.advance(20_000);
    const next = roleOf(w, s, 'a');
    await next.round();
    await next.round();
    await all(s.relay);
    await all(s.fanout);
    t.deepEqual((await messagesOf(w)).map((m) => m.ordinal).sort(), upTo(4), dies);
    t.is((await w.store.campaigns.list(REHEARSALS, { limit: 10 })).length, 1, dies);
    await dying.stop();
    await s.stop();
  }
});

test('a pause of the job is one of the copy, and going on as well', async (t) => {
  const { w, s } = await rehearsing(4);
  const role = roleOf(w, s, 'a');
  await role.round();
  ask(w, { pauseRequested: true });
  await role.round();
  t.is(job(w).status, 'paused');
  const statusOf = async () => (await w.store.campaigns.list(REHEARSALS, { limit: 1 }))[0]?.status;
  t.is(await statusOf(), 'paused');
  w.replays.set(JOB, memoryReplay({ ...job(w), status: 'pending' }));
  await role.round();
  t.is(await statusOf(), 'running');
  t.deepEqual(role.forgotten, []);
  await s.stop();
});

test('a cancel ends the copy first, and then the job', async (t) => {
  const { w, s } = await rehearsing(3);
  const role = roleOf(w, s, 'a');
  await role.round();
  ask(w, { cancelRequested: true });
  await role.round();
  t.like(job(w), { status: 'running', phase: 'sending' });
  await role.round();
  t.like(job(w), { status: 'running', phase: 'cancelling' });
  await all(s.relay);
  await all(s.fanout);
  const messages = await messagesOf(w);
  await w.producer.send(
    messages.map((m) => delivery(m.campaign_id, m.ordinal, 'cancelled', { tenant_id: m.tenant_id })),
  );
  await progressUntil(s, w.clock, async () => {
    await role.round();
    return job(w).status === 'cancelled';
  });
  t.is(role.forgotten.length, 1);
  await s.stop();
});

test('a cancel before anything was done makes no copy', async (t) => {
  const { w, s } = await rehearsing(3);
  ask(w, { cancelRequested: true });
  await roleOf(w, s, 'a').round();
  t.is(job(w).status, 'cancelled');
  t.deepEqual(await w.store.campaigns.list(REHEARSALS, { limit: 10 }), []);
  await s.stop();
});

test('a rehearsal has the rate of its campaign, or the one that was asked for', async (t) => {
  for (const rate of [null, 25]) {
    const { w, s } = await rehearsing(2, undefined, rate);
    await roleOf(w, s, 'a').round();
    const [copy] = await w.store.campaigns.list(REHEARSALS, { limit: 1 });
    t.is(copy?.rate_per_second, rate ?? 60);
    await s.stop();
  }
});

test('a draft with nobody in it cannot be rehearsed, and says so', async (t) => {
  const { w, s, id } = await rehearsing(0);
  await roleOf(w, s, 'a').round();
  t.like(job(w), { status: 'failed', error: 'the audience is empty: nothing was queued' });
  t.like(await w.store.campaigns.find('default', id), { status: 'draft' });
  await s.stop();
});
