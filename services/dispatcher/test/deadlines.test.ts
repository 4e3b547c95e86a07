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
} from './support.ts';

const LIFE_MS = 1_500;

test('a rate of one in hours does not keep a message beyond its deadline', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const channel = recordingChannel();
  const expiresAt = Date.now() + LIFE_MS;
  await world.campaign(campaignEvent(id, { rate_per_second: 0.0001, expires_at: expiresAt }));
  await world.messages(
    0,
    [1, 2, 3].map((n) => messageOf(id, n)),
  );
  const d = await startDispatcher(world, { channel });
  const ended = async () => (await world.events()).map(({ event }) => event).filter((e) => isTerminal(e.kind));
  await until(async () => (await ended()).length === 3);
  const ends = await ended();
  t.deepEqual(ends.map((e) => `${e.ordinal} ${e.kind} ${e.attempt}`).sort(), [
    '1 sent 1',
    '2 expired 0',
    '3 expired 0',
  ]);
  for (const e of ends.filter((end) => end.kind === 'expired')) t.true(e.occurred_at >= expiresAt);
  t.is(channel.sent.length, 1);
  await d.stop();
});

test('a provider that wants to be left alone for an hour does not keep a message beyond its deadline', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const channel = recordingChannel(() => ({
    ok: false,
    failure: { protocol: 'http', status: 429, detail: '429', retryAfterMs: 3_600_000 },
  }));
  const expiresAt = Date.now() + LIFE_MS;
  await world.campaign(campaignEvent(id));
  await world.messages(
    0,
    [1, 2].map((n) => messageOf(id, n, { expires_at: expiresAt })),
  );
  // One slot: the second never comes to its own attempt, it waits for the provider.
  const d = await startDispatcher(world, { channel, slots: 1 });
  const ended = async () => (await world.events()).map(({ event }) => event).filter((e) => isTerminal(e.kind));
  await until(async () => (await ended()).length === 2);
  const ends = await ended();
  t.deepEqual(ends.map((e) => `${e.ordinal} ${e.kind}`).sort(), ['1 expired', '2 expired']);
  for (const e of ends) t.true(e.occurred_at >= expiresAt);
  t.is(channel.sent.length, 1, 'the provider was left alone');
  await d.stop();
});

test('a channel that answers at its own deadline has the word: a connection that was never made is known', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const sendDeadlineMs = 100;
  const channel = recordingChannel(async (_m, attempt) => {
    if (attempt > 1) return { ok: true, detail: '' };
    await new Promise((resolve) => setTimeout(resolve, sendDeadlineMs + 30));
    return { ok: false, failure: { protocol: 'http', code: 'ECONNREFUSED', stage: 'connect', detail: 'refused' } };
  });
  await world.campaign(campaignEvent(id));
  await world.messages(0, [messageOf(id, 1)]);
  const d = await startDispatcher(world, { channel, sendDeadlineMs });
  await until(() => world.allSettled());
  t.deepEqual(
    (await world.events()).map(({ event }) => [event.kind, event.reason, event.detail]),
    [
      ['deferred', 'connection_failed', 'refused'],
      ['sent', '', ''],
    ],
  );
  t.is(d.counts.late, 0);
  await d.stop();
});
