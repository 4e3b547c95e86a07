import { connect } from 'node:net';
import { messageIdOf } from '@volley/contract';
import { createFailpoints } from '@volley/runtime';
import test from 'ava';
import { createCampaignStore } from '../src/adapters/postgres/campaign-store.ts';
import { createPool } from '../src/adapters/postgres/pool.ts';
import type { Analytics, MessageState } from '../src/analytics-ports.ts';
import { foldAll } from '../src/core/campaign.ts';
import { analyticsOf } from './support/analytics.ts';
import { KEY, startTestApi, type TestApi } from './support/api.ts';
import { createTestDatabase, inert, type TestDatabase } from './support/database.ts';
import { until } from './support/log.ts';

let db: TestDatabase;
let api: TestApi;
/** What ClickHouse would say of messages; figures are away. */
const states = new Map<string, MessageState>();
const AS_OF = Date.parse('2026-11-21T10:00:00.000Z');
const analytics: Analytics = {
  ...analyticsOf(states),
  failures: async () => ({ value: [], asOfMs: AS_OF }),
};
test.before(async () => {
  db = await createTestDatabase();
  api = await startTestApi(db.pool, { analytics });
});
test.after.always(async () => {
  await api?.stop();
  await db?.drop();
});

/** One import at a time: the others are told to come back, and do. */
const importAll = (rows: object[]) =>
  until('the contacts are imported', async () => (await api.importContacts(rows)).status === 200);
const people = (tag: string, n: number) =>
  importAll(Array.from({ length: n }, (_, i) => ({ email: `p${i}.${tag}@b.example`, name: `P ${i}`, tags: [tag] })));
const one = async <T>(text: string, values: unknown[]): Promise<T> => (await db.pool.query(text, values)).rows[0] as T;

test('a campaign from create to cancel: answers, versions, and the projection is the fold of its events', async (t) => {
  await people('whole', 3);
  const created = await api.call('POST', '/v1/campaigns', {
    json: { name: 'A', template: 'Hi {{name}}', segment_rule: 'whole', expires_at: '2099-01-01T00:00:00+01:00' },
  });
  t.is(created.status, 201);
  t.like(created.body, { status: 'draft', version: 1, provider: 'simulated', expires_at: '2098-12-31T23:00:00.000Z' });
  const id = created.body.campaign_id;
  t.is(created.headers.get('location'), `/v1/campaigns/${id}`);
  const changed = await api.call('PATCH', `/v1/campaigns/${id}`, {
    json: { name: 'B' },
    headers: { 'if-match': '"1"' },
  });
  t.like(changed.body, { name: 'B', version: 2, template: 'Hi {{name}}' });
  t.is(changed.headers.get('etag'), '"2"');
  const sent = await api.call('POST', `/v1/campaigns/${id}/send`);
  t.is(sent.status, 202);
  t.deepEqual(sent.body, { campaign_id: id, status: 'running', queued: 3 });
  for (const [name, status] of [
    ['pause', 'paused'],
    ['resume', 'running'],
    ['cancel', 'cancelling'],
  ]) {
    const answer = await api.call('POST', `/v1/campaigns/${id}/${name}`, { json: {} });
    t.is(answer.status, 202);
    t.deepEqual(answer.body, { campaign_id: id, status });
  }
  const { state } = await one<{ state: unknown }>('SELECT state FROM campaigns WHERE campaign_id = $1', [id]);
  const facts = await createCampaignStore(db.pool, inert).transaction(async (tx) => ({ undo: await tx.facts(id) }));
  t.deepEqual(state, JSON.parse(JSON.stringify(foldAll(facts))));
  t.deepEqual(
    facts.map((f) => f.fact.type),
    ['created', 'changed', 'sent', 'paused', 'resumed', 'cancel_requested'],
  );
});

test('the ETag is the version: 304 while it stays', async (t) => {
  const id = await api.create();
  const first = await api.call('GET', `/v1/campaigns/${id}`);
  const etag = first.headers.get('etag') ?? '';
  t.is(etag, '"1"');
  // fetch adds cache-control: no-cache to a conditional request, which must not matter here.
  const again = await api.call('GET', `/v1/campaigns/${id}`, { headers: { 'if-none-match': `"7", W/${etag}` } });
  t.is(again.status, 304);
  t.is(again.text, '');
  t.is((await api.call('GET', `/v1/campaigns/${id}`, { headers: { 'if-none-match': '"7"' } })).status, 200);
  const head = await api.call('HEAD', `/v1/campaigns/${id}`);
  t.deepEqual([head.status, head.text], [200, '']);
});

