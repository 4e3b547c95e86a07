import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { DEFAULT_TOPIC_SETTINGS, directMessageIdOf, HEADERS, topicDefinitions, topicsOf } from '@volley/contract';
import { systemClock } from '@volley/runtime';
import type { OutgoingRecord, StreamClient, StreamProducer, StreamRecord } from '@volley/stream';
import { StreamUnavailable } from '@volley/stream';
import { createKafkaClient } from '@volley/stream/kafka';
import test from 'ava';
import type { MessagePlace, MessageState } from '../src/analytics-ports.ts';
import { createLaneLog } from '../src/lane-log.ts';
import { createRecordFinder } from '../src/record-finder.ts';
import { analyticsOf } from './support/analytics.ts';
import { KEY, startTestApi, type TestApi } from './support/api.ts';
import { createTestDatabase, type TestDatabase } from './support/database.ts';
import { silent, until } from './support/log.ts';

const namespace = `t_${randomBytes(4).toString('hex')}`;
const topics = topicsOf(namespace);
const to = 'a@b.example';

let db: TestDatabase;
let client: StreamClient;
let api: TestApi;
let real: StreamProducer;
/** Calls that the log takes; then it is away. */
let callsLeft = Number.POSITIVE_INFINITY;
let backlog: number | undefined;
const states = new Map<string, MessageState>();
/** What ClickHouse would say of where the events of a message are. */
let places: MessagePlace[] = [];

test.before(async () => {
  const kafka = process.env.VOLLEY_TEST_KAFKA;
  if (!kafka) throw new Error('VOLLEY_TEST_KAFKA is not set: host:port of a broker where topics may be created');
  db = await createTestDatabase();
  client = createKafkaClient({ brokers: [kafka], clientId: namespace });
  const settings = { ...DEFAULT_TOPIC_SETTINGS, partitions: 3 };
  await (await client.admin()).ensureTopics(topicDefinitions(topics, settings));
  real = await client.producer({ clientId: namespace, deadlineMs: 15_000 });
  const renamed = (records: readonly OutgoingRecord[]) =>
    records.map((record) => ({ ...record, topic: record.topic.replace(/^t\./, `${namespace}.`) }));
  const admin = await client.admin();
  const lanes = createLaneLog({ client, admin, topics, groupId: namespace, clock: systemClock, log: silent });
  api = await startTestApi(db.pool, {
    producer: {
      async send(records) {
        if (callsLeft-- <= 0) throw new StreamUnavailable('away');
        return real.send(renamed(records));
      },
    },
    lanes: {
      ...lanes,
      // No dispatcher is there to commit: what lies in the log is asked for and does not count.
      async backlog(lane, partitions) {
        await lanes.backlog(lane, partitions);
        return backlog;
      },
    },
    redoMs: 0,
    roomWaitMs: 0,
    analytics: { ...analyticsOf(states), directPlaces: async () => ({ value: places, asOfMs: null }) },
    find: createRecordFinder({ client, topics, monotonicMs: systemClock.monotonicMs }),
  });
});
test.after.always(async () => {
  await api?.stop();
  const admin = await client?.admin();
  await admin?.deleteTopics(topicDefinitions(topics, DEFAULT_TOPIC_SETTINGS).map((d) => d.topic));
  await client?.close();
  await db?.drop();
});

/** Message ids of a campaign in a lane, as the log has them. */
async function inLog(campaignId: string, lane: 'bulk' | 'transactional' = 'bulk'): Promise<string[]> {
  const topic = topics.messages[lane];
  const bounds = await (await client.admin()).logBounds(topic);
  const ranges = bounds.flatMap(({ start, end }, partition) =>
    start < end ? [{ topic, partition, from: start, to: end }] : [],
  );
  const ids: string[] = [];
  const onRecord = ({ headers }: StreamRecord) => {
    if (String(headers[HEADERS.campaignId]) === campaignId) ids.push(String(headers[HEADERS.messageId]));
  };
  if (ranges.length > 0) await client.readRanges({ ranges, onRecord });
  return ids;
}
const post = (id: string, json: unknown, headers: Record<string, string> = {}) =>
  api.call('POST', `/v1/campaigns/${id}/messages`, { json, headers });
const upload = (id: string, body: string | ReadableStream, headers: Record<string, string> = {}) =>
  api.call('POST', `/v1/campaigns/${id}/messages`, {
    body,
    headers: { 'content-type': 'application/x-ndjson', ...headers },
  });
const totalOf = async (id: string) => (await api.call('GET', `/v1/campaigns/${id}/stats`)).body.total;
const line = (i: number) => `{"id":"m${i}","to":"p${i}@b.example","vars":{"name":"P ${i}","n":${i}}}\n`;

