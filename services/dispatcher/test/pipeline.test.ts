import type { DeliveryEvent, Message } from '@volley/contract';
import { isTerminal } from '@volley/contract';
import test from 'ava';
import {
  campaignEvent,
  createWorld,
  headersOf,
  messageOf,
  newCampaignId,
  recordingChannel,
  startDispatcher,
  until,
  type World,
} from './support.ts';

const terminals = (events: readonly { event: DeliveryEvent }[]) =>
  events.map(({ event }) => event).filter((e) => isTerminal(e.kind));
const of = (events: readonly { event: DeliveryEvent }[], m: Message) =>
  events.map(({ event }) => event).filter((e) => e.message_id === m.message_id);
const endedAll = (world: World, count: number) => until(async () => terminals(await world.events()).length >= count);
const refusal = (status: number, more = {}) =>
  ({ ok: false, failure: { protocol: 'http', status, detail: `${status}`, ...more } }) as const;

test('six fates in one partition: each message ends once, states add up, watermark reaches the end', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  await world.campaign(campaignEvent(id));
  const fates = {
    sent: messageOf(id, 1),
    retried: messageOf(id, 2, { recipient: 'a+transient2@x.org' }),
    refused: messageOf(id, 3, { recipient: 'a+refuse@x.org' }),
    exhausted: messageOf(id, 4, { recipient: 'a+always-transient@x.org' }),
    unrenderable: messageOf(id, 5, { vars: '{}' }),
    expired: messageOf(id, 6, { expires_at: Date.now() - 1 }),
  };
  await world.messages(0, Object.values(fates));
  const d = await startDispatcher(world);
  await endedAll(world, 6);
  await until(async () => (await world.committed())[0] === 6);
  const events = await world.events();
  const letters = await world.deadLetters();

  t.is(terminals(events).length, 6);
  t.deepEqual(
    of(events, fates.retried).map((e) => [e.kind, e.tier, e.attempt, e.deferrals, e.reason]),
    [
      ['deferred', 'memory', 1, 0, 'provider_transient'],
      ['deferred', 'memory', 2, 1, 'provider_transient'],
      ['sent', '', 3, 2, ''],
    ],
  );
  const last = (m: Message) => of(events, m).at(-1) as DeliveryEvent;
  t.like(last(fates.sent), { kind: 'sent', channel: 'simulated', provider: 'simulated', dlq_offset: null });
  t.true(last(fates.sent).provider_ms >= 1);
  t.true(last(fates.sent).e2e_ms >= 0);
  t.like(last(fates.refused), { kind: 'failed', reason: 'recipient_refused', attempt: 1 });
  t.like(last(fates.exhausted), { kind: 'dead', reason: 'attempts_exhausted', attempt: 4, deferrals: 3 });
  t.like(last(fates.unrenderable), { kind: 'dead', reason: 'missing_variable', attempt: 0 });
  t.like(last(fates.expired), { kind: 'expired', attempt: 0, provider_ms: 0 });
  for (const m of [fates.refused, fates.exhausted, fates.unrenderable]) {
    const place = letters.find((l) => l.offset === last(m).dlq_offset && l.partition === last(m).dlq_partition);
    t.is(place?.headers['v-message-id']?.toString(), m.message_id);
    t.is(place?.headers['volley-reason']?.toString(), last(m).reason);
    t.is(place?.headers['volley-attempts']?.toString(), String(last(m).attempt));
  }
  t.is(letters.length, 3);
  t.true(events.every(({ record, event }) => record.partition === 0 && record.key?.toString() === event.campaign_id));
  t.true(await d.stop());
  t.deepEqual(d.fatal, []);
});

