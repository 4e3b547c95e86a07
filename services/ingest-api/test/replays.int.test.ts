import { randomBytes } from 'node:crypto';
import { DEFAULT_TOPIC_SETTINGS, topicDefinitions, topicsOf } from '@volley/contract';
import { type ReplayView, ROUTES } from '@volley/contract/http';
import { createReplayLeases } from '@volley/contract/replays';
import { type StreamClient, StreamUnavailable } from '@volley/stream';
import { createKafkaClient } from '@volley/stream/kafka';
import test from 'ava';
import { v7 } from 'uuid';
import { createCampaignStore } from '../src/adapters/postgres/campaign-store.ts';
import { createContactStore } from '../src/adapters/postgres/contact-store.ts';
import { ask } from '../src/adapters/postgres/pool.ts';
import { createReplayStore } from '../src/adapters/postgres/replay-store.ts';
import { createReplayLog } from '../src/replay-log.ts';
import { createReplayDesk } from '../src/replays.ts';
import { KEY, startTestApi, type TestApi } from './support/api.ts';
import { createTestDatabase, inert, type TestDatabase } from './support/database.ts';
import { readAll, until } from './support/log.ts';

const PARTITIONS = 3;
const topics = topicsOf(`replays-${randomBytes(4).toString('hex')}`);
const definitions = topicDefinitions(topics, { ...DEFAULT_TOPIC_SETTINGS, partitions: PARTITIONS });

let db: TestDatabase;
let client: StreamClient;
let api: TestApi;
let logAway = false;
test.before(async () => {
  const brokers = (process.env.VOLLEY_TEST_KAFKA ?? '').split(',').filter(Boolean);
  if (brokers.length === 0) throw new Error('VOLLEY_TEST_KAFKA is not set: host:port of a broker');
  db = await createTestDatabase();
  client = createKafkaClient({ brokers, clientId: topics.deliveries });
  const admin = await client.admin();
  await admin.ensureTopics(definitions);
  const log = createReplayLog(client);
  const replays = createReplayDesk({
    tenant: 'default',
    store: createReplayStore(db.pool),
    campaigns: createCampaignStore(db.pool, inert),
    contacts: createContactStore(db.pool),
    log: { ...log, bounds: (topic) => (logAway ? Promise.reject(new StreamUnavailable('away')) : log.bounds(topic)) },
    topics,
    now: () => Date.now(),
    newId: () => v7(),
  });
  api = await startTestApi(db.pool, { replays });
});
test.after.always(async () => {
  await api?.stop();
  await (await client?.admin())?.deleteTopics(definitions.map(({ topic }) => topic));
  await client?.close();
  await db?.drop();
});

const start = (json: object, headers: Record<string, string> = {}) =>
  api.call('POST', '/v1/replays', { json, headers });
const leasesOf = (owner: string) =>
  createReplayLeases((sql, params) => ask(db.pool, sql, params), { owner, monotonicMs: () => performance.now() });
const read = (view: ReplayView) => view.ranges.filter(({ from, to }) => from < to);

test.serial('times become the offsets that the log had for them, and stay these', async (t) => {
  const producer = await client.producer({ clientId: `${topics.deliveries}-p` });
  const fill = (partition: number, n: number) =>
    producer.send(
      Array.from({ length: n }, () => ({ topic: topics.deliveries, partition, key: 'c', value: Buffer.from('x') })),
    );
  await fill(0, 3);
  await fill(1, 1);
  const first = Math.max(...(await readAll(client, topics.deliveries)).map((r) => r.timestampMs));
  await until('a later millisecond', () => Date.now() > first + 20);
  await fill(0, 2);
  const times = (await readAll(client, topics.deliveries)).filter((r) => r.partition === 0).map((r) => r.timestampMs);
  const between = new Date((times[3] as number) - 1).toISOString();
  const range = (partition: number, from: number, to: number) => ({ topic: topics.deliveries, partition, from, to });
  for (const [what, json, ranges] of [
    ['all', {}, [range(0, 0, 5), range(1, 0, 1)]],
    ['the later ones', { from: between }, [range(0, 3, 5)]],
    ['the earlier ones', { to: between }, [range(0, 0, 3), range(1, 0, 1)]],
    ['none', { from: new Date(Date.now() + 60_000).toISOString() }, []],
  ] as const) {
    const made = await start({ target: 'analytics', ...json });
    t.is(made.status, 202, made.text);
    t.deepEqual(read(made.body), [...ranges], what);
    t.is(
      made.body.total,
      ranges.reduce((sum, { from, to }) => sum + to - from, 0),
    );
  }
  const made = await start({ target: 'analytics', reason: 'because' });
  await fill(2, 4);
  const path = made.headers.get('location') as string;
  const found = await api.call('GET', path);
  t.deepEqual(found.body, made.body);
  t.true(ROUTES.getReplay.answer.safeParse(found.body).success);
  t.like(found.body, { total: 6, reason: 'because', status: 'pending' });
});

test.serial('who asked is the name of the credential, and never the key', async (t) => {
  const { body, text } = await start({ target: 'analytics' });
  t.regex(body.asked_by, /^key-[0-9a-f]{8}$/);
  t.false(text.includes(KEY));
  const acted = await api.call('POST', `/v1/replays/${body.replay_id}/cancel`);
  t.is(acted.body.actions[0].by, body.asked_by);
});

