import { directMessageIdOf, HEADERS, type Lane, ordinalIn, partitionOf } from '@volley/contract';
import test from 'ava';
import type { Reservation } from '../src/direct-ports.ts';
import type { ImportLine } from '../src/ports.ts';
import { draft, idsIn, inChunks, messagesIn, numbered, people, to, totalOf } from './support/direct.ts';
import { decodeAll, PARTITIONS, readAll, topics } from './support/log.ts';
import {
  all,
  delivery,
  encodeDelivery,
  joined,
  progressUntil,
  type Service,
  sent,
  statsOf,
  statusOf,
  world,
} from './support/roles.ts';

test('the first message opens its campaign, and is in the log when it is answered', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await draft(s, { expires_at: 1_900_000_000_000 });
  const result = await s.direct.one(id, { id: 'order-1', to, vars: { name: 'Ann' } });
  const messageId = directMessageIdOf(id, 'order-1');
  t.deepEqual(result, { ok: true, value: { message_id: messageId, duplicate: false } });

  const spread = Math.max(1, Math.floor(PARTITIONS / 2));
  const [record] = await readAll(w.client, topics.messages.transactional);
  t.is(record?.partition, partitionOf(id, to, spread, PARTITIONS));
  t.is(String(record?.headers[HEADERS.campaignId]), id);
  const [message] = await messagesIn(w, 'transactional');
  t.like(message, {
    message_id: messageId,
    run: 0,
    campaign_version: 2,
    ordinal: 0,
    recipient: to,
    vars: '{"name":"Ann"}',
  });
  t.is(message?.expires_at, 1_900_000_000_000);
  t.is(ordinalIn(messageId, id), 0);
  t.is(await statusOf(w, id), 'running');
  t.like(await statsOf(t, s, id), { total: 1, queued: 1 });
});

test('many: each good line once, bad ones by their number, repeats of an id counted and not written', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await draft(s);
  const lines = numbered([...people(2_500), { to: 'nobody' }, { id: 'm3', to }, { id: 'm2499', to }, { to }]);
  const bad: ImportLine = { line: lines.length + 1, code: 'malformed_line', detail: 'no JSON' };
  t.deepEqual(await s.direct.many(id, inChunks([...lines, bad])), {
    ok: true,
    value: {
      accepted: 2_501,
      duplicate: 2,
      rejected: 2,
      errors: [
        {
          line: 2_501,
          code: 'invalid_recipient',
          detail: 'the recipient is neither an e-mail address, a phone number nor an http(s) URL',
        },
        { line: 2_505, code: 'malformed_line', detail: 'no JSON' },
      ],
    },
  });
  t.is(new Set(await idsIn(w)).size, 2_501);
  t.is((await idsIn(w)).length, 2_501);
  t.is(await totalOf(t, s, id), 2_501);
});

test('a body without a good line opens nothing', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await draft(s);
  t.like(await s.direct.many(id, inChunks(numbered([{ to: 'nobody' }]))), { value: { accepted: 0, rejected: 1 } });
  t.like(await s.direct.many(id, inChunks([])), { value: { accepted: 0, rejected: 0 } });
  t.is(await statusOf(w, id), 'draft');
});

test('only the first thousand errors are told', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const result = await s.direct.many(await draft(s), inChunks(numbered(Array.from({ length: 1_500 }, () => ({})))));
  t.like(result, { ok: true, value: { rejected: 1_500 } });
  if (result.ok) t.is(result.value.errors.length, 1_000);
});

test('a repeat in another request: counted once, written once, and said to be one where one message was sent', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await draft(s);
  await s.direct.many(id, inChunks(numbered(people(1_200))));
  t.like(await s.direct.many(id, inChunks(numbered(people(1_300)))), { value: { accepted: 1_300, duplicate: 0 } });
  t.is((await idsIn(w)).length, 1_300);
  t.like(await s.direct.one(id, { id: 'm7', to }), { value: { duplicate: true } });
  t.deepEqual(await idsIn(w, 'transactional'), []);
  t.is(await totalOf(t, s, id), 1_300);
});