test('what cannot be decoded does not stop its partition: bytes kept, headers name the end', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  await world.campaign(campaignEvent(id));
  const [before, unreadable, after] = [1, 2, 3].map((n) => messageOf(id, n)) as [Message, Message, Message];
  const broken = Buffer.from([0, 0, 0, 0, 2, 1, 2, 3]);
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  await world.messages(1, [before]);
  await world.raw(1, broken, { ...headersOf(unreadable), traceparent, 'x-own': Buffer.from([0xff, 0x00]) }, id);
  await world.raw(1, Buffer.from('not avro at all'), { 'v-message-id': 'forged' });
  await world.raw(1, null);
  await world.messages(1, [after]);
  const d = await startDispatcher(world);
  await until(async () => (await world.committed())[1] === 5);
  const events = await world.events();
  const letters = await world.deadLetters();

  t.deepEqual(
    terminals(events)
      .map((e) => [e.message_id, e.kind])
      .sort(),
    [
      [before.message_id, 'sent'],
      [unreadable.message_id, 'dead'],
      [after.message_id, 'sent'],
    ].sort(),
  );
  const dead = events.find(({ event }) => event.kind === 'dead');
  t.is(dead?.event.reason, 'undecodable');
  t.is(dead?.record.headers.traceparent?.toString(), traceparent);
  t.is(letters.length, 3);
  const letter = letters[0];
  t.deepEqual(letter?.value, broken);
  t.is(letter?.key?.toString(), id);
  t.deepEqual(letter?.headers['x-own'], Buffer.from([0xff, 0x00]));
  t.is(letter?.headers['volley-reason']?.toString(), 'undecodable');
  t.regex(letter?.headers['volley-origin']?.toString() ?? '', /^t\.messages\.bulk\/1\/1\/\d+$/);
  t.is(letter?.partition, 1);
  t.is(d.counts.unattributed, 2);
  t.true(await d.stop());
});

test('a registry that is away dead-letters nothing; its partition waits and goes on', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  await world.campaign(campaignEvent(id));
  await world.schemas.store.load(1);
  await world.messages(0, [messageOf(id, 1)]);
  world.schemas.state.away = true;
  const d = await startDispatcher(world);
  await until(() => (world.schemas.state.asked.get(2) ?? 0) >= 3);
  t.is(d.pipeline.state().awaitingSchema, 1);
  t.deepEqual(await world.deadLetters(), []);
  world.schemas.state.away = false;
  await endedAll(world, 1);
  t.is(terminals(await world.events())[0]?.kind, 'sent');
  await d.stop();
});

test('a schema that the registry denies three times ends in the DLQ as unknown_schema', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  await world.campaign(campaignEvent(id));
  const m = messageOf(id, 1);
  await world.raw(0, Buffer.from([0, 0, 0, 0, 99, 1, 2, 3]), headersOf(m), id);
  await world.messages(0, [messageOf(id, 2)]);
  const d = await startDispatcher(world);
  await endedAll(world, 2);
  const events = await world.events();
  t.like(of(events, m)[0], { kind: 'dead', reason: 'unknown_schema' });
  t.is(world.schemas.state.asked.get(99), 3);
  await d.stop();
});

test('paused starts nothing, resumed goes on, cancelling ends the rest without rendering; others are not held up', async (t) => {
  const world = await createWorld();
  const [id, other] = [newCampaignId(), newCampaignId()];
  const channel = recordingChannel();
  await world.campaign(campaignEvent(id, { version: 2, status: 'paused' }));
  await world.campaign(campaignEvent(other));
  // Unrenderable on purpose: whatever is rendered while it is cancelled would end as dead.
  await world.messages(0, [messageOf(id, 1), messageOf(id, 2)]);
  await world.messages(0, [messageOf(other, 1)]);
  const d = await startDispatcher(world, { channel, pauseGraceMs: 60_000 });
  await endedAll(world, 1);
  t.deepEqual(
    channel.sent.map((s) => s.message.campaignId),
    [other],
  );
  t.deepEqual(
    d.pipeline.state().held.map((h) => [h.campaignId, h.on]),
    [[id, 'paused']],
  );

  await world.campaign(campaignEvent(id, { version: 3 }));
  await endedAll(world, 3);
  t.is(channel.sent.length, 3);

  await world.campaign(campaignEvent(id, { version: 4, status: 'paused' }));
  await until(() => d.pipeline.state().campaigns === 2);
  await world.messages(0, [messageOf(id, 3, { vars: '{}' }), messageOf(id, 4, { vars: '{}' })]);
  await until(() => d.pipeline.state().waiting === 2);
  await world.campaign(campaignEvent(id, { version: 5, status: 'cancelling' }));
  await endedAll(world, 5);
  const kinds = terminals(await world.events()).map((e) => e.kind);
  t.deepEqual(kinds.sort(), ['cancelled', 'cancelled', 'sent', 'sent', 'sent']);
  t.is(channel.sent.length, 3);
  await d.stop();
});

