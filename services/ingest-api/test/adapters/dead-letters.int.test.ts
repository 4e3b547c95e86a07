import { randomBytes } from 'node:crypto';
import { createClient } from '@clickhouse/client';
import { campaignIdFrom, directMessageIdOf, messageIdOf } from '@volley/contract';
import test from 'ava';
import { createDeadLetterIndex } from '../../src/adapters/clickhouse/dead-letters.ts';
import type { DeadLetterFilter } from '../../src/dead-letter-ports.ts';
import { StoreUnavailable } from '../../src/ports.ts';

// The columns of the public view: what the sink keeps below it is its own.
const TABLE = `CREATE TABLE dead_letters (tenant_id String, campaign_id String, message_id String, kind String, run Int32,
  ordinal Int64, recipient String, reason String, detail String, attempts Int32, lane String, channel String,
  provider String, occurred_at DateTime64(3, 'UTC'), dlq_partition Nullable(Int32), dlq_offset Nullable(Int64))
  ENGINE = MergeTree ORDER BY campaign_id`;
const EVENTS = `CREATE TABLE delivery_events (tenant_id String, campaign_id String, message_id String, kind LowCardinality(String),
  run Int32, ordinal Int64, recipient String, reason LowCardinality(String), detail String, attempt Int32,
  occurred_at DateTime64(3, 'UTC'), is_repeat Bool) ENGINE = MergeTree ORDER BY campaign_id`;
const database = `ingest_test_${randomBytes(6).toString('hex')}`;
const url = process.env.VOLLEY_TEST_CLICKHOUSE ?? '';
const AT = Date.parse('2026-11-21T10:00:00.000Z');
const [ONE, TWO] = [1, 2].map((n) => campaignIdFrom(1_795_000_000_000 + n, randomBytes(6))) as [string, string];
const DIRECT = directMessageIdOf(ONE, "client's own");
const HOSTILE = "x'; DROP TABLE dead_letters; --";

const letter = (campaign_id: string, n: number, more: object = {}) => ({
  tenant_id: 'default',
  campaign_id,
  message_id: messageIdOf(campaign_id, n),
  kind: 'failed',
  run: 0,
  ordinal: n,
  recipient: `P${n}@b.example`,
  reason: 'recipient_refused',
  detail: '550',
  attempts: 2,
  lane: 'bulk',
  channel: 'smtp',
  provider: 'mail',
  occurred_at: new Date(AT + n * 1_000 + 5).toISOString().replace('T', ' ').slice(0, -1),
  dlq_partition: 4,
  dlq_offset: 2 ** 40 + n,
  ...more,
});

let admin: ReturnType<typeof createClient>;
let index: ReturnType<typeof createDeadLetterIndex>;
test.before(async () => {
  if (url === '')
    throw new Error('VOLLEY_TEST_CLICKHOUSE is not set: the URL of a ClickHouse where databases may be created');
  admin = createClient({ url });
  await admin.command({ query: `CREATE DATABASE ${database}` });
  index = createDeadLetterIndex({ url, database, clientId: 'test' });
  const own = createClient({ url, database });
  await own.command({ query: TABLE });
  const values = [
    letter(ONE, 1),
    letter(ONE, 2, { kind: 'dead', reason: HOSTILE }),
    // At the same millisecond: the id decides.
    letter(ONE, 3, { occurred_at: letter(ONE, 2).occurred_at }),
    letter(TWO, 1, { run: 3, dlq_partition: null, dlq_offset: null }),
    letter(TWO, 4),
    letter(ONE, 8, { message_id: DIRECT, ordinal: 0 }),
    letter(ONE, 9, { tenant_id: 'other' }),
  ];
  await own.insert({ table: 'dead_letters', values, format: 'JSONEachRow' });
  await own.command({ query: EVENTS });
  const event = (n: number, kind: string, more: object = {}) => {
    const { campaign_id, message_id, tenant_id, recipient, occurred_at } = letter(TWO, n);
    const of = { campaign_id, message_id, tenant_id, recipient, occurred_at, ordinal: n };
    return { ...of, kind, run: 0, reason: kind, detail: '', attempt: 0, is_repeat: false, ...more };
  };
  const events = [
    event(20, 'expired'),
    // Redriven, and expired once more.
    ...[event(21, 'expired'), event(21, 'redriven', { run: 1 }), event(21, 'expired', { run: 1 })],
    // On its way again.
    ...[event(22, 'expired'), event(22, 'redriven', { run: 1 })],
    event(23, 'sent'),
    event(24, 'expired', { is_repeat: true }),
    event(25, 'expired', { tenant_id: 'other' }),
    event(26, 'expired'),
  ];
  await own.insert({ table: 'delivery_events', values: events, format: 'JSONEachRow' });
  await own.close();
});
test.after.always(async () => {
  await admin?.command({ query: `DROP DATABASE IF EXISTS ${database} SYNC` });
  await Promise.all([admin?.close(), index?.close()]);
});