test('a deleted draft is gone', async (t) => {
  const id = await api.create();
  t.is((await api.call('DELETE', `/v1/campaigns/${id}`, { headers: { 'if-match': '"1"' } })).status, 204);
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/stats'],
    ['POST', '/send'],
    ['DELETE', ''],
  ] as const)
    t.is((await api.call(method, `/v1/campaigns/${id}${path}`)).status, 404);
});

test('lists are pages, newest first, and filtered', async (t) => {
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.unshift(await api.create({ name: `list ${i}` }));
  const seen: string[] = [];
  let cursor = '';
  do {
    const page = await api.call('GET', `/v1/campaigns?limit=2&status=draft${cursor && `&cursor=${cursor}`}`);
    t.true(page.body.data.length <= 2);
    seen.push(...page.body.data.map((c: { campaign_id: string }) => c.campaign_id));
    cursor = page.body.next_cursor ?? '';
  } while (cursor !== '');
  t.deepEqual(
    seen.filter((id) => ids.includes(id)),
    ids,
  );
  t.is(new Set(seen).size, seen.length);
});

test('the same Idempotency-Key gets the first answer, for send and for create', async (t) => {
  await people('key', 2);
  const headers = { 'idempotency-key': '"create-1"' };
  const json = { name: 'K', template: 'x', segment_rule: 'key' };
  const [a, b] = [
    await api.call('POST', '/v1/campaigns', { json, headers }),
    await api.call('POST', '/v1/campaigns', { json, headers }),
  ];
  t.deepEqual([a.status, b.status], [201, 201]);
  t.deepEqual(b.body, a.body);
  const other = await api.call('POST', '/v1/campaigns', { json: { ...json, name: 'L' }, headers });
  t.deepEqual([other.status, other.body.code], [422, 'idempotency_key_reused']);
  const send = `/v1/campaigns/${a.body.campaign_id}/send`;
  const both = await Promise.all(
    [1, 2, 3].map(() => api.call('POST', send, { headers: { 'idempotency-key': 'send-1' } })),
  );
  t.deepEqual(
    both.map((r) => r.status),
    [202, 202, 202],
  );
  for (const r of both) t.deepEqual(r.body, both[0]?.body);
  t.is((await api.call('POST', send)).body.code, 'illegal_transition');
  t.is(
    (await api.call('POST', send, { headers: { 'idempotency-key': 'create-1' } })).body.code,
    'idempotency_key_reused',
  );
  t.is((await api.call('POST', send, { headers: { 'idempotency-key': 'send-2' } })).body.code, 'illegal_transition');
});

