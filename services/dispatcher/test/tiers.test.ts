import { type DeliveryEvent, HEADERS, isTerminal, type Message } from '@volley/contract';
import type { Failpoints } from '@volley/runtime';
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

const refusal = (status: number, more = {}) =>
  ({ ok: false, failure: { protocol: 'http', status, detail: `${status}`, ...more } }) as const;
const accepted = { ok: true, detail: '' } as const;
const eventsOf = async (world: World, m: Message): Promise<DeliveryEvent[]> =>
  (await world.events()).map(({ event }) => event).filter((e) => e.message_id === m.message_id);
const ended = async (world: World) => (await world.events()).filter(({ event }) => isTerminal(event.kind)).length;

const DELAYS = [60, 90, 120, 150];
const EIGHT = { maxAttempts: 8, memoryAttempts: 4 };

test('four attempts in memory, then one from each tier, then dead: attempts without a gap, one dead letter', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const m = messageOf(id, 1);
  const channel = recordingChannel(() => refusal(500));
  await world.campaign(campaignEvent(id));
  await world.messages(1, [m], { headers: { 'x-own': 'kept' } });
  const d = await startDispatcher(world, { channel, delaysMs: DELAYS, policy: EIGHT });
  await until(async () => (await ended(world)) === 1);
  await until(() => world.allSettled());

  const events = await eventsOf(world, m);
  t.deepEqual(
    events.map((e) => [e.kind, e.tier, e.attempt, e.deferrals]),
    [
      ['deferred', 'memory', 1, 0],
      ['deferred', 'memory', 2, 1],
      ['deferred', 'memory', 3, 2],
      ['deferred', '5s', 4, 3],
      ['deferred', '1m', 5, 4],
      ['deferred', '10m', 6, 5],
      ['deferred', '1h', 7, 6],
      ['dead', '', 8, 7],
    ],
  );
  t.is(events.at(-1)?.reason, 'attempts_exhausted');
  t.deepEqual(
    channel.sent.map((s) => s.attempt),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
  const [letter, ...others] = await world.deadLetters();
  t.is(others.length, 0);
  t.is(letter?.partition, 1);
  t.is(letter?.headers['volley-attempts']?.toString(), '8');
  t.regex(letter?.headers['volley-origin']?.toString() ?? '', /^t\.messages\.bulk\/1\/0\/\d+$/);
  t.is(letter?.headers['x-own']?.toString(), 'kept');
  t.is(letter?.headers[HEADERS.attempt], undefined, 'nothing of its way through the tiers');
  t.deepEqual(letter?.value, (await world.records(topics.messages.bulk))[0]?.value);
  await d.stop();
  t.deepEqual(d.fatal, []);
});

test('a record of a tier that is due before the event of its move is acknowledged waits for it, and is not lost', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const m = messageOf(id, 1);
  const channel = recordingChannel((_m, attempt) => (attempt === 1 ? refusal(500) : accepted));
  let goOn = () => {};
  const failpoints: Failpoints = {
    hit: (point) =>
      point === 'dispatch.afterRetry'
        ? new Promise((resolve) => {
            goOn = resolve;
          })
        : undefined,
    around: (_name, effect) => effect(),
  };
  await world.campaign(campaignEvent(id));
  await world.messages(0, [m]);
  const d = await startDispatcher(world, { channel, failpoints, delaysMs: DELAYS, policy: { memoryAttempts: 1 } });
  await until(() => d.pipeline.state().waiting === 1);
  t.is(channel.sent.length, 1);
  goOn();
  await until(() => world.allSettled());
  t.deepEqual(
    (await eventsOf(world, m)).map((e) => [e.kind, e.attempt, e.deferrals]),
    [
      ['deferred', 1, 0],
      ['sent', 2, 1],
    ],
  );
  await d.stop();
});