test('an Idempotency-Key names what has no id, by line', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await draft(s);
  const body = numbered([{ to }, { to }, { id: 'x', to }]);
  const send = (key?: string) => s.direct.many(id, inChunks(body), key);
  t.like(await send('k'), { value: { accepted: 3 } });
  t.like(await send('k'), { value: { accepted: 3, duplicate: 0 } });
  t.is(await totalOf(t, s, id), 3);
  await send('l');
  t.is(await totalOf(t, s, id), 5);
  await send();
  t.is(await totalOf(t, s, id), 7, 'without ids and key every line is another message');
});

test('the lane is the one that the campaign was given, else that of its kind', async (t) => {
  const w = await world();
  const s = await w.start('a');
  for (const [change, one, many] of [
    [{ lane: 'bulk' }, 'transactional', 'bulk'],
    [{ lane: 'bulk', lane_given: true }, 'bulk', 'bulk'],
    [{ lane: 'transactional', lane_given: true }, 'transactional', 'transactional'],
  ] as const) {
    const id = await draft(s, change);
    await s.direct.one(id, { id: 'one', to });
    await s.direct.many(id, inChunks(numbered([{ id: 'many', to }])));
    const laneOf = async (client: string) => {
      const messageId = directMessageIdOf(id, client);
      const found = [...(await messagesIn(w, 'bulk')), ...(await messagesIn(w, 'transactional'))];
      const lane = found.find((m) => m.message_id === messageId)?.lane as Lane;
      t.true((await idsIn(w, lane)).includes(messageId));
      return lane;
    };
    t.is(await laneOf('one'), one);
    t.is(await laneOf('many'), many);
  }
});

test('messages of one recipient keep the order of their lines', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await draft(s);
  const lines = numbered(Array.from({ length: 5_000 }, (_, i) => ({ to: `r${i % 3}@b.example`, vars: { n: i } })));
  await s.direct.many(id, inChunks(lines, 700));
  const byRecipient = Map.groupBy(await messagesIn(w), (m) => m.recipient);
  for (const messages of byRecipient.values()) {
    const order = messages.map((m) => JSON.parse(m.vars).n as number);
    t.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
  }
});

test('messages that come alone at the same time share a batch; the same id twice is a repeat', async (t) => {
  const w = await world();
  let reserved = 0;
  const store = {
    ...w.store.direct,
    reserve(r: Reservation) {
      reserved += 1;
      return w.store.direct.reserve(r);
    },
  };
  const s = await w.start('a', { store: { ...w.store, direct: store } });
  const id = await draft(s);
  const answers = await Promise.all(
    people(400)
      .concat(people(1))
      .map((fields) => s.direct.one(id, fields)),
  );
  t.is(answers.filter((a) => a.ok && !a.value.duplicate).length, 400);
  t.is(answers.filter((a) => a.ok && a.value.duplicate).length, 1);
  t.true(reserved < 20, `${reserved} transactions for 400 messages`);
  t.is((await idsIn(w, 'transactional')).length, 400);
});

const refusal = (status: string) => ({
  ok: false,
  failure: { code: 'illegal_transition', extra: { current_status: status } },
});
const ways: [string, (s: Service) => Promise<string>, string][] = [
  ['one that was sent to an audience', (s) => sent(s, 3), 'running'],
  ['a paused one', (s) => after(s, 'pause'), 'paused'],
  ['a closed one', (s) => after(s, 'close'), 'running'],
  ['one that is being cancelled', (s) => after(s, 'cancel'), 'cancelling'],
];
async function after(s: Service, command: 'pause' | 'close' | 'cancel'): Promise<string> {
  const id = await draft(s);
  await s.direct.one(id, { to });
  const result = await s.commands.command(id, command);
  if (!result.ok) throw new Error(result.failure.detail);
  return id;
}
for (const [title, way, status] of ways) {
  test(`no messages for ${title}`, async (t) => {
    const w = await world();
    const s = await w.start('a');
    const id = await way(s);
    const total = await totalOf(t, s, id);
    t.like(await s.direct.one(id, { to }), refusal(status));
    t.like(await s.direct.many(id, inChunks(numbered([{ to }]))), refusal(status));
    t.is(await totalOf(t, s, id), total);
  });
}