test('F04: two commands that read one version: one wins, the other decides again on the new state', async (t) => {
  await people('race', 50);
  const id = await api.create({ segment_rule: 'race' });
  const client = await db.pool.connect();
  const race = async (names: string[]) => {
    await client.query('BEGIN');
    await client.query('SELECT 1 FROM campaigns WHERE campaign_id = $1 FOR UPDATE', [id]);
    const answers = names.map((name) => api.call('POST', `/v1/campaigns/${id}/${name}`));
    await until('all of them wait for the row', async () => {
      const { rows } = await client.query(
        "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      );
      return rows[0].n === names.length;
    });
    await client.query('COMMIT');
    return Promise.all(answers);
  };
  const sends = await race(['send', 'send', 'send']);
  t.deepEqual(sends.map((a) => a.status).sort(), [202, 409, 409]);
  for (const answer of sends.filter((a) => a.status === 409))
    t.like(answer.body, { code: 'illegal_transition', current_status: 'running' });
  t.like(
    await one('SELECT count(*)::int AS n, max(ordinal)::int AS last FROM campaign_recipients WHERE campaign_id = $1', [
      id,
    ]),
    { n: 50, last: 50 },
  );
  const [pause, cancel] = await race(['pause', 'cancel']);
  t.is(cancel?.status, 202);
  t.true(pause?.status === 202 || pause?.body.code === 'illegal_transition');
  client.release();
  const versions = (await db.pool.query('SELECT version FROM campaign_events WHERE campaign_id = $1 ORDER BY 1', [id]))
    .rows;
  t.deepEqual(
    versions.map((r) => r.version),
    versions.map((_, i) => i + 1),
  );
});

test('preview is the audience that send freezes; what changes later changes nothing', async (t) => {
  await people('frozen', 12);
  await importAll([{ email: 'zoe.frozen@b.example', tags: ['frozen'] }]);
  const id = await api.create({ segment_rule: 'frozen', template: 'Hi {{name}}!', subject: 'For {{ email }}' });
  const preview = await api.call('GET', `/v1/campaigns/${id}/preview?limit=100`);
  t.is(preview.body.total, 13);
  t.deepEqual(preview.body.sample[0], {
    recipient: 'p0.frozen@b.example',
    rendered: 'Hi P 0!',
    subject: 'For p0.frozen@b.example',
    error: null,
  });
  t.like(preview.body.sample[12], { rendered: null, error: { reason: 'missing_variable' } });
  t.is((await api.call('POST', `/v1/campaigns/${id}/send`)).body.queued, 13);
  await importAll([
    { email: 'P0.FROZEN@b.example', name: 'Changed' },
    { email: 'new.frozen@b.example', tags: ['frozen'] },
  ]);
  const { rows } = await db.pool.query(
    'SELECT ordinal::int AS ordinal, recipient, name FROM campaign_recipients WHERE campaign_id = $1 ORDER BY 1',
    [id],
  );
  t.is(rows.length, 13);
  t.deepEqual(rows[0], { ordinal: 1, recipient: 'p0.frozen@b.example', name: 'P 0' });
  t.deepEqual(
    rows.map((r) => r.recipient),
    preview.body.sample.map((s: { recipient: string }) => s.recipient),
  );
});

test('stats add up without ClickHouse: percentiles are null, counts are there', async (t) => {
  await people('stats', 10);
  const id = await api.create({ segment_rule: 'stats' });
  t.like((await api.call('GET', `/v1/campaigns/${id}/stats`)).body, { total: 0, queued: 0, status: 'draft' });
  await api.call('POST', `/v1/campaigns/${id}/send`);
  await db.pool.query(
    `INSERT INTO progress_counts VALUES ($1, 0, 3, 1, 1, 0, 0, 0, 2, 0, '2026-01-01T00:00:00Z', '2026-01-01T00:00:02Z')`,
    [id],
  );
  const { status, body } = await api.call('GET', `/v1/campaigns/${id}/stats`);
  t.is(status, 200);
  t.like(body, {
    total: 10,
    sent: 3,
    failed: 1,
    dead: 1,
    retrying: 2,
    queued: 3,
    p50_ms: null,
    p99_ms: null,
    stale: true,
    percentiles_as_of: null,
    throughput_per_s: 2.5,
  });
});

test('messages: every recipient by ordinal with its state; filters and cursors reach each exactly once', async (t) => {
  await people('listed', 25);
  const id = await api.create({ segment_rule: 'listed' });
  await api.call('POST', `/v1/campaigns/${id}/send`);
  const at = '2026-01-01T00:00:00.000Z';
  for (let ordinal = 1; ordinal <= 15; ordinal++) {
    const status = ordinal % 5 === 0 ? 'failed' : ordinal === 7 ? 'retrying' : 'sent';
    const reason = status === 'sent' ? '' : status === 'failed' ? 'provider_refused' : 'provider_transient';
    const message_id = messageIdOf(id, ordinal);
    const times = { queued_at: at, occurred_at: at };
    states.set(message_id, { ordinal, message_id, recipient: '', status, attempts: 1, reason, ...times });
  }
  const all = async (query: string) => {
    const rows: { message_id: string; recipient: string; status: string; tags: string[] }[] = [];
    let cursor = '';
    do {
      const page = await api.call(
        'GET',
        `/v1/campaigns/${id}/messages?limit=4${query}${cursor && `&cursor=${cursor}`}`,
      );
      t.is(page.status, 200, page.text);
      rows.push(...page.body.data);
      cursor = page.body.next_cursor ?? '';
    } while (cursor !== '');
    t.is(new Set(rows.map((r) => r.message_id)).size, rows.length);
    return rows;
  };
  const listed = await all('');
  t.is(listed.length, 25);
  t.like(listed[0], {
    message_id: `${id.slice(0, -8)}00000001`,
    recipient: 'p0.listed@b.example',
    status: 'sent',
    tags: ['listed'],
    reason: null,
  });
  t.like(listed[24], { status: 'queued', attempts: 0, queued_at: null });
  t.deepEqual(
    (await all('&status=failed')).map((r) => r.recipient),
    ['p4.listed@b.example', 'p9.listed@b.example', 'p14.listed@b.example'],
  );
  t.is((await all('&status=queued')).length, 10);
  t.is((await all('&status=retrying')).length, 1);
  t.is((await all('&status=sent')).length, 11);
  t.is((await all('&reason=provider_refused')).length, 3);
  t.deepEqual(
    (await all('&recipient=P3.Listed@b.example')).map((r) => r.status),
    ['sent'],
  );
  t.is((await all('&recipient=nobody@b.example')).length, 0);
  t.is((await all('&status=failed&recipient=p3.listed@b.example')).length, 0);
  const detail = await api.call('GET', `/v1/messages/${listed[4]?.message_id}`);
  t.like(detail.body, {
    campaign_id: id,
    recipient: 'p4.listed@b.example',
    status: 'failed',
    reason: 'provider_refused',
  });
  t.is(detail.body.timeline.length, 1);
  t.is((await api.call('GET', `/v1/messages/${id.slice(0, -8)}0000ffff`)).status, 404);
  t.is(detail.body.as_of, '2026-11-21T10:00:00.000Z');
  t.true(detail.body.lag_ms > 0);
  const failures = await api.call('GET', `/v1/campaigns/${id}/failures?from=2026-01-01T00:00:00Z`);
  t.like(failures.body, { data: [], as_of: '2026-11-21T10:00:00.000Z' });
});

test('the stream of stats speaks about once a second, and goes when its reader goes', async (t) => {
  await people('stream', 2);
  const id = await api.create({ segment_rule: 'stream' });
  const controller = new AbortController();
  const response = await fetch(`${api.origin}/v1/campaigns/${id}/stats/stream`, {
    headers: { authorization: `Bearer ${KEY}` },
    signal: controller.signal,
  });
  t.regex(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk as Uint8Array).toString();
    if (text.split('\n\n').length > 2) break;
  }
  controller.abort();
  const events = text.split('\n\n').filter((e) => e.startsWith('event: stats\n'));
  t.true(events.length >= 2);
  t.like(JSON.parse(events[0]?.split('\ndata: ')[1] ?? ''), { campaign_id: id, total: 0, status: 'draft' });
  t.is((await api.call('GET', '/v1/campaigns/01a1fdc2-e2c6-780b-84ec-2fe500000000/stats/stream')).status, 404);
});