test('no record of a tier runs before its time, whatever the order in the log', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const asked = new Map<string, number>();
  // Every message asks for a wait of its own once: short ones stand behind long ones in the same tier.
  const channel = recordingChannel((m, attempt) => {
    if (asked.has(m.messageId)) return accepted;
    const waitMs = 50 + ((attempt * 7_919 + asked.size * 104_729) % 150);
    asked.set(m.messageId, performance.now() + waitMs);
    return refusal(500);
  });
  await world.campaign(campaignEvent(id));
  for (const p of [0, 1, 2]) {
    await world.messages(
      p,
      Array.from({ length: 200 }, (_, i) => messageOf(id, p * 200 + i + 1)),
    );
  }
  const d = await startDispatcher(world, { channel, delaysMs: [150, 150, 150, 150], policy: { memoryAttempts: 1 } });
  await until(async () => (await ended(world)) === 600, 30_000);
  const second = channel.sent.filter((s) => s.attempt === 2);
  t.is(second.length, 600);
  const notBefore = new Map(
    (await world.records(topics.retry[0] as string)).map((r) => [
      r.headers[HEADERS.messageId]?.toString() ?? '',
      Number(r.headers[HEADERS.notBefore]?.toString()),
    ]),
  );
  for (const s of second) {
    const atEpochMs = performance.timeOrigin + s.atMs;
    t.true(atEpochMs >= (notBefore.get(s.message.messageId) ?? Number.NaN));
  }
  await d.stop();
});

test('a not-before of the year 2300 waits as long as its tier does', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const channel = recordingChannel();
  const m = messageOf(id, 1);
  await world.campaign(campaignEvent(id));
  await world.messages(0, [m], {
    topic: topics.retry[1] as string,
    headers: { [HEADERS.attempt]: '4', [HEADERS.deferrals]: '4', [HEADERS.notBefore]: '10413792000000' },
  });
  const startMs = performance.now();
  const d = await startDispatcher(world, { channel, delaysMs: [10, 300, 300, 300] });
  await until(async () => (await ended(world)) === 1);
  const waitedMs = (channel.sent[0]?.atMs ?? 0) - startMs;
  t.true(waitedMs >= 300, `${waitedMs}`);
  t.is(channel.sent[0]?.attempt, 5, 'it goes on where it was');
  await d.stop();
});

test('numbers of attempts that Volley does not write make a record no message', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const channel = recordingChannel();
  const forged = ['-1', '1e9', '1000000001', 'many', ''];
  await world.campaign(campaignEvent(id));
  for (const [i, attempt] of forged.entries()) {
    const topic = i % 2 === 0 ? (topics.retry[0] as string) : topics.messages.bulk;
    await world.messages(0, [messageOf(id, i + 1)], { topic, headers: { [HEADERS.attempt]: attempt } });
  }
  const d = await startDispatcher(world, { channel });
  await until(() => world.allSettled());
  const events = (await world.events()).map(({ event }) => event);
  t.deepEqual(
    events.map((e) => [e.kind, e.reason]),
    forged.map(() => ['dead', 'undecodable']),
  );
  t.is(channel.sent.length, 0);
  await d.stop();
});

test('headers of a past on a record of a lane give it none', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const channel = recordingChannel();
  await world.campaign(campaignEvent(id));
  const headers = { [HEADERS.attempt]: '7', [HEADERS.deferrals]: '9', [HEADERS.notBefore]: '10413792000000' };
  await world.messages(0, [messageOf(id, 1)], { headers });
  const d = await startDispatcher(world, { channel });
  await until(async () => (await ended(world)) === 1);
  t.is(channel.sent[0]?.attempt, 1);
  await d.stop();
});

