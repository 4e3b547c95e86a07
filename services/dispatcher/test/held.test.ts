import { HEADERS, isTerminal, type Message } from '@volley/contract';
import test from 'ava';
import {
  campaignEvent,
  createWorld,
  messageOf,
  newCampaignId,
  recordingChannel,
  startDispatcher,
  topics,
  until,
  type World,
} from './support.ts';

const COUNT = 30;
const messagesOf = (id: string, from = 1): Message[] =>
  Array.from({ length: COUNT }, (_, i) => messageOf(id, from + i));
const eventsOf = async (world: World, campaignId: string) =>
  (await world.events()).map(({ event }) => event).filter((e) => e.campaign_id === campaignId);
const endsOf = async (world: World, campaignId: string) =>
  (await eventsOf(world, campaignId)).filter((e) => isTerminal(e.kind));
const inHeld = async (world: World) => (await world.records(topics.held)).length;

test('what waits when its campaign is paused leaves its lane for held, without an attempt, and comes back in order', async (t) => {
  const world = await createWorld();
  const [id, other] = [newCampaignId(), newCampaignId()];
  const channel = recordingChannel();
  await world.campaign(campaignEvent(id, { version: 2, status: 'paused' }));
  await world.campaign(campaignEvent(other));
  await world.messages(0, messagesOf(id));
  await world.messages(0, messagesOf(other));
  const d = await startDispatcher(world, { channel, pauseGraceMs: 20 });
  await until(async () => (await world.committed())[0] === 2 * COUNT);
  t.is((await endsOf(world, other)).length, COUNT, 'the pause of one is not another’s');
  const moves = await eventsOf(world, id);
  t.is(moves.length, COUNT);
  t.true(moves.every((e) => e.kind === 'deferred' && e.tier === 'held' && e.reason === 'paused' && e.attempt === 0));

  await world.campaign(campaignEvent(id, { version: 3 }));
  await until(async () => (await endsOf(world, id)).length === COUNT);
  t.deepEqual(
    channel.sent.filter((s) => s.message.campaignId === id).map((s) => [s.message.messageId, s.attempt]),
    messagesOf(id).map((m) => [m.message_id, 1]),
  );
  await until(() => world.allSettled());
  await d.stop();
  t.deepEqual(d.fatal, []);
});

test('a message that is moved to held while its campaign is resumed is sent, whichever comes first', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const channel = recordingChannel();
  await world.campaign(campaignEvent(id, { version: 2, status: 'paused' }));
  await world.messages(0, messagesOf(id));
  let paused = 0;
  let goOn = () => {};
  const resumedFirst = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const d = await startDispatcher(world, {
    channel,
    pauseGraceMs: 0,
    // Between the record in held and its event.
    failpoints: {
      hit: (point) => (point === 'dispatch.afterRetry' && ++paused === 1 ? resumedFirst : undefined),
      around: (_name, effect) => effect(),
    },
  });
  await until(() => paused === 1);
  await world.campaign(campaignEvent(id, { version: 3 }));
  await until(() => d.pipeline.state().waiting > 0);
  goOn();
  await until(async () => (await endsOf(world, id)).length === COUNT);
  await until(() => world.allSettled());
  t.is(channel.sent.length, COUNT);
  await d.stop();
});