test('F03: a commit that was done and reported as failed is 503; the same key then finds it', async (t) => {
  await people('f03', 4);
  const id = await api.create({ segment_rule: 'f03' });
  const failing = await startTestApi(db.pool, { failpoints: createFailpoints('ingest.commit:execute-then-throw') });
  const headers = { 'idempotency-key': 'f03' };
  const unknown = await failing.call('POST', `/v1/campaigns/${id}/send`, { headers });
  t.deepEqual([unknown.status, unknown.body.code], [503, 'unavailable']);
  t.truthy(unknown.headers.get('retry-after'));
  const again = await failing.call('POST', `/v1/campaigns/${id}/send`, { headers });
  t.deepEqual([again.status, again.body.queued], [202, 4]);
  t.like(await one('SELECT count(*)::int AS n FROM campaign_recipients WHERE campaign_id = $1', [id]), { n: 4 });
  await failing.stop();
});

test('a store that is locked or away is 503 within 2 s, and what was asked is not there', async (t) => {
  const pool = createPool({ url: db.url, applicationName: 'test', max: 2, timeoutMs: 1_000, onError: () => {} });
  const slow = await startTestApi(pool);
  const client = await db.pool.connect();
  await client.query('BEGIN; LOCK TABLE campaigns IN ACCESS EXCLUSIVE MODE');
  const began = performance.now();
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, i) =>
      slow.call('POST', '/v1/campaigns', { json: { name: `locked ${i}`, template: 'x' } }),
    ),
  );
  const tookMs = performance.now() - began;
  await client.query('ROLLBACK');
  client.release();
  t.deepEqual(
    answers.map((a) => a.status),
    [503, 503, 503, 503, 503, 503],
  );
  for (const answer of answers) t.is(answer.headers.get('retry-after'), '2');
  t.true(tookMs < 2_500, `${tookMs} ms`);
  t.like(await one("SELECT count(*)::int AS n FROM campaigns WHERE state->>'name' LIKE 'locked %'", []), { n: 0 });
  t.is((await slow.call('GET', '/v1/campaigns?limit=1')).status, 200, 'and it is served again');
  await slow.stop();
  await pool.end();

  const nowhere = createPool({
    url: 'postgres://x@127.0.0.1:9/x',
    applicationName: 'test',
    max: 2,
    timeoutMs: 1_000,
    onError: () => {},
  });
  const gone = await startTestApi(nowhere);
  t.is((await gone.call('GET', '/v1/campaigns')).body.code, 'unavailable');
  await gone.stop();
  await nowhere.end();
});

test('a request that goes away in the middle leaves nothing open', async (t) => {
  await new Promise<void>((resolve) => {
    const socket = connect(api.port, '127.0.0.1', () => {
      socket.write(
        `POST /v1/campaigns HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"name"`,
      );
      setImmediate(() => socket.destroy());
    });
    socket.on('close', () => resolve());
  });
  t.is((await api.call('GET', '/v1/campaigns?limit=1')).status, 200);
});