test('a provider that asks for longer than memory may wait: through the tier that fits, without an attempt', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const m = messageOf(id, 1);
  const channel = recordingChannel((_m, _attempt) =>
    channel.sent.length === 1 ? refusal(429, { retryAfterMs: 100 }) : accepted,
  );
  await world.campaign(campaignEvent(id));
  await world.messages(0, [m]);
  const d = await startDispatcher(world, { channel, delaysMs: [60, 120, 200, 300], policy: { memoryMs: 50 } });
  await until(async () => (await ended(world)) === 1);
  t.deepEqual(
    (await eventsOf(world, m)).map((e) => [e.kind, e.tier, e.reason, e.attempt]),
    [
      ['deferred', '1m', 'provider_throttled', 0],
      ['sent', '', '', 1],
    ],
  );
  const [first, second] = channel.sent;
  t.true((second?.atMs ?? 0) - (first?.atMs ?? 0) >= 100);
  await d.stop();
});

test('a provider is left alone for as long as it asks, not for as long as the tier of the message waits', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const channel = recordingChannel(() => (channel.sent.length === 1 ? refusal(429, { retryAfterMs: 200 }) : accepted));
  await world.campaign(campaignEvent(id));
  await world.messages(0, [messageOf(id, 1), messageOf(id, 2)]);
  const delaysMs = [4_000, 4_100, 4_200, 4_300];
  const d = await startDispatcher(world, { channel, slots: 1, delaysMs, policy: { memoryMs: 50 } });
  await until(() => channel.sent.length === 2);
  const [first, second] = channel.sent;
  const waitedMs = (second?.atMs ?? 0) - (first?.atMs ?? 0);
  t.true(waitedMs >= 200 && waitedMs < 4_000, `${waitedMs} ms`);
  t.not(second?.message.messageId, first?.message.messageId);
  await d.stop(0);
});

test('patience ends what would be tried for too long, and says so', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const m = messageOf(id, 1);
  const channel = recordingChannel(() => refusal(500));
  await world.campaign(campaignEvent(id, { max_attempts: 50 }));
  await world.messages(0, [m]);
  const d = await startDispatcher(world, { channel, delaysMs: DELAYS, policy: { memoryAttempts: 1, patienceMs: 200 } });
  await until(async () => (await ended(world)) === 1);
  const events = await eventsOf(world, m);
  t.like(events.at(-1), { kind: 'dead', reason: 'patience_exhausted' });
  t.true(events.length >= 2 && events.length < 6, 'it was tried for as long as it may be');
  t.is((await world.deadLetters())[0]?.headers['volley-reason']?.toString(), 'patience_exhausted');
  await d.stop();
});

test('what expires in a tier ends at its time, not at the tier’s', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const expiresAt = Date.now() + 300;
  const m = messageOf(id, 1, { expires_at: expiresAt });
  await world.campaign(campaignEvent(id));
  await world.messages(0, [m]);
  const channel = recordingChannel(() => refusal(500));
  const d = await startDispatcher(world, {
    channel,
    delaysMs: [5_000, 5_000, 5_000, 5_000],
    policy: { memoryAttempts: 1 },
  });
  await until(async () => (await ended(world)) === 1);
  const last = (await eventsOf(world, m)).at(-1);
  t.is(last?.kind, 'expired');
  t.true((last?.occurred_at ?? 0) >= expiresAt && (last?.occurred_at ?? 0) < expiresAt + 3_000);
  await d.stop();
});

test('an unknown campaign holds its messages for a while, then they wait in tiers, one after the other', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const m = messageOf(id, 1);
  const channel = recordingChannel();
  await world.messages(0, [m]);
  const d = await startDispatcher(world, { channel, standMs: 60, delaysMs: [40, 60, 80, 100] });
  await until(async () => (await eventsOf(world, m)).length >= 3);
  t.is((await world.committed())[0], 1, 'its lane went on');
  await world.campaign(campaignEvent(id));
  await until(async () => (await ended(world)) === 1);
  const events = await eventsOf(world, m);
  const deferred = events.filter((e) => e.kind === 'deferred');
  t.deepEqual(
    deferred.map((e) => e.tier),
    ['5s', '1m', '10m', '1h', '1h', '1h', '1h'].slice(0, deferred.length),
  );
  t.true(deferred.every((e, i) => e.reason === 'campaign_unknown' && e.attempt === 0 && e.deferrals === i));
  t.like(events.at(-1), { kind: 'sent', attempt: 1, deferrals: deferred.length });
  t.deepEqual(await world.deadLetters(), []);
  await d.stop();
});

