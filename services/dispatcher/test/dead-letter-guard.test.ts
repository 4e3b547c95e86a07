import { isTerminal } from '@volley/contract';
import test from 'ava';
import { createDeadLetterGuard, DEFAULT_GUARD } from '../src/core/dead-letter-guard.ts';
import {
  campaignEvent,
  createWorld,
  messageOf,
  newCampaignId,
  recordingChannel,
  startDispatcher,
  until,
} from './support.ts';

const bad = (n: number) => ({ isMessage: false, n });
const good = (n: number) => ({ isMessage: true, n });

for (const [title, steps, trips] of [
  ['a thousand in a row', [bad(1_000)], /^1000 records in a row/],
  ['one less', [bad(999)], undefined],
  ['one less, then a message, then one less', [good(100_000), bad(999), good(1), bad(999)], undefined],
  ['more than a fifth, before there were two thousand', [good(1_500), bad(499)], undefined],
  ['more than a fifth of two thousand', [good(1_500), bad(500)], /^500 of the last 2000/],
  [
    'a fifth of ten thousand',
    [
      good(8_000),
      ...Array(4)
        .fill([bad(500), good(1)])
        .flat(),
    ],
    undefined,
  ],
  [
    'more than a fifth of ten thousand',
    [
      good(8_000),
      ...Array(5)
        .fill([bad(500), good(1)])
        .flat(),
    ],
    /of the last/,
  ],
  ['what was bad before the last ten thousand', [good(1_000), bad(400), good(10_000), bad(900)], undefined],
] as const) {
  test(`${title}: ${trips === undefined ? 'goes on' : 'stops'}`, (t) => {
    const tally = createDeadLetterGuard(DEFAULT_GUARD).of('topic', 0);
    for (const { isMessage, n } of steps as readonly { isMessage: boolean; n: number }[])
      for (let i = 0; i < n; i++) isMessage ? tally.message() : tally.noMessage();
    if (trips === undefined) t.is(tally.tripped, undefined);
    else t.regex(tally.tripped ?? '', trips);
  });
}

test('each partition has its own count', (t) => {
  const guard = createDeadLetterGuard({ run: 2, ratio: 1, window: 100, from: 100 });
  guard.of('topic', 0).noMessage();
  guard.of('topic', 1).noMessage();
  guard.of('other', 0).noMessage();
  t.is(guard.of('topic', 0).tripped, undefined);
  guard.of('topic', 0).noMessage();
  t.truthy(guard.of('topic', 0).tripped);
  t.is(guard.of('topic', 1).tripped, undefined);
});

test('a partition of garbage stops where it trips and says why; others go on; the next owner sees the rest', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  await world.campaign(campaignEvent(id));
  const garbage = Buffer.from('garbage');
  for (let i = 0; i < 8; i++) await world.raw(0, garbage);
  await world.messages(0, [messageOf(id, 1)]);
  await world.messages(1, [messageOf(id, 2)]);
  const guard = { run: 5, ratio: 1, window: 1_000, from: 1_000 };
  const d = await startDispatcher(world, { guard });
  await until(() => d.stopped.length > 0);
  t.deepEqual(d.stopped, ['t.messages.bulk/0: 5 records in a row are no messages']);
  await until(async () => (await world.committed())[1] === 1);
  await until(async () => (await world.committed())[0] === 4);
  t.is((await world.deadLetters()).length, 4);
  await d.stop();

  const next = await startDispatcher(world, { clientId: 'd1' });
  await until(() => world.allSettled());
  t.is((await world.deadLetters()).length, 8);
  await next.stop();
});

test('what came before the garbage is sent all the same: its partition stops behind it, and each restart comes further', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  await world.campaign(campaignEvent(id, { rate_per_second: 20 }));
  await world.messages(
    0,
    [1, 2, 3, 4, 5, 6].map((n) => messageOf(id, n)),
  );
  for (let i = 0; i < 8; i++) await world.raw(0, Buffer.from('garbage'));
  await world.messages(0, [messageOf(id, 7)]);
  const guard = { run: 5, ratio: 1, window: 1_000, from: 1_000 };
  const d = await startDispatcher(world, { guard });
  await until(() => d.stopped.length > 0);
  await until(async () => (await world.committed())[0] === 10);
  await d.stop();
  const next = await startDispatcher(world, { guard, clientId: 'd1' });
  await until(() => world.allSettled());
  t.deepEqual(next.stopped, []);
  t.is((await world.deadLetters()).length, 8);
  await next.stop();
});

test('messages that are refused, exhausted or cannot be rendered stop no partition', async (t) => {
  const world = await createWorld();
  const [refused, unrenderable] = [newCampaignId(), newCampaignId()];
  await world.campaign(campaignEvent(refused, { max_attempts: 1 }));
  await world.campaign(campaignEvent(unrenderable, { template: '{{missing}}' }));
  await world.messages(
    0,
    Array.from({ length: 60 }, (_, i) => messageOf(i % 2 ? refused : unrenderable, i + 1)),
  );
  const channel = recordingChannel((m) => ({
    ok: false,
    failure: { protocol: 'http', status: m.recipient.length % 2 ? 410 : 500, detail: '' },
  }));
  const d = await startDispatcher(world, { channel, guard: { run: 5, ratio: 0.1, window: 100, from: 10 } });
  await until(() => world.allSettled());
  t.deepEqual(d.stopped, []);
  t.is((await world.events()).filter(({ event }) => isTerminal(event.kind)).length, 60);
  await d.stop();
});