test.serial('one message: 202 after the log has it; the same id again is a duplicate', async (t) => {
  const id = await api.create();
  const answer = await post(id, { id: 'order-1', to, vars: { name: 'Ann' } });
  t.is(answer.status, 202, answer.text);
  const message_id = directMessageIdOf(id, 'order-1');
  t.deepEqual(answer.body, { message_id, duplicate: false });
  t.deepEqual(await inLog(id, 'transactional'), [message_id]);
  t.deepEqual((await post(id, { id: 'order-1', to })).body, { message_id, duplicate: true });
  t.deepEqual((await post(id, { to }, { 'idempotency-key': 'k' })).body.duplicate, false);
  t.deepEqual((await post(id, { to }, { 'idempotency-key': '"k"' })).body.duplicate, true);
  t.is(await totalOf(id), 2);
  t.is((await api.call('GET', `/v1/campaigns/${id}`)).body.status, 'running');
});

test.serial('the body of a direct message is rendered of its record in the log', async (t) => {
  const id = await api.create({ template: '{{name}}: {{n}}' });
  const queuedAtMs = Date.now();
  t.is((await upload(id, Array.from({ length: 500 }, (_, i) => line(i)).join(''))).body.accepted, 500);
  const message_id = directMessageIdOf(id, 'm321');
  const body = async () => (await api.call('GET', `/v1/messages/${message_id}/body`)).body;
  t.like(await body(), { code: 'not_found' }, 'it has no event');
  const partitions = [0, 1, 2];
  places = partitions.map((partition) => ({ lane: 'bulk', partition, queuedAtMs }));
  t.like(await body(), { campaign_id: id, recipient: 'p321@b.example', body: 'P 321: 321', error: null });
  places = partitions.map((partition) => ({ lane: 'bulk', partition, queuedAtMs: queuedAtMs + 60_000 }));
  t.like(await body(), { code: 'not_found' }, 'nothing was written at that time');
  places = [];
});

const REFUSED: [string, unknown, number, string][] = [
  ['no recipient', { id: 'x' }, 422, '/to'],
  ['a recipient that is none', { to: 'nobody' }, 422, '/to'],
  ['a field that it has not', { to, email: to }, 422, '/email'],
  ['vars that are none', { to, vars: 'x' }, 422, '/vars'],
  ['an id that is none', { to, id: 7 }, 422, '/id'],
  ['a list', [{ to }], 422, ''],
];
for (const [title, body, status, pointer] of REFUSED) {
  test.serial(`one message with ${title}: ${status}`, async (t) => {
    const id = await api.create();
    const answer = await post(id, body);
    t.is(answer.status, status, answer.text);
    t.is(answer.body.errors[0].pointer, pointer);
    t.is((await api.call('GET', `/v1/campaigns/${id}`)).body.status, 'draft', 'nothing happened');
  });
}

test.serial('a message is at most 64 KiB, and neither CSV nor compressed', async (t) => {
  const id = await api.create();
  t.is((await post(id, { to, vars: { x: 'x'.repeat(65_536) } })).status, 413);
  const as = (type: string, more = {}) =>
    api.call('POST', `/v1/campaigns/${id}/messages`, { body: 'x', headers: { 'content-type': type, ...more } });
  t.is((await as('text/csv')).status, 415);
  t.is((await as('application/x-ndjson', { 'content-encoding': 'gzip' })).status, 415);
});

test.serial('NDJSON: 200 at the end with what came of every line', async (t) => {
  const id = await api.create();
  const long = `{"to":"${to}","vars":{"x":"${'x'.repeat(66_000)}"}}\n`;
  const body = `${line(1)}\n${line(2)}not json\n${line(1)}${long}{"to":"nobody"}\r\n[]\n{"to":"a@b.example","__proto__":1}\n${line(3)}`;
  const answer = await upload(id, body);
  t.is(answer.status, 200, answer.text);
  const { errors, ...counts } = answer.body;
  t.deepEqual(counts, { accepted: 3, duplicate: 1, rejected: 5 });
  t.deepEqual(
    errors.map((e: { line: number; code: string }) => [e.line, e.code]),
    [
      [4, 'malformed_line'],
      [6, 'line_too_long'],
      [7, 'invalid_recipient'],
      [8, 'malformed_line'],
      [9, 'malformed_line'],
    ],
  );
  t.deepEqual((await inLog(id)).sort(), ['m1', 'm2', 'm3'].map((client) => directMessageIdOf(id, client)).sort());
  t.is(await totalOf(id), 3);
});