test('a limit that lets nothing pass holds no partition: its messages wait in tiers, others go on', async (t) => {
  const world = await createWorld();
  const [slow, fast] = [newCampaignId(), newCampaignId()];
  const channel = recordingChannel();
  // One at once, the next in a quarter of an hour.
  await world.campaign(campaignEvent(slow, { rate_per_second: 0.001 }));
  await world.campaign(campaignEvent(fast));
  await world.messages(
    0,
    [1, 2, 3].map((n) => messageOf(slow, n)),
  );
  await world.messages(0, [messageOf(fast, 1)]);
  const d = await startDispatcher(world, { channel, delaysMs: [5_000, 10_000, 600_000, 3_600_000] });
  await until(async () => (await world.committed())[0] === 4);
  t.is(channel.sent.length, 2);
  const moved = (await world.events()).map(({ event }) => event).filter((e) => e.kind === 'deferred');
  t.deepEqual(
    moved.map((e) => [e.campaign_id, e.tier, e.reason, e.attempt]),
    [2, 3].map(() => [slow, '1h', 'throttled', 0]),
  );
  await d.stop();
});

test('a campaign that leaves at its rate is moved nowhere, however long its queue', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  await world.campaign(campaignEvent(id, { rate_per_second: 50 }));
  await world.messages(
    0,
    Array.from({ length: 40 }, (_, i) => messageOf(id, i + 1)),
  );
  const d = await startDispatcher(world, { channel: recordingChannel(), standMs: 250 });
  await until(async () => (await ended(world)) === 40);
  t.true((await world.events()).every(({ event }) => event.kind === 'sent'));
  await d.stop();
});

test('a record of a message that has ended, or that another copy was moved from, is skipped', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const channel = recordingChannel((m) => (m.recipient === 'r2@example.org' ? refusal(500) : accepted));
  await world.campaign(campaignEvent(id));
  const [sent, moved] = [messageOf(id, 1), messageOf(id, 2)];
  await world.messages(0, [sent, moved]);
  // The same for both: nobody waits longer than his own tier's delay, whatever the record says.
  const delaysMs = [600_000, 600_000, 600_000, 3_600_000];
  const first = await startDispatcher(world, { channel, delaysMs, policy: { memoryAttempts: 1 } });
  await until(async () => (await world.committed())[0] === 2);
  await world.messages(0, [sent, moved, { ...sent, recipient: 'other@example.org' }]);
  await until(async () => (await world.committed())[0] === 5);
  t.is(first.counts.repeats, 3);
  await first.stop();
  // So it is for the next owner, which knows it from the log alone.
  await world.messages(0, [sent, moved]);
  const second = await startDispatcher(world, { clientId: 'd1', channel, delaysMs });
  await until(async () => (await world.committed())[0] === 7);
  t.is(second.counts.repeats, 2);
  t.is(channel.sent.length, 2);
  await second.stop();
});

test('two copies of a message to different addresses, both here: one goes, the other is skipped', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const answers: (() => void)[] = [];
  const channel = recordingChannel(() => new Promise((resolve) => answers.push(() => resolve(accepted))));
  await world.campaign(campaignEvent(id));
  const m = messageOf(id, 1);
  await world.messages(0, [m, { ...m, recipient: 'other@example.org' }, messageOf(id, 2)]);
  const d = await startDispatcher(world, { channel });
  await until(() => answers.length === 2);
  t.deepEqual(
    channel.sent.map((s) => s.message.recipient),
    [m.recipient, 'r2@example.org'],
  );
  for (const answer of answers) answer();
  await until(async () => (await world.committed())[0] === 3);
  t.is(channel.sent.length, 2);
  t.is(d.counts.repeats, 1);
  await d.stop();
});