test('a message waits for the version of its campaign that it asks for', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const channel = recordingChannel();
  await world.messages(0, [messageOf(id, 1, { campaign_version: 2 })]);
  const d = await startDispatcher(world, { channel });
  await until(() => d.pipeline.state().held.length === 1);
  await world.campaign(campaignEvent(id, { version: 1, template: 'old' }));
  await until(() => d.pipeline.state().campaigns === 1);
  t.is(d.pipeline.state().held[0]?.on, 'campaign_unknown');
  await world.campaign(campaignEvent(id, { version: 2, template: 'new' }));
  await endedAll(world, 1);
  t.deepEqual(
    channel.sent.map((s) => s.message.body),
    ['new'],
  );
  await d.stop();
});

test('a message of a paused campaign expires at its time', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const channel = recordingChannel();
  await world.campaign(campaignEvent(id, { status: 'paused' }));
  await world.messages(0, [messageOf(id, 1, { expires_at: Date.now() + 150 })]);
  const d = await startDispatcher(world, { channel });
  await endedAll(world, 1);
  t.is(terminals(await world.events())[0]?.kind, 'expired');
  t.is(channel.sent.length, 0);
  await d.stop();
});

test('a record of a completed campaign is a repeat: nothing is sent, nothing is written, it settles', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const channel = recordingChannel();
  await world.campaign(campaignEvent(id, { version: 5, status: 'completed' }));
  await world.messages(0, [messageOf(id, 1)]);
  const d = await startDispatcher(world, { channel });
  await until(async () => (await world.committed())[0] === 1);
  t.is(channel.sent.length, 0);
  t.deepEqual(await world.events(), []);
  t.is(d.counts.repeats, 1);
  await d.stop();
});

test('a provider that says slow down is left alone as long as it asks, and that costs no attempt', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  let calls = 0;
  const channel = recordingChannel(() =>
    ++calls === 1 ? refusal(429, { retryAfterMs: 200 }) : { ok: true, detail: '' },
  );
  await world.campaign(campaignEvent(id, { max_attempts: 1 }));
  await world.messages(0, [messageOf(id, 1), messageOf(id, 2)]);
  const d = await startDispatcher(world, { channel, slots: 1 });
  await endedAll(world, 2);
  const [first, second] = channel.sent;
  t.true((second?.atMs ?? 0) - (first?.atMs ?? 0) >= 195, 'nobody called it meanwhile');
  const events = await world.events();
  t.deepEqual(
    of(events, messageOf(id, 1)).map((e) => [e.kind, e.reason, e.attempt, e.deferrals]),
    [
      ['deferred', 'provider_throttled', 0, 0],
      ['sent', '', 1, 1],
    ],
  );
  await d.stop();
});

test('a provider that never answers is a timeout within the deadline, tried again under the same id', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const signals: AbortSignal[] = [];
  const channel = recordingChannel();
  const send = channel.send;
  channel.send = async (message, call) => {
    const outcome = await send(message, call);
    signals.push(call.signal);
    return call.attempt === 1 ? new Promise(() => {}) : outcome;
  };
  await world.campaign(campaignEvent(id));
  await world.messages(0, [messageOf(id, 1)]);
  const d = await startDispatcher(world, { channel, sendDeadlineMs: 60 });
  await endedAll(world, 1);
  t.deepEqual(
    of(await world.events(), messageOf(id, 1)).map((e) => [e.kind, e.reason]),
    [
      ['deferred', 'provider_timeout'],
      ['sent', ''],
    ],
  );
  t.is(new Set(channel.sent.map((s) => s.message.messageId)).size, 1);
  t.deepEqual(
    signals.map((s) => s.aborted),
    [true, false],
  );
  await d.stop();
});

test('a waiting retry occupies no slot', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const channel = recordingChannel((m) => (m.recipient === 'bad@x.org' ? refusal(500) : { ok: true, detail: '' }));
  await world.campaign(campaignEvent(id));
  const others = [2, 3, 4].map((n) => messageOf(id, n));
  await world.messages(0, [messageOf(id, 1, { recipient: 'bad@x.org' }), ...others]);
  const d = await startDispatcher(world, { channel, slots: 1, retryBaseMs: 5_000 });
  await endedAll(world, 3);
  t.is(channel.sent.length, 4);
  t.is(d.pipeline.state().waiting, 1);
  await d.stop();
});

