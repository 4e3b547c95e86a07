import { type DeliveryEvent, isTerminal } from '@volley/contract';
import type { Failpoints } from '@volley/runtime';
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

/** From the n-th hit of `name` on nothing gets past it, as if the process had died there. */
function diesAt(name: string, n: number): Failpoints & { readonly died: () => boolean } {
  let hits = 0;
  return {
    died: () => hits >= n,
    hit(point) {
      if (point === name && ++hits >= n) return new Promise<void>(() => {});
    },
    around: (_name, effect) => effect(),
  };
}

const MESSAGES = 300;
const SLOTS = 16;

/** Sent at once, refused for good, or sent by way of a tier: dead letters, moves and events are under way when it dies. */
const WAYS = ['sent', 'failed', 'moved'] as const;
const wayOf = (ordinal: number) => WAYS[ordinal % 3] as (typeof WAYS)[number];

for (const [point, n] of [
  ['dispatch.beforeSend', 100],
  ['dispatch.afterAccept', 60],
  ['dispatch.afterDlq', 30],
  ['dispatch.afterRetry', 30],
  ['dispatch.afterEvent', 100],
] as const) {
  test(`dies at ${point}: the next one ends every message, and sends at most the slots again`, async (t) => {
    const world = await createWorld();
    const id = newCampaignId();
    await world.campaign(campaignEvent(id));
    await world.messages(
      0,
      Array.from({ length: MESSAGES }, (_, i) => messageOf(id, i + 1, { recipient: `${wayOf(i + 1)}${i}@x.org` })),
    );
    const refusal = (status: number) =>
      ({ ok: false, failure: { protocol: 'http', status, detail: `${status}` } }) as const;
    const channel = recordingChannel((m, attempt) => {
      if (m.recipient.startsWith('failed')) return refusal(410);
      if (m.recipient.startsWith('moved') && attempt === 1) return refusal(500);
      return { ok: true, detail: '' };
    });
    const failpoints = diesAt(point, n);
    const options = { channel, slots: SLOTS, policy: { memoryAttempts: 1 } };
    const first = await startDispatcher(world, { ...options, failpoints });
    await until(failpoints.died);
    first.crash();
    await first.noticed();

    const second = await startDispatcher(world, { ...options, clientId: 'd1' });
    await until(() => world.allSettled(), 30_000);
    const all = (await world.events()).map(({ event }) => event);
    const byId = Map.groupBy(
      all.filter((e) => isTerminal(e.kind)),
      (e: DeliveryEvent) => e.message_id,
    );
    t.is(byId.size, MESSAGES, 'nothing is lost');
    for (const [, ofOne] of byId) {
      t.is(new Set(ofOne.map((e) => e.kind)).size, 1, 'each message has one end');
      const way = wayOf(ofOne[0]?.ordinal ?? 0);
      t.is(ofOne[0]?.kind, way === 'failed' ? 'failed' : 'sent');
      t.is(ofOne[0]?.deferrals, way === 'moved' ? 1 : 0);
    }
    const letters = new Map((await world.deadLetters()).map((l) => [l.offset, l.headers['v-message-id']?.toString()]));
    for (const e of all.filter((x) => x.kind === 'failed'))
      t.is(letters.get(e.dlq_offset ?? -1), e.message_id, 'an event names its own dead letter');
    const moves = Map.groupBy(
      all.filter((e) => e.kind === 'deferred'),
      (e: DeliveryEvent) => e.message_id,
    );
    t.true(
      [...moves.values()].filter((m) => m.length > 1).length <= SLOTS,
      'what moved does so again at most by the slots',
    );

    // What was settled above the committed watermark is skipped by what the ledger knows.
    const calls = Map.groupBy(channel.sent, (s) => `${s.message.messageId} ${s.attempt}`);
    t.is(calls.size, (MESSAGES * 4) / 3);
    const twice = [...calls.values()].filter((c) => c.length > 1).length;
    t.true(twice <= SLOTS, `${twice} attempts made twice`);
    t.true([...calls.values()].every((c) => c.length <= 2));
    await second.stop();
    await first.discard();
  });
}

test('a process that heard nothing from the group for a session dies without writing', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const answers: (() => void)[] = [];
  const channel = recordingChannel();
  channel.send = () => new Promise((resolve) => answers.push(() => resolve({ ok: true, detail: '' })));
  await world.campaign(campaignEvent(id));
  await world.messages(0, [messageOf(id, 1), messageOf(id, 2)]);
  const d = await startDispatcher(world, { channel, slots: 1, sessionTimeoutMs: 2_000 });
  await until(() => answers.length === 1);
  d.cutOff();
  await until(() => d.fatal.length > 0);
  t.regex(d.fatal[0]?.message ?? '', /no heartbeat/);
  answers[0]?.();
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  t.deepEqual(await world.events(), []);
  t.is(answers.length, 1, 'nothing more was started');
  await d.discard();
});

test('a process that slept over its session sends nothing that became due meanwhile, though it had no work', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const m = messageOf(id, 1);
  const channel = recordingChannel((_m, attempt) =>
    attempt === 1 ? { ok: false, failure: { protocol: 'http', status: 500, detail: '500' } } : { ok: true, detail: '' },
  );
  await world.campaign(campaignEvent(id));
  await world.messages(0, [m]);
  const delaysMs = [2_000, 2_100, 2_200, 2_300];
  const d = await startDispatcher(world, { channel, delaysMs, policy: { memoryAttempts: 1 }, sessionTimeoutMs: 1_000 });
  await until(() => d.pipeline.state().notDue === 1);
  d.cutOff();
  await until(() => d.fatal.length > 0 || channel.sent.length > 1);
  t.is(channel.sent.length, 1, 'its partitions are somebody else’s by now');
  t.regex(d.fatal[0]?.message ?? '', /no heartbeat/);
  await d.discard();
});
