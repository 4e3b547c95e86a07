import type { DeliveryEvent } from '@volley/contract';
import { isTerminal } from '@volley/contract';
import test from 'ava';
import {
  campaignEvent,
  createWorld,
  messageOf,
  newCampaignId,
  recordingChannel,
  startDispatcher,
  until,
  type World,
} from './support.ts';

const terminals = (events: readonly { event: DeliveryEvent }[]) =>
  events.map(({ event }) => event).filter((e) => isTerminal(e.kind));
const endedAll = (world: World, count: number) => until(async () => terminals(await world.events()).length >= count);
const refusal = (status: number, more = {}) =>
  ({ ok: false, failure: { protocol: 'http', status, detail: `${status}`, ...more } }) as const;

test('a log that takes nothing settles nothing and says so; when it is back all is written', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const channel = recordingChannel();
  let accept = () => {};
  channel.send = (message) => {
    channel.sent.push({ message, attempt: 1, atMs: 0 });
    return new Promise((resolve) => {
      accept = () => resolve({ ok: true, detail: '' });
    });
  };
  await world.campaign(campaignEvent(id));
  await world.messages(0, [messageOf(id, 1)]);
  const d = await startDispatcher(world, { channel });
  await until(() => channel.sent.length === 1);
  world.broker.setAvailable(false);
  accept();
  await until(() => d.pipeline.state().unacknowledged === 1);
  t.is(d.pipeline.state().running, 1, 'its slot is taken until the event is acknowledged');
  world.broker.setAvailable(true);
  await until(async () => (await world.committed())[0] === 1);
  t.deepEqual(
    terminals(await world.events()).map((e) => e.kind),
    ['sent'],
  );
  t.is(channel.sent.length, 1);
  await d.stop();
});

test('a graceful stop ends what runs, commits it, starts nothing more; the rest is there for the next one', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const open: (() => void)[] = [];
  const channel = recordingChannel();
  const seen: string[] = [];
  channel.send = (message) => {
    seen.push(message.messageId);
    return new Promise((resolve) => open.push(() => resolve({ ok: true, detail: '' })));
  };
  await world.campaign(campaignEvent(id));
  await world.messages(
    0,
    [1, 2, 3, 4].map((n) => messageOf(id, n)),
  );
  // Of three slots, bulk has two.
  const d = await startDispatcher(world, { channel, slots: 3 });
  await until(() => open.length === 2);
  const stopping = d.stop();
  for (const answer of open) answer();
  t.true(await stopping);
  t.is((await world.committed())[0], 2);
  t.is(seen.length, 2);

  const next = await startDispatcher(world, { clientId: 'd1', channel: recordingChannel() });
  await endedAll(world, 4);
  const ids = terminals(await world.events()).map((e) => e.message_id);
  t.is(new Set(ids).size, 4);
  t.is(ids.length, 4, 'nothing was repeated');
  await next.stop();
});

test('a graceful stop waits for a retry that is due in time, so that nothing above it is sent again', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const channel = recordingChannel((m, attempt) =>
    m.recipient === 'r1@example.org' && attempt < 3 ? refusal(500) : { ok: true, detail: '' },
  );
  await world.campaign(campaignEvent(id));
  await world.messages(
    0,
    [1, 2, 3].map((n) => messageOf(id, n)),
  );
  const d = await startDispatcher(world, { channel, retryBaseMs: 100 });
  await endedAll(world, 2);
  t.true(await d.stop());
  t.is((await world.committed())[0], 3);
  t.is(channel.sent.length, 5);
});

test('a stop whose deadline passes aborts what runs and leaves it unsettled', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const signals: AbortSignal[] = [];
  const channel = recordingChannel();
  channel.send = (_message, { signal }) => {
    signals.push(signal);
    return new Promise(() => {});
  };
  await world.campaign(campaignEvent(id));
  await world.messages(0, [messageOf(id, 1)]);
  const d = await startDispatcher(world, { channel });
  await until(() => signals.length === 1);
  t.false(await d.stop(50));
  t.true(signals[0]?.aborted);
  t.deepEqual(await world.events(), []);
});
