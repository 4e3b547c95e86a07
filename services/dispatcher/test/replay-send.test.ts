import test from 'ava';
import type { AskedRedrive, Redrives } from '../src/replay-ports.ts';
import { createDesk, jobOf, rangesNow, runnerOf } from './replay-support.ts';
import {
  campaignEvent,
  createWorld,
  messageOf,
  newCampaignId,
  recordingChannel,
  startDispatcher,
  until,
} from './support.ts';

async function failedCampaign() {
  const world = await createWorld();
  const campaignId = newCampaignId();
  await world.campaign(campaignEvent(campaignId));
  const refused = { ok: false, failure: { protocol: 'http', status: 400, detail: 'no' } } as const;
  const dispatcher = await startDispatcher(world, { channel: recordingChannel(() => refused) });
  const late = { expires_at: Date.now() - 1 };
  await world.messages(0, [
    messageOf(campaignId, 1),
    messageOf(campaignId, 2, { vars: '{}' }),
    messageOf(campaignId, 3, late),
  ]);
  await until(() => world.allSettled());
  await dispatcher.stop();
  return { world, campaignId };
}

/** A redrive role that is done at the `rounds`-th look. */
function redriveRole(rounds: number) {
  const asked: unknown[] = [];
  const cancelled: string[] = [];
  let looks = 0;
  const redrives: Redrives = {
    async ask({ job }, wanted) {
      asked.push([job.replay_id, wanted]);
      return true;
    },
    async find(): Promise<AskedRedrive> {
      looks += 1;
      if (looks === 2) throw new Error('Postgres is away');
      return { status: looks > rounds ? 'done' : 'running', selected: 2, redriven: 2, left: {} };
    },
    async cancel(id) {
      cancelled.push(id);
    },
  };
  return { redrives, asked, cancelled, looks: () => looks };
}

const SEND = { allow_gap: false, swap: 'if_equal', send: true } as const;

test('send: after the comparison what failed is redriven, and what came of it is part of the result', async (t) => {
  const { world, campaignId } = await failedCampaign();
  const desk = createDesk();
  const role = redriveRole(2);
  const job = jobOf(campaignId, await rangesNow(world.broker.client()), { options: SEND });
  desk.add(job);
  await desk.worker('r0', runnerOf(world, role)).round();
  t.deepEqual(role.asked, [[job.replay_id, { campaignId, matched: 3 }]]);
  t.like(desk.job(job.replay_id), {
    status: 'done',
    result: { same: 3, sent: { redrive_id: job.replay_id, status: 'done', selected: 2, redriven: 2 } },
  });
});

test('send: a replay that is cancelled meanwhile cancels its redrive', async (t) => {
  const { world, campaignId } = await failedCampaign();
  const desk = createDesk();
  const role = redriveRole(1_000_000);
  const job = jobOf(campaignId, await rangesNow(world.broker.client()), { options: SEND });
  desk.add(job);
  const round = desk.worker('r0', runnerOf(world, role)).round();
  await until(() => role.looks() > 0);
  desk.ask(job.replay_id, 'cancelRequested');
  await round;
  t.deepEqual(role.cancelled, [job.replay_id]);
  t.is(desk.job(job.replay_id).status, 'cancelled');
});

for (const [what, more] of [
  ['a part of a campaign', { from: 1 }],
  ['a campaign with other texts', { options: { ...SEND, template: 'Hi' } }],
] as const)
  test(`send: not for ${what}`, async (t) => {
    const world = await createWorld();
    const desk = createDesk();
    const job = jobOf(newCampaignId(), [], { options: SEND, ...more });
    desk.add(job);
    await desk.worker('r0', runnerOf(world)).round();
    t.is(desk.job(job.replay_id).status, 'failed');
  });
