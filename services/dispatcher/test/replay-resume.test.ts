import { setImmediate as turn } from 'node:timers/promises';
import { messageIdOf } from '@volley/contract';
import type { ReplaySave } from '@volley/contract/replays';
import test from 'ava';
import { createRenderer } from '../src/adapters/templates.ts';
import type { DeliveriesProgress } from '../src/replay-deliveries.ts';
import { createDesk, jobOf, rangesNow, replay, runnerOf } from './replay-support.ts';
import { campaignEvent, createWorld, messageOf, newCampaignId, startDispatcher, until } from './support.ts';

const TEMPLATE = '{% if email contains "3@" %}Hey{% else %}Hi{% endif %} {{name}}';

/** 90 messages in all partitions, 9 of which another template changes; sent twice to the log, as a fan-out that was repeated. */
async function finishedCampaign() {
  const world = await createWorld();
  const campaignId = newCampaignId();
  await world.campaign(campaignEvent(campaignId));
  const dispatcher = await startDispatcher(world);
  const messages = Array.from({ length: 90 }, (_, i) => messageOf(campaignId, i + 1));
  for (const p of [0, 1, 2]) {
    const own = messages.filter((_, i) => i % 3 === p);
    await world.messages(p, own);
    await world.messages(p, own.slice(-10));
  }
  await until(() => world.allSettled());
  await dispatcher.stop();
  return { world, campaignId };
}

test('a replay that is killed after any save goes on to the same result', async (t) => {
  const { world, campaignId } = await finishedCampaign();
  const whole = await replay(world, campaignId, { template: TEMPLATE });
  t.like(whole, { messages: 90, renders_differently: 9, same: 81 });
  const job = jobOf(campaignId, await rangesNow(world.broker.client()));
  const work = { ...job, options: { ...job.options, template: TEMPLATE } };

  // As whoever saves sees it: whenever the event loop turns.
  const saved = new Map<string, ReplaySave>();
  let snapshot: () => ReplaySave = () => ({});
  const saves = (of: () => ReplaySave) => {
    snapshot = of;
  };
  let isOver = false;
  const { signal } = new AbortController();
  const run = runnerOf(world, { maxPlaces: 16, sliceMs: 0 })(
    { job: work, signal, saves },
    { job: work, fence: 1, valid: () => true },
  ).finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const now = snapshot();
    if (now.progress !== undefined) saved.set(JSON.stringify(now.progress), now);
    await turn();
  }
  const result = await run;
  // The first 25 of a kind are kept, and shares are another order.
  t.deepEqual({ ...(result as object), samples: [] }, { ...whole, samples: [] });
  t.true(saved.size > 90, `${saved.size} different saves`);
  const all = [...saved.keys()].map((text) => JSON.parse(text) as DeliveriesProgress);
  t.true(
    all.some(({ shares }) => (shares[0]?.of ?? 0) > 1),
    'a partition was read in shares',
  );

  for (const progress of all.filter((_, i) => i % 7 === 0)) {
    const resumed = await runnerOf(world, { maxPlaces: 16 })(
      { job: { ...work, progress }, signal, saves() {} },
      { job: work, fence: 2, valid: () => true },
    );
    t.deepEqual(resumed, result);
  }
});

test('a pause keeps what was done, a cancel ends it, a lost lease is left alone', async (t) => {
  const { world, campaignId } = await finishedCampaign();
  const ranges = await rangesNow(world.broker.client());
  for (const asked of ['pauseRequested', 'cancelRequested', 'lost'] as const) {
    const desk = createDesk();
    const job = jobOf(campaignId, ranges);
    desk.add(job);
    let rendered = 0;
    const newRenderer: typeof createRenderer = () => {
      const { render, forget } = createRenderer();
      return {
        forget,
        render(campaign, message) {
          rendered += 1;
          if (rendered === 40 && asked !== 'lost') desk.ask(job.replay_id, asked);
          const row = desk.replays.get(job.replay_id);
          if (rendered === 40 && asked === 'lost' && row) desk.replays.set(job.replay_id, { ...row, fence: 9 });
          return render(campaign, message);
        },
      };
    };
    // Slow enough that a save comes between two messages.
    const limited = { ...job, rate_per_second: 2_000 };
    desk.add(limited);
    const runner = runnerOf(world, { newRenderer, sliceMs: 0 });
    t.true(await desk.worker('r0', runner, 1).round());
    const left = desk.job(job.replay_id);
    const status = { pauseRequested: 'paused', cancelRequested: 'cancelled', lost: 'running' } as const;
    t.is(left.status, status[asked]);
    t.is(left.result, null);
    t.true(rendered >= 40 && rendered < 90, `${rendered} were rendered`);
    if (asked !== 'pauseRequested') continue;
    t.is((left.progress as DeliveriesProgress).tally.messages, rendered);
    desk.add({ ...left, status: 'pending', rate_per_second: null });
    t.true(await desk.worker('r1', runner).round());
    t.like(desk.job(job.replay_id), { status: 'done', result: { messages: 90, same: 90 }, done: 120, total: 120 });
    t.is(rendered, 90, 'nothing was rendered twice');
  }
});

test('a stop gives the job back at once', async (t) => {
  const { world, campaignId } = await finishedCampaign();
  const desk = createDesk();
  const job = { ...jobOf(campaignId, await rangesNow(world.broker.client())), rate_per_second: 200 };
  desk.add(job);
  const worker = desk.worker('r0', runnerOf(world), 1);
  const round = worker.round();
  await until(() => desk.job(job.replay_id).done > 5);
  await worker.stop();
  await round;
  t.like(desk.job(job.replay_id), { status: 'pending' });
  t.false(await worker.round(), 'it takes nothing more');
});

test('what the log has lost is said, and ends the replay', async (t) => {
  const { world, campaignId } = await finishedCampaign();
  const desk = createDesk();
  const [first, ...others] = await rangesNow(world.broker.client());
  const job = jobOf(campaignId, [{ ...first, to: (first?.to ?? 0) + 1_000 } as never, ...others]);
  desk.add(job);
  await desk.worker('r0', runnerOf(world)).round();
  t.like(desk.job(job.replay_id), { status: 'failed' });
  t.regex(desk.job(job.replay_id).error ?? '', /the log is not what it was/);
});

test('a campaign that the log does not know any more cannot be replayed', async (t) => {
  const world = await createWorld();
  const campaignId = newCampaignId();
  await world.messages(0, [messageOf(campaignId, 1)]);
  await t.throwsAsync(replay(world, campaignId), { message: /failed: the log knows nothing of this campaign/ });
});

test('a log that goes away is waited for', async (t) => {
  const { world, campaignId } = await finishedCampaign();
  const client = world.broker.client();
  let asked = 0;
  const log = {
    admin: () => client.admin(),
    readRanges(options: Parameters<typeof client.readRanges>[0]) {
      asked += 1;
      if (asked === 8) return Promise.reject(new Error('ECONNREFUSED'));
      return client.readRanges(options);
    },
  };
  t.like(await replay(world, campaignId, {}, { log }), { messages: 90, same: 90 });
  t.true(asked > 9);
});

test('samples name the message', async (t) => {
  const { world, campaignId } = await finishedCampaign();
  const { samples } = await replay(world, campaignId, { template: TEMPLATE });
  t.is(samples.length, 9);
  t.true(samples.some(({ message_id }) => message_id === messageIdOf(campaignId, 13)));
});