test('a campaign that stays paused while another one is resumed stays in held; its next owner keeps it there', async (t) => {
  const world = await createWorld();
  const [id, other] = [newCampaignId(), newCampaignId()];
  const channel = recordingChannel();
  for (const c of [id, other]) {
    await world.campaign(campaignEvent(c, { version: 2, status: 'paused' }));
    await world.messages(0, messagesOf(c));
  }
  const first = await startDispatcher(world, { channel, pauseGraceMs: 0 });
  await until(async () => (await inHeld(world)) === 2 * COUNT);
  await world.campaign(campaignEvent(other, { version: 3 }));
  await until(async () => (await endsOf(world, other)).length === COUNT);
  await until(async () => (await inHeld(world)) === 3 * COUNT);
  await until(async () => (await world.committed(topics.held))[0] === 2 * COUNT);
  await first.stop();

  const second = await startDispatcher(world, { clientId: 'd1', channel, pauseGraceMs: 0 });
  await until(async () => (await inHeld(world)) === 4 * COUNT, 20_000);
  await world.campaign(campaignEvent(id, { version: 3 }));
  await until(async () => (await endsOf(world, id)).length === COUNT);
  t.is(channel.sent.length, 2 * COUNT);
  const moves = (await eventsOf(world, id)).filter((e) => e.kind === 'deferred');
  t.is(moves.length, COUNT, 'to be looked at and to wait on is no event');
  await second.stop();
});

test('what a former owner appends to held after its campaign was resumed waits for no pass', async (t) => {
  const world = await createWorld();
  const [id, paused] = [newCampaignId(), newCampaignId()];
  await world.campaign(campaignEvent(id));
  await world.campaign(campaignEvent(paused, { version: 2, status: 'paused' }));
  const d = await startDispatcher(world);
  const headers = { [HEADERS.attempt]: '0', [HEADERS.deferrals]: '1' };
  await world.messages(0, messagesOf(paused), { topic: topics.held, headers });
  await world.messages(0, messagesOf(id), { topic: topics.held, headers });
  await until(async () => (await endsOf(world, id)).length === COUNT);
  t.is(d.pipeline.state().keptBack, COUNT);
  await d.stop();
});

test('cancel ends what waits in a lane, in held and in a tier that is due, without rendering or a call', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const channel = recordingChannel();
  // Whatever is rendered would end as dead.
  const template = '{{missing}}';
  await world.campaign(campaignEvent(id, { version: 2, status: 'paused', template }));
  await world.messages(0, messagesOf(id));
  const d = await startDispatcher(world, { channel, pauseGraceMs: 0, delaysMs: [1_000, 2_000, 3_000, 4_000] });
  await until(async () => (await inHeld(world)) === COUNT);
  const headers = { [HEADERS.attempt]: '4', [HEADERS.deferrals]: '4', [HEADERS.notBefore]: `${Date.now() + 1_000}` };
  await world.messages(1, messagesOf(id, 1 + COUNT), { topic: topics.retry[0] as string, headers });
  await until(() => d.pipeline.state().notDue === COUNT);
  const cancelledMs = performance.now();
  await world.campaign(campaignEvent(id, { version: 3, status: 'cancelling', template }));
  await world.messages(2, messagesOf(id, 1 + 2 * COUNT));
  await until(async () => (await endsOf(world, id)).length === 3 * COUNT);
  t.true(performance.now() - cancelledMs < 5_000);
  const ends = await endsOf(world, id);
  t.true(ends.every((e) => e.kind === 'cancelled'));
  t.is(new Set(ends.map((e) => e.message_id)).size, 3 * COUNT);
  t.is(channel.sent.length, 0);
  await until(() => world.allSettled());
  await d.stop();
});

test('what expires in held ends as expired at the next pass', async (t) => {
  const world = await createWorld();
  const [id, other] = [newCampaignId(), newCampaignId()];
  const expiresAt = Date.now() + 1_500;
  await world.campaign(campaignEvent(id, { version: 2, status: 'paused', expires_at: expiresAt }));
  await world.campaign(campaignEvent(other, { version: 2, status: 'paused' }));
  await world.messages(0, messagesOf(id));
  const d = await startDispatcher(world, { pauseGraceMs: 0 });
  await until(async () => (await inHeld(world)) === COUNT);
  await until(() => Date.now() > expiresAt + 5);
  await world.campaign(campaignEvent(other, { version: 3 }));
  await until(async () => (await endsOf(world, id)).length === COUNT);
  t.true((await endsOf(world, id)).every((e) => e.kind === 'expired'));
  await d.stop();
});