test.serial('made once under an Idempotency-Key; a dry run makes nothing', async (t) => {
  const headers = { 'idempotency-key': 'once' };
  const [one, two] = await Promise.all([
    start({ target: 'analytics' }, headers),
    start({ target: 'analytics' }, headers),
  ]);
  t.is(one.status, 202, one.text);
  t.deepEqual(one.body, two.body);
  t.is((await start({ target: 'analytics', reason: 'x' }, headers)).body.code, 'idempotency_key_reused');
  const before = (await api.call('GET', '/v1/replays?limit=1')).body.data[0].replay_id;
  const dry = await start({ target: 'analytics', dry_run: true, rate_per_second: 2 }, headers);
  t.is(dry.status, 200, dry.text);
  t.true(ROUTES.startReplay.also.answer.safeParse(dry.body).success);
  t.like(dry.body.estimate, { by: 'rate', records_per_second: 2 });
  t.is((await api.call('GET', '/v1/replays?limit=1')).body.data[0].replay_id, before);
});

test.serial('the list is newest first, page by page, without what may be large', async (t) => {
  const first = await api.call('GET', '/v1/replays?limit=2');
  t.true(ROUTES.listReplays.answer.safeParse(first.body).success);
  t.is(first.body.data.length, 2);
  t.is(first.body.data[0].ranges, undefined);
  const second = await api.call('GET', `/v1/replays?limit=2&cursor=${first.body.next_cursor}`);
  t.true(second.body.data[0].replay_id < first.body.data[1].replay_id);
});

test.serial('asked over HTTP, a replay stops at its next save, and goes on when it is resumed', async (t) => {
  const made = await start({ target: 'analytics' });
  const path = `/v1/replays/${made.body.replay_id}`;
  const leases = leasesOf('a');
  let held = await leases.claim(['analytics']);
  // Those that the tests before made are older.
  while (held && held.job.replay_id !== made.body.replay_id) {
    await leases.end(held, { status: 'done' });
    held = await leases.claim(['analytics']);
  }
  if (!held) throw new Error('not claimed');
  t.like((await api.call('POST', `${path}/pause`)).body, { status: 'running', requested: 'pause' });
  t.deepEqual(await leases.save(held, { phase: 'reading', done: 2 }), { pause: true, cancel: false });
  await leases.end(held, { status: 'paused' });
  t.like((await api.call('GET', path)).body, { status: 'paused', phase: 'reading', done: 2 });
  const resumed = await api.call('POST', `${path}/resume`);
  t.is(resumed.status, 202, resumed.text);
  t.true(ROUTES.resumeReplay.answer.safeParse(resumed.body).success);
  const again = await leasesOf('b').claim(['analytics']);
  t.is(again?.job.done, 2);
  const undo = await api.call('POST', `${path}/undo`);
  t.is(undo.status, 409);
  t.like(undo.body, { code: 'illegal_transition', status: 409, current_status: 'running' });
});

for (const [what, json, status, code, pointer] of [
  ['no target', {}, 422, 'validation_failed', '/target'],
  ['another target', { target: 'all' }, 422, 'validation_failed', '/target'],
  ['an unknown field', { target: 'analytics', tenant_id: 'x' }, 422, 'validation_failed', '/tenant_id'],
  ['a kind that there is not', { target: 'analytics', kinds: ['unknown'] }, 422, 'validation_failed', '/kinds/0'],
  ['a time that is none', { target: 'analytics', from: 'yesterday' }, 422, 'validation_failed', '/from'],
  ['a reason that is a novel', { target: 'analytics', reason: 'x'.repeat(501) }, 422, 'validation_failed', '/reason'],
  ['deliveries of no campaign', { target: 'deliveries' }, 422, 'validation_failed', '/campaign_id'],
  ['a campaign that is no id', { target: 'rehearsal', campaign_id: 'x' }, 404, 'not_found', undefined],
  [
    'a campaign that there is not',
    { target: 'rehearsal', campaign_id: '01a1fef0-6914-7dae-9c1d-1e4d00000000' },
    404,
    'not_found',
    undefined,
  ],
  [
    'sending without saying so twice',
    { target: 'deliveries', campaign_id: '01a1fef0-6914-7dae-9c1d-1e4d00000000', send: true },
    422,
    'confirmation_needed',
    '/confirm',
  ],
] as const) {
  test.serial(`${what}: ${status} ${code}`, async (t) => {
    const answer = await start(json);
    t.is(answer.status, status, answer.text);
    t.is(answer.body.code, code);
    t.is(answer.body.errors?.[0]?.pointer, pointer);
  });
}

test.serial('there is nothing at ids that there are not, and nothing without a key', async (t) => {
  for (const path of [v7(), 'x'].map((id) => `/v1/replays/${id}`)) {
    t.is((await api.call('GET', path)).status, 404);
    for (const action of ['pause', 'resume', 'cancel', 'undo'])
      t.is((await api.call('POST', `${path}/${action}`)).status, 404, action);
  }
  t.is((await api.call('GET', '/v1/replays', { headers: { authorization: 'Bearer other' } })).status, 401);
});

test.serial('a log that is away is 503, and nothing is made', async (t) => {
  logAway = true;
  const answer = await start({ target: 'analytics', reason: 'while it is away' });
  logAway = false;
  t.is(answer.status, 503, answer.text);
  const { data } = (await api.call('GET', '/v1/replays?limit=100')).body;
  t.false(data.some((job: ReplayView) => job.reason === 'while it is away'));
});