const ids = async (filter: DeadLetterFilter, more: object = {}) =>
  (await index.page({ filter, limit: 100, ...more })).map((l) => l.message_id);
const one = (n: number) => messageIdOf(ONE, n);
const two = (n: number) => messageIdOf(TWO, n);

test('a letter is answered with its times, its place, or none', async (t) => {
  const [first] = await index.page({ filter: { message_ids: [one(1)] }, limit: 1 });
  t.deepEqual(first, {
    message_id: one(1),
    campaign_id: ONE,
    run: 0,
    ordinal: 1,
    recipient: 'P1@b.example',
    kind: 'failed',
    reason: 'recipient_refused',
    detail: '550',
    attempts: 2,
    occurredAtMs: AT + 1_005,
    place: { partition: 4, offset: 2 ** 40 + 1 },
  });
  const [nowhere] = await index.page({ filter: { message_ids: [two(1)] }, limit: 1 });
  t.like(nowhere, { run: 3, place: undefined });
});

test('every filter narrows, values are never part of the question', async (t) => {
  t.deepEqual(await ids({ campaign_id: TWO }), [two(1), two(4)]);
  t.deepEqual(await ids({ kind: 'dead' }), [one(2)]);
  t.deepEqual(await ids({ reason: HOSTILE }), [one(2)]);
  t.deepEqual(await ids({ reason: "'" }), []);
  t.deepEqual(await ids({ recipient: 'p4@B.EXAMPLE' }), [two(4)]);
  t.deepEqual(await ids({ message_ids: [one(3), two(4), one(9), HOSTILE] }), [one(3), two(4)]);
  t.deepEqual(await ids({ campaign_id: ONE, kind: 'failed', recipient: 'p3@b.example' }), [one(3)]);
  t.deepEqual(await ids({ campaign_id: TWO }, { beforeMs: AT + 1_005 }), [two(1)]);
  t.deepEqual(await ids({ campaign_id: TWO }, { beforeMs: AT + 1_004 }), []);
});

test('a walk by campaign and id meets each letter once', async (t) => {
  const met: string[] = [];
  let after: { campaign_id: string; message_id: string } | undefined;
  for (;;) {
    const page = await index.page({ filter: {}, limit: 2, ...(after ? { after } : {}) });
    met.push(...page.map((l) => l.message_id));
    after = page.at(-1);
    if (page.length < 2) break;
  }
  t.deepEqual(
    met,
    [one(1), one(2), one(3), DIRECT, two(1), two(4)].sort((a, b) => (a < b ? -1 : 1)),
  );
});

test('newest first goes on below a cursor, also among letters of one millisecond', async (t) => {
  const all = await ids({}, { newestFirst: {} });
  t.deepEqual(all.slice(0, 4), [DIRECT, two(4), one(3), one(2)]);
  const met: string[] = [];
  let after: { occurredAtMs: number; message_id: string } | undefined;
  for (;;) {
    const page = await index.page({ filter: {}, limit: 1, newestFirst: after ? { after } : {} });
    if (page.length === 0) break;
    met.push(...page.map((l) => l.message_id));
    after = page.at(-1);
  }
  t.deepEqual(met, all);
});

test('one letter is found by the id of its message, whatever layout the id has', async (t) => {
  t.is((await index.find(one(2)))?.reason, HOSTILE);
  t.is((await index.find(DIRECT))?.campaign_id, ONE);
  t.is(await index.find(one(9)), undefined, "another tenant's");
  t.is(await index.find(two(7)), undefined);
});

test('what stands expired in a campaign is walked through by id', async (t) => {
  const expired = async (more: object = {}) =>
    (await index.expired({ campaignId: TWO, beforeMs: AT + 60_000, limit: 10, ...more })).map((m) => [
      m.message_id,
      m.run,
    ]);
  t.deepEqual(await expired(), [
    [two(20), 0],
    [two(21), 1],
    [two(26), 0],
  ]);
  t.deepEqual(await expired({ limit: 1 }), [[two(20), 0]]);
  t.deepEqual(await expired({ after: two(21) }), [[two(26), 0]]);
  t.deepEqual(await expired({ beforeMs: AT + 20_005 }), [[two(20), 0]]);
  t.deepEqual(await expired({ campaignId: ONE }), []);
  const [first] = await index.expired({ campaignId: TWO, beforeMs: AT + 60_000, limit: 1 });
  t.like(first, { kind: 'expired', ordinal: 20, place: undefined, occurredAtMs: AT + 20_005 });
});

test('a ClickHouse that is away is said to be away', async (t) => {
  const away = createDeadLetterIndex({ url: 'http://127.0.0.1:1', database, clientId: 'test' });
  await t.throwsAsync(away.page({ filter: {}, limit: 1 }), { instanceOf: StoreUnavailable });
  await away.close();
});