test('one recipient’s messages leave one at a time in log order, also through a retry', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const channel = recordingChannel((m, attempt) =>
    m.messageId === messageOf(id, 1).message_id && attempt === 1 ? refusal(500) : { ok: true, detail: '' },
  );
  await world.campaign(campaignEvent(id));
  await world.messages(
    0,
    [1, 2, 3].map((n) => messageOf(id, n, { recipient: 'same@x.org' })),
  );
  const d = await startDispatcher(world, { channel });
  await endedAll(world, 3);
  const order = [1, 1, 2, 3].map((n) => messageOf(id, n).message_id);
  t.deepEqual(
    channel.sent.map((s) => s.message.messageId),
    order,
  );
  await d.stop();
});

test('rates hold: of campaign and of provider, a slow campaign does not slow another', async (t) => {
  const world = await createWorld();
  const [slow, fast] = [newCampaignId(), newCampaignId()];
  const channel = recordingChannel();
  await world.campaign(campaignEvent(slow, { rate_per_second: 50 }));
  await world.campaign(campaignEvent(fast));
  const range = Array.from({ length: 20 }, (_, i) => i + 1);
  await world.messages(
    0,
    range.map((n) => messageOf(slow, n)),
  );
  await world.messages(
    0,
    range.map((n) => messageOf(fast, n)),
  );
  const startMs = performance.now();
  const d = await startDispatcher(world, { channel });
  await endedAll(world, 40);
  const at = (id: string) => channel.sent.filter((s) => s.message.campaignId === id).map((s) => s.atMs - startMs);
  // 5 at once, then 15 at 50 a second.
  const spread = (times: number[]) => (times.at(-1) ?? 0) - (times[0] ?? 0);
  t.true(spread(at(slow)) >= 290, `${spread(at(slow))}`);
  t.true((at(fast).at(-1) ?? 0) < (at(slow).at(-1) ?? 0) - 200);
  await d.stop();
});

test('header injection never reaches a channel: line breaks in recipient, name and subject variables', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  const channel = recordingChannel();
  await world.campaign(campaignEvent(id, { channel: 'smtp', subject: 'Hello {{ nick | default: "you" }}' }));
  const hostile = [
    messageOf(id, 1, { recipient: 'a@x.org\r\nBcc: b@x.org' }),
    messageOf(id, 2, { vars: JSON.stringify({ name: 'A\r\nBcc: b@x.org' }) }),
    messageOf(id, 3, { vars: JSON.stringify({ name: 'A', nick: 'x\nBcc: b@x.org' }) }),
    messageOf(id, 4, { vars: JSON.stringify({ name: 'A', nick: 'x\u0000y' }) }),
  ];
  const list = messageOf(id, 5, { recipient: 'a@x.org,b@x.org' });
  await world.messages(0, [...hostile, list, messageOf(id, 6)]);
  const d = await startDispatcher(world, { channel, kind: 'smtp' });
  await endedAll(world, 6);
  const events = await world.events();
  for (const m of hostile) t.like(of(events, m), [{ kind: 'dead', reason: 'header_injection', attempt: 0 }]);
  t.like(of(events, list), [{ kind: 'dead', reason: 'invalid_recipient', attempt: 0 }]);
  t.deepEqual(
    channel.sent.map((s) => s.message.recipient),
    ['r6@example.org'],
  );
  await d.stop();
});

for (const [title, broken] of [
  ['a template that does not compile', { template: '{% if %}' }],
  ['a template with an unknown filter', { template: '{{ name | explode }}' }],
] as const) {
  test(`${title} ends each message as dead, not the process`, async (t) => {
    const world = await createWorld();
    const id = newCampaignId();
    await world.campaign(campaignEvent(id, broken));
    await world.messages(0, [messageOf(id, 1), messageOf(id, 2)]);
    const d = await startDispatcher(world);
    await endedAll(world, 2);
    t.deepEqual(
      terminals(await world.events()).map((e) => e.reason),
      ['render_failed', 'render_failed'],
    );
    t.deepEqual(d.fatal, []);
    await d.stop();
  });
}
