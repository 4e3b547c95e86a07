import { messageIdOf } from '@volley/contract';
import { ROUTES, type Route } from '@volley/contract/http';
import test from 'ava';
import { type FaultProxy, startFaultProxy } from '../../../test/support/fault-proxy.ts';
import { createAnalytics } from '../src/adapters/clickhouse/analytics.ts';
import { type AnalyticsDatabase, createAnalyticsDatabase, DAY } from './support/analytics-database.ts';
import { KEY, startTestApi, type TestApi } from './support/api.ts';
import { createTestDatabase, type TestDatabase } from './support/database.ts';
import { until } from './support/log.ts';

/** The routes over a real Postgres and a real ClickHouse, which is reached through a proxy that can take it away. */
let db: TestDatabase;
let events: AnalyticsDatabase;
let proxy: FaultProxy;
let analytics: ReturnType<typeof createAnalytics>;
let api: TestApi;
let id: string;
let storedUntil: number | null = Date.now();
const outcomes: string[] = [];
const PEOPLE = 30;

test.before(async () => {
  [db, events] = await Promise.all([createTestDatabase(), createAnalyticsDatabase()]);
  const url = new URL(events.url);
  proxy = await startFaultProxy({ target: url.host });
  url.host = proxy.address;
  analytics = createAnalytics({
    ...{ url: url.toString(), database: events.name, clientId: 'test' },
    storedUntil: async () => storedUntil,
    monotonicMs: () => performance.now(),
    metric: { questions: { inc: ({ outcome }: { outcome: string }) => outcomes.push(outcome) } } as never,
  });
  api = await startTestApi(db.pool, { analytics });
  await api.importContacts(Array.from({ length: PEOPLE }, (_, i) => ({ email: `p${i + 1}@b.example`, name: 'P' })));
  id = await api.create();
  await api.call('POST', `/v1/campaigns/${id}/send`);
  const failed = (ordinal: number) => ordinal % 10 === 0;
  await events.store(
    Array.from({ length: 20 }, (_, i) => i + 1).map((ordinal) => ({
      campaign_id: id,
      ordinal,
      kind: failed(ordinal) ? 'failed' : 'sent',
      reason: failed(ordinal) ? 'recipient_refused' : '',
      e2e_ms: ordinal,
      occurred_at: `${DAY}T10:0${ordinal % 3}:00.000Z`,
    })),
  );
  await db.pool.query(
    `INSERT INTO progress_counts (campaign_id, partition, sent, failed, dead, suppressed, cancelled, expired, retrying, surplus)
     VALUES ($1, 0, 18, 2, 0, 0, 0, 0, 0, 0)`,
    [id],
  );
});
test.after.always(async () => {
  await api?.stop();
  await analytics?.close();
  await proxy?.close();
  await Promise.all([db?.drop(), events?.drop()]);
});

const get = (path: string) => api.call('GET', `/v1/campaigns/${id}/${path}`);
const asDocumented = (route: Route, body: unknown) => {
  const parsed = route.answer?.safeParse(body);
  return parsed?.success ? '' : JSON.stringify(parsed?.error?.issues);
};

test.serial('every route answers as documented, with the instant up to which it is complete', async (t) => {
  storedUntil = Date.now() - 1_000;
  const ROUTES_OF: [string, Route][] = [
    ['series', ROUTES.campaignSeries],
    ['series?step=1h', ROUTES.campaignSeries],
    ['histogram', ROUTES.campaignHistogram],
    ['histogram?step=1m', ROUTES.campaignHistogram],
    ['failures', ROUTES.campaignFailures],
    [`failures?step=1h&from=${DAY}T00:00:00Z`, ROUTES.campaignFailures],
    ['messages', ROUTES.campaignMessages],
    ['messages?status=queued', ROUTES.campaignMessages],
    ['messages?status=failed&reason=recipient_refused', ROUTES.campaignMessages],
    ['messages?recipient=P7@b.example', ROUTES.campaignMessages],
  ];
  for (const [path, route] of ROUTES_OF) {
    const answer = await get(path);
    t.is(answer.status, 200, answer.text);
    t.is(asDocumented(route, answer.body), '', path);
    t.true(answer.body.data.length > 0, path);
    t.is(answer.body.as_of, new Date(storedUntil).toISOString(), path);
    t.true(answer.body.lag_ms >= 1_000, path);
  }
  const message = await api.call('GET', `/v1/messages/${messageIdOf(id, 10)}`);
  t.is(asDocumented(ROUTES.getMessage, message.body), '');
  t.like(message.body, { status: 'failed', reason: 'recipient_refused', as_of: new Date(storedUntil).toISOString() });
});