test.serial('100,000 lines: each once, in bounded memory, and again under the same ids nothing more', async (t) => {
  const id = await api.create();
  const lines = 100_000;
  let peak = 0;
  function stream(): ReadableStream {
    let i = 0;
    return new ReadableStream({
      pull(controller) {
        let text = '';
        for (const end = Math.min(lines, i + 500); i < end; i++) text += line(i);
        controller.enqueue(Buffer.from(text));
        if (i % 5_000 === 0) peak = Math.max(peak, process.memoryUsage().arrayBuffers);
        if (i === lines) controller.close();
      },
    });
  }
  const before = process.memoryUsage().arrayBuffers;
  const began = performance.now();
  const first = await upload(id, stream());
  t.log(
    `${Math.round((lines / (performance.now() - began)) * 1_000)} lines/s, buffers grew by ${((peak - before) / 2 ** 20).toFixed(1)} MiB`,
  );
  t.deepEqual(first.body, { accepted: lines, duplicate: 0, rejected: 0, errors: [] });
  // The body has 6 MiB; what waits between it and the log is bounded by 1 MiB a request and two batches on their way.
  t.true(peak - before < 48 * 2 ** 20, `${peak - before} bytes`);
  const again = await upload(id, stream());
  t.deepEqual(again.body, { accepted: lines, duplicate: 0, rejected: 0, errors: [] });
  const ids = await inLog(id);
  t.is(ids.length, lines);
  t.is(new Set(ids).size, lines);
  t.is(await totalOf(id), lines);
});

test.serial('two requests with the same ids at once: counted once, written once or under the same id', async (t) => {
  const id = await api.create();
  const body = Array.from({ length: 6_000 }, (_, i) => line(i)).join('');
  const backwards = Array.from({ length: 6_000 }, (_, i) => line(5_999 - i)).join('');
  const answers = await Promise.all([upload(id, body), upload(id, backwards), upload(id, body)]);
  for (const answer of answers) t.like(answer, { status: 200, body: { accepted: 6_000, duplicate: 0 } });
  t.is(new Set(await inLog(id)).size, 6_000);
  t.is(await totalOf(id), 6_000);
});

test.serial('many alone at the same time share transactions and requests to the log', async (t) => {
  const id = await api.create();
  const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => post(id, { id: `s${i}`, to })));
  t.true(answers.every((answer) => answer.status === 202));
  t.is(await totalOf(id), 300);
  t.is((await inLog(id, 'transactional')).length, 300);
  const { rows } = await db.pool.query('SELECT last_value AS n FROM direct_requests');
  t.true(rows[0].n < 300, 'a request number is given to a batch');
});

test.serial(
  'the log fails in the middle: 503 with the counts, and a repeat of the whole body counts each once',
  async (t) => {
    const id = await api.create();
    const body = Array.from({ length: 5_000 }, (_, i) => line(i)).join('');
    callsLeft = 2;
    const answer = await upload(id, body);
    callsLeft = Number.POSITIVE_INFINITY;
    t.is(answer.status, 503, answer.text);
    t.truthy(answer.headers.get('retry-after'));
    t.is(answer.body.code, 'unavailable');
    const { accepted, duplicate, rejected, acknowledged_lines } = answer.body;
    t.deepEqual([duplicate, rejected], [0, 0]);
    t.is(accepted, acknowledged_lines);
    t.true(accepted > 0 && accepted < 5_000);
    const certain = new Set(await inLog(id));
    for (let i = 0; i < accepted; i++) t.true(certain.has(directMessageIdOf(id, `m${i}`)));

    while (await api.redo());
    t.is(await totalOf(id), new Set(await inLog(id)).size, 'what was counted is written without a repeat');
    t.like(await upload(id, body), { status: 200, body: { accepted: 5_000, duplicate: 0 } });
    t.is(await totalOf(id), 5_000);
    t.is(new Set(await inLog(id)).size, 5_000);
  },
);