test('a campaign with direct messages is not sent to an audience; one with an audience is not closed', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const direct = await draft(s);
  t.like(await s.commands.command(direct, 'close'), refusal('draft'));
  await s.direct.one(direct, { to });
  t.like(await s.commands.command(direct, 'send'), refusal('running'));
  t.like(await s.commands.command(await sent(s, 2), 'close'), refusal('running'));
  t.like(await s.direct.one('019aa5b2-7c00-7abc-8def-012300000000', { to }), { failure: { code: 'not_found' } });
});

test('closed in the middle of a body: what was taken stays, the rest is told', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await draft(s);
  async function* lines() {
    yield numbered(people(500));
    await t.notThrowsAsync(async () => {
      while ((await idsIn(w)).length < 500) await new Promise(setImmediate);
    });
    await s.commands.command(id, 'close');
    yield people(500, 'late').map((fields, i) => ({ line: 501 + i, fields }));
  }
  const result = await s.direct.many(id, lines());
  t.like(result, { failure: { code: 'illegal_transition', extra: { accepted: 500, acknowledged_lines: 500 } } });
  t.is(await totalOf(t, s, id), 500);
});

test('closed: completes when all that it has have ended, and not before', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await draft(s);
  await s.direct.many(id, inChunks(numbered(people(3))));
  await all(s.relay);
  await joined(s);
  const end = async (client: string) => {
    const record = delivery(id, 1, 'sent');
    const [event] = decodeAll('DeliveryEvent', [record as never]);
    const value = event && encodeDelivery({ ...event, message_id: directMessageIdOf(id, client), ordinal: 0 });
    return w.producer.send([{ ...record, value: value ?? null }]);
  };
  for (const client of ['m0', 'm1', 'm2']) await end(client);
  await progressUntil(s, w.clock, async () => (await statsOf(t, s, id)).sent === 3);
  t.is(await statusOf(w, id), 'running', 'more may come');
  await s.direct.one(id, { id: 'm3', to });
  t.true((await s.commands.command(id, 'close')).ok);
  t.like(await statsOf(t, s, id), { total: 4, queued: 1, sent: 3 });
  await end('m3');
  await progressUntil(s, w.clock, async () => (await statusOf(w, id)) === 'completed');
  t.like(await statsOf(t, s, id), { total: 4, queued: 0, sent: 4 });
});

test('a test: marked, of the campaign as it is now, with the variables of the contact, outside the statistics', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await draft(s);
  const contact = { email: 'ann@b.example', name: 'Ann', tags: ['vip'], city: 'Y' };
  await s.imports.run(inChunks(numbered([contact])));
  const answer = await s.direct.test(id, ' ANN@b.example');
  const stranger = await s.direct.test(id, 'bob@b.example');
  t.true(answer.ok && stranger.ok);
  const messages = await messagesIn(w, 'transactional');
  const of = (result: typeof answer) => messages.find((m) => result.ok && m.message_id === result.value.message_id);
  t.like(of(answer), {
    recipient: 'ANN@b.example',
    vars: '{"city":"Y","name":"Ann"}',
    tags: ['vip'],
    campaign_version: 1,
  });
  t.like(of(stranger), { recipient: 'bob@b.example', vars: '{}' });
  for (const record of await readAll(w.client, topics.messages.transactional))
    t.is(String(record.headers[HEADERS.test]), '1');
  t.is(await statusOf(w, id), 'draft');
  t.is(await totalOf(t, s, id), 0);
});

test('a test is refused where there is no template any more, or no recipient', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await after(s, 'cancel');
  t.like(await s.direct.test(id, to), refusal('cancelling'));
  t.like(await s.direct.test(await draft(s), 'nobody'), { failure: { code: 'validation_failed' } });
  t.true((await s.direct.test(await after(s, 'pause'), to)).ok, 'a pause holds the campaign, not a test of it');
});