test.serial('the parts add up: series and buckets to what was sent, failures and lists to what failed', async (t) => {
  const [series, histogram, failures] = await Promise.all([get('series'), get('histogram'), get('failures')]);
  const sum = (rows: Record<string, number>[], key: string) => rows.reduce((n, row) => n + Number(row[key]), 0);
  t.deepEqual([sum(series.body.data, 'sent'), sum(series.body.data, 'failed')], [18, 2]);
  t.like(series.body, { step: '1m', from: `${DAY}T10:00:00.000Z`, to: `${DAY}T10:03:00.000Z` });
  t.is(sum(histogram.body.data, 'count'), 18);
  t.like(failures.body.data, [
    { reason: 'recipient_refused', count: 2, sample_ids: [10, 20].map((n) => messageIdOf(id, n)) },
  ]);
  t.is((await get('messages?status=failed')).body.data.length, 2);
  t.is((await get('messages?status=queued')).body.data.length, PEOPLE - 20);
});

test.serial('stats: counts from progress, percentiles from ClickHouse, none of them stale', async (t) => {
  const { body } = await get('stats');
  t.is(asDocumented(ROUTES.campaignStats, body), '');
  t.like(body, { total: PEOPLE, sent: 18, failed: 2, queued: PEOPLE - 20, stale: false });
  t.true(body.p50_ms > 5 && body.p50_ms <= body.p95_ms && body.p95_ms <= body.p99_ms);
  t.is(body.percentiles_as_of, new Date(storedUntil ?? 0).toISOString());
});

const FAULTS: [string, () => unknown][] = [
  ['refuses', () => proxy.refuse(true)],
  ['hangs', () => proxy.toClient.set({ blackhole: true })],
];
for (const [what, fault] of FAULTS) {
  test.serial(
    `ClickHouse ${what}: counts go on at once with the last percentiles, the rest is 503 for a while`,
    async (t) => {
      const before = (await get('stats')).body;
      t.true(before.p99_ms > 0);
      await fault();
      t.teardown(() => proxy.heal());
      await db.pool.query('UPDATE progress_counts SET sent = sent + 1 WHERE campaign_id = $1', [id]);
      const stats = await until('the percentiles are stale', async () => {
        const startedMs = performance.now();
        const { status, body } = await get('stats');
        t.is(status, 200);
        t.true(performance.now() - startedMs < 2_000, 'nobody waits for it');
        return body.stale ? body : undefined;
      });
      t.is(stats.sent, before.sent + 1, 'counts go on');
      t.deepEqual([stats.p50_ms, stats.p95_ms, stats.p99_ms], [before.p50_ms, before.p95_ms, before.p99_ms]);
      t.is(stats.percentiles_as_of, before.percentiles_as_of);
      const startedMs = performance.now();
      const paths = ['series', 'histogram', 'failures', 'messages', 'messages?status=sent'];
      const answers = await Promise.all([...paths.map(get), api.call('GET', `/v1/messages/${messageIdOf(id, 1)}`)]);
      t.true(performance.now() - startedMs < 15_000);
      for (const answer of answers) {
        t.deepEqual([answer.status, answer.body.code], [503, 'unavailable'], answer.text);
        t.regex(answer.headers.get('retry-after') ?? '', /^\d+$/);
        t.regex(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
      }
      await proxy.heal();
      await until('it is back', async () => (await get('stats')).body.stale === false);
      t.is((await get('series')).status, 200);
    },
  );
}

test.serial('a thousand readers of the same are one question to ClickHouse at a time', async (t) => {
  const before = proxy.toServer.passed();
  await get('histogram');
  const one = proxy.toServer.passed() - before;
  const answers = await Promise.all(Array.from({ length: 300 }, () => get('histogram')));
  t.true(answers.every((a) => a.status === 200));
  const all = proxy.toServer.passed() - before - one;
  t.true(all < one * 150, `${all} bytes of questions, one is ${one}`);
});

test.serial('a reader that goes away is not answered, and its question ends', async (t) => {
  // Answers do not come, so that the question is still under way when the reader goes.
  proxy.toClient.set({ blackhole: true });
  t.teardown(() => proxy.heal());
  const gone = new AbortController();
  const before = proxy.toServer.passed();
  const reading = fetch(`${api.origin}/v1/campaigns/${id}/failures?from=${DAY}T00:00:01Z`, {
    headers: { authorization: `Bearer ${KEY}` },
    signal: gone.signal,
  });
  await until('it is asked', () => proxy.toServer.passed() > before);
  gone.abort();
  await t.throwsAsync(reading);
  await until('its question has ended', () => outcomes.includes('given_up'));
  await proxy.heal();
  t.is((await get('failures')).status, 200);
});