test.serial('an upload that is cut off: what the log took stays, and is counted', async (t) => {
  const id = await api.create();
  const req = request(`${api.origin}/v1/campaigns/${id}/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/x-ndjson' },
  });
  req.on('error', () => {});
  req.write(`${line(1)}${line(2)}{"to":"half`);
  await until('the whole lines are in the log', async () => (await inLog(id)).length === 2);
  req.destroy();
  await until('the request is over', async () => (await totalOf(id)) === 2);
  t.deepEqual((await inLog(id)).length, 2);
});

test.serial(
  'an answer before the end of the body is heard: a client that is still writing meets no reset',
  async (t) => {
    const id = await api.create();
    await post(id, { to });
    await api.call('POST', `/v1/campaigns/${id}/close`);
    const chunk = Buffer.from(line(1).repeat(1_500));
    const chunks = 400;
    const head = (type: string) =>
      `POST /v1/campaigns/${id}/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: ${type}\r\nContent-Length: ${chunk.length * chunks}\r\n\r\n`;
    for (const [type, status] of [
      ['application/x-ndjson', /^HTTP\/1\.1 409 /],
      ['application/json', /^HTTP\/1\.1 413 /],
    ] as const) {
      const socket = connect(api.port, '127.0.0.1');
      let answer = '';
      socket.setEncoding('utf8').on('data', (text) => {
        answer += text;
      });
      socket.write(head(type));
      for (let i = 0; i < chunks; i++) if (!socket.write(chunk)) await once(socket, 'drain');
      socket.end();
      await once(socket, 'close');
      t.regex(answer, status);
      t.regex(answer, /connection: close/i);
    }
  },
);

test.serial('above the mark: 429 with Retry-After', async (t) => {
  const id = await api.create();
  backlog = 1_000;
  const answers = [await post(id, { to }), await upload(id, line(1))];
  backlog = undefined;
  for (const answer of answers) {
    t.is(answer.status, 429);
    t.is(answer.body.code, 'busy');
    t.truthy(answer.headers.get('retry-after'));
  }
  t.is((await api.call('GET', `/v1/campaigns/${id}`)).body.status, 'draft');
});

test.serial(
  'close: 202, then no more; a closed campaign without messages under way is over when they have ended',
  async (t) => {
    const id = await api.create();
    const close = () => api.call('POST', `/v1/campaigns/${id}/close`);
    t.like(await close(), { status: 409, body: { code: 'illegal_transition', current_status: 'draft' } });
    await post(id, { to });
    t.like(await close(), { status: 202, body: { campaign_id: id, status: 'running' } });
    t.like(await close(), { status: 409 });
    for (const answer of [await post(id, { to }), await upload(id, line(1))])
      t.like(answer, { status: 409, body: { code: 'illegal_transition', current_status: 'running' } });
    t.is(await totalOf(id), 1);
  },
);

test.serial('a paused campaign takes none; resumed, it does again', async (t) => {
  const id = await api.create();
  await post(id, { to });
  await api.call('POST', `/v1/campaigns/${id}/pause`);
  t.like(await post(id, { to }), { status: 409, body: { current_status: 'paused' } });
  await api.call('POST', `/v1/campaigns/${id}/resume`);
  t.is((await post(id, { to })).status, 202);
});

test.serial('test: one message, marked, counted nowhere, also of a draft', async (t) => {
  const id = await api.create();
  await api.importContacts([{ email: 'test@b.example', name: 'Tess' }]);
  const answer = await api.call('POST', `/v1/campaigns/${id}/test`, { json: { to: 'test@b.example' } });
  t.is(answer.status, 202, answer.text);
  t.deepEqual(await inLog(id, 'transactional'), [answer.body.message_id]);
  t.is((await api.call('GET', `/v1/campaigns/${id}`)).body.status, 'draft');
  t.is(await totalOf(id), 0);
  t.is((await api.call('POST', `/v1/campaigns/${id}/test`, { json: { to: 'nobody' } })).status, 422);
  t.is((await api.call('POST', `/v1/campaigns/${id}/test`, { json: { to, more: 1 } })).status, 422);
});

test.serial('a direct message is known from its first event on, by id and in the list of its campaign', async (t) => {
  const id = await api.create();
  const { message_id } = (await post(id, { id: 'm', to })).body;
  t.is((await api.call('GET', `/v1/messages/${message_id}`)).status, 404);
  t.like((await api.call('GET', `/v1/campaigns/${id}/messages`)).body, { data: [], next_cursor: null });
  const at = '2026-01-01T00:00:00.000Z';
  const state = { ordinal: 0, recipient: to, status: 'sent', attempts: 1, reason: '', queued_at: at, occurred_at: at };
  const other = directMessageIdOf(id, 'n');
  for (const each of [message_id, other]) states.set(each, { ...state, message_id: each });
  const answer = await api.call('GET', `/v1/messages/${message_id}`);
  t.is(answer.status, 200, answer.text);
  t.like(answer.body, { message_id, campaign_id: id, recipient: to, status: 'sent', accepted_at: at, reason: null });
  t.is(answer.body.timeline.length, 1);
  const first = await api.call('GET', `/v1/campaigns/${id}/messages?limit=1`);
  const rest = await api.call('GET', `/v1/campaigns/${id}/messages?limit=1&cursor=${first.body.next_cursor}`);
  const listed = [...first.body.data, ...rest.body.data].map((m: { message_id: string }) => m.message_id);
  t.deepEqual(listed, [message_id, other].sort());
  t.is(rest.body.next_cursor, null);
});

test.serial('names are forgotten when their campaign takes no more, those of others stay', async (t) => {
  const [closed, open] = [await api.create(), await api.create()];
  for (const id of [closed, open]) await post(id, { id: 'x', to });
  await api.call('POST', `/v1/campaigns/${closed}/close`);
  while (await api.forget());
  const names = async (id: string) =>
    (await db.pool.query('SELECT 1 FROM direct_messages WHERE message_id = $1', [directMessageIdOf(id, 'x')])).rowCount;
  t.is(await names(closed), 0);
  t.is(await names(open), 1);
});
