import { randomBytes } from 'node:crypto';
import { campaignIdFrom, directMessageIdOf, messageIdOf } from '@volley/contract';
import test from 'ava';
import { createAnalytics } from '../../src/adapters/clickhouse/analytics.ts';
import type { MessageState } from '../../src/analytics-ports.ts';
import { StoreUnavailable } from '../../src/ports.ts';
import { type AnalyticsDatabase, createAnalyticsDatabase, DAY, type TestEvent } from '../support/analytics-database.ts';
import { until } from '../support/log.ts';

const [ID, DIRECT, SLOW, MANY, PLACES, REFUSALS] = [0, 1, 2, 3, 4, 5].map((n) =>
  campaignIdFrom(1_795_000_000_000 + n, randomBytes(6)),
) as [string, string, string, string, string, string];
const of = (campaign_id: string) => ({ campaign_id, spread: 1, partitions: 1 });
const REFUSED = "recipient_refused'; DROP TABLE x";
const AS_OF = 1_795_000_000_000;
const at = (time: string) => Date.parse(`${DAY}T${time}Z`);
const DIRECTS = ['m1', 'm2', 'm3'].map((id) => directMessageIdOf(DIRECT, id)).sort();

let db: AnalyticsDatabase;
let analytics: ReturnType<typeof createAnalytics>;
const options = (url: string, database: string) => ({
  ...{ url, database, clientId: 'test' },
  storedUntil: async () => AS_OF,
  monotonicMs: () => performance.now(),
});

const event = (ordinal: number, kind: string, more: object = {}): TestEvent => ({
  campaign_id: ID,
  ordinal,
  kind,
  reason: kind === 'sent' ? '' : 'provider_transient',
  occurred_at: `${DAY}T10:00:${String(ordinal).padStart(2, '0')}.500Z`,
  e2e_ms: 2 ** ordinal,
  ...more,
});

test.before(async () => {
  db = await createAnalyticsDatabase();
  analytics = createAnalytics(options(db.url, db.name));
  await db.store([
    event(1, 'deferred'),
    event(1, 'sent', { attempt: 2, deferrals: 1 }),
    event(2, 'failed', { reason: REFUSED }),
    event(2, 'sent', { attempt: 2, is_repeat: true }),
    event(3, 'deferred'),
    event(3, 'deferred', { attempt: 2, deferrals: 1, reason: 'provider_timeout' }),
    event(4, 'dead', { reason: 'attempts_exhausted' }),
    event(4, 'redriven', { run: 1, reason: '', previous_kind: 'dead', attempt: 0 }),
    event(4, 'sent', { run: 1 }),
    event(5, 'sent', { occurred_at: `${DAY}T11:30:00.000Z` }),
    event(5, 'delivered', { reason: '', occurred_at: `${DAY}T11:30:01.000Z` }),
    event(6, 'expired', { reason: 'expired' }),
    event(7, 'expired', { reason: 'expired', occurred_at: `${DAY}T10:01:07.500Z` }),
    event(8, 'failed', { reason: 'recipient_refused' }),
    event(8, 'redriven', { run: 1, attempt: 0, reason: 'recipient_refused', previous_kind: 'failed' }),
    event(9, 'sent', { tenant_id: 'other' }),
    { ...event(1, 'failed'), campaign_id: REFUSALS },
    { ...event(9, 'sent'), campaign_id: SLOW, occurred_at: `${DAY}T00:00:00.000Z` },
    ...DIRECTS.flatMap((message_id, i) => [
      { ...event(0, 'deferred'), campaign_id: DIRECT, message_id, recipient: `D${i}@b.example` },
      { ...event(0, i === 1 ? 'failed' : 'sent'), campaign_id: DIRECT, message_id, recipient: `D${i}@b.example` },
    ]),
  ]);
});
test.after.always(async () => {
  await analytics?.close();
  await db?.drop();
});

const brief = (states: readonly MessageState[]) => states.map((s) => [s.ordinal, s.status, s.attempts, s.reason]);

test.serial('a message is in the first terminal state of its latest run, or waits', async (t) => {
  const { value, asOfMs } = await analytics.states(of(ID), { after: 0, last: 100, limit: 10 });
  t.is(asOfMs, AS_OF);
  t.deepEqual(brief(value), [
    [1, 'sent', 2, ''],
    [2, 'failed', 1, REFUSED],
    [3, 'retrying', 2, 'provider_timeout'],
    [4, 'sent', 1, ''],
    [5, 'sent', 1, ''],
    [6, 'expired', 1, 'expired'],
    [7, 'expired', 1, 'expired'],
    [8, 'queued', 0, ''],
  ]);
  t.like(value[0], {
    message_id: messageIdOf(ID, 1),
    recipient: 'p1@b.example',
    queued_at: `${DAY}T10:00:00.000Z`,
    occurred_at: `${DAY}T10:00:01.500Z`,
  });
});

test.serial('percentiles are of what was sent, as campaign_stats says them; without any there are none', async (t) => {
  const inView = async (id: string) => {
    const query =
      "SELECT p50_ms, p95_ms, p99_ms FROM campaign_stats WHERE tenant_id = 'default' AND campaign_id = {id:String}";
    const answer = await db.client.query({ query, format: 'JSONEachRow', query_params: { id } });
    return ((await answer.json()) as object[])[0] ?? t.fail('the view has no such campaign');
  };
  const known = await analytics.percentiles(of(ID));
  t.like(known, { ...(await inView(ID)), asOfMs: AS_OF, stale: false });
  // Sent after 2, 16 and 32 ms; others ended after up to 256.
  t.true(Number(known.p99_ms) <= 33, `${known.p99_ms}`);
  t.like(await inView(REFUSALS), { p50_ms: null, p95_ms: null, p99_ms: null });
  t.like(await analytics.percentiles(of(REFUSALS)), { p50_ms: null, p95_ms: null, p99_ms: null });
});

test.serial('states by window, by status, by reason, in pages; values are bound', async (t) => {
  const by = async (want: object) =>
    (await analytics.states(of(ID), { after: 0, last: 100, limit: 10, ...want })).value.map((s) => s.ordinal);
  t.deepEqual(await by({ after: 1, last: 3 }), [2, 3]);
  t.deepEqual(await by({ status: 'sent' }), [1, 4, 5]);
  t.deepEqual(await by({ status: 'sent', limit: 2 }), [1, 4]);
  t.deepEqual(await by({ status: 'sent', after: 1, limit: 2 }), [4, 5]);
  t.deepEqual(await by({ status: 'retrying' }), [3]);
  t.deepEqual(await by({ status: 'queued' }), [8]);
  t.deepEqual(await by({ reason: REFUSED }), [2]);
  t.deepEqual(await by({ reason: 'recipient_refused' }), [], 'nothing is known of the run that a redrive begins');
  t.deepEqual(await by({ status: 'failed' }), [2]);
  t.deepEqual(await by({ reason: "' OR 1=1 --" }), []);
  t.deepEqual((await analytics.states(of("' OR 1=1 --"), { after: 0, last: 100, limit: 10 })).value, []);
});

test.serial('queued: places without an event, and those that were put into their lanes again', async (t) => {
  const queued = async (want: object) =>
    (await analytics.queued(of(ID), { after: 0, last: 10, limit: 10, ...want })).value;
  t.deepEqual(await queued({}), [8, 9, 10], 'the ninth is of another tenant');
  t.deepEqual(await queued({ limit: 1 }), [8]);
  t.deepEqual(await queued({ after: 8 }), [9, 10]);
  t.deepEqual(await queued({ last: 7 }), []);
  t.deepEqual(await queued({ after: 10 }), []);
});

test.serial('direct messages by their ids, although none has a place', async (t) => {
  const [one, two, three] = DIRECTS as [string, string, string];
  const known = await analytics.directState(of(DIRECT), one);
  t.like(known.value, { message_id: one, ordinal: 0, status: 'sent', recipient: 'D0@b.example' });
  t.is((await analytics.timeline(of(DIRECT), one)).value.timeline.length, 2);
  t.deepEqual((await analytics.directPlaces(of(DIRECT), one)).value, [
    { lane: 'bulk', partition: 0, queuedAtMs: at('10:00:00') },
  ]);
  t.deepEqual((await analytics.directPlaces(of(DIRECT), directMessageIdOf(DIRECT, 'x'))).value, []);
  t.is((await analytics.directState(of(DIRECT), directMessageIdOf(DIRECT, 'x'))).value, undefined);
  const page = async (want: object = {}) =>
    (await analytics.directStates(of(DIRECT), { after: '', limit: 10, ...want })).value.found.map((s) => s.message_id);
  t.deepEqual(await page(), DIRECTS);
  t.deepEqual(await page({ limit: 1 }), [one]);
  t.deepEqual(await page({ after: one }), [two, three]);
  t.deepEqual(await page({ status: 'failed' }), [two]);
  t.deepEqual(await page({ reason: 'provider_transient' }), [two]);
  t.deepEqual(await page({ recipient: 'd0@B.example' }), [one]);
  t.deepEqual(await page({ recipient: 'd0@b.example', status: 'failed' }), []);
});

test.serial('a filter of direct messages looks through one window, and says up to where', async (t) => {
  const [one, two, three] = DIRECTS as [string, string, string];
  const narrow = createAnalytics({ ...options(db.url, db.name), directWindow: 2 });
  t.teardown(() => narrow.close());
  const page = async (want: object) => {
    const { found, on } = (await narrow.directStates(of(DIRECT), { after: '', limit: 10, ...want })).value;
    return [found.map((s) => s.message_id), on];
  };
  t.deepEqual(await page({ status: 'failed' }), [[two], two]);
  t.deepEqual(await page({ status: 'dead' }), [[], two]);
  t.deepEqual(await page({ status: 'dead', after: two }), [[], undefined]);
  t.deepEqual(await page({ status: 'sent' }), [[one], two]);
  t.deepEqual(await page({ status: 'sent', limit: 1 }), [[one], undefined], 'the page is full');
  t.deepEqual(await page({ status: 'sent', after: two }), [[three], undefined]);
  t.deepEqual(await page({ recipient: 'D2@b.example' }).then(([found]) => found), []);
  t.deepEqual(await page({ limit: 2 }), [[one, two], undefined], 'without a filter it is as large as the page');
  t.deepEqual(await page({}), [DIRECTS, undefined]);
  t.deepEqual(await page({ after: three, status: 'sent' }), [[], undefined]);
});

test.serial("a message that claims another one's place is in no list, and nobody is taken for it", async (t) => {
  const foreign = { campaign_id: PLACES, message_id: messageIdOf(PLACES, 77), ordinal: 2 };
  await db.store([
    event(1, 'sent', { campaign_id: PLACES }),
    event(2, 'failed', foreign),
    event(3, 'failed', { campaign_id: PLACES }),
    event(3, 'failed', { ...foreign, message_id: directMessageIdOf(PLACES, 'x'), ordinal: 3 }),
  ]);
  const states = async (want: object) =>
    (await analytics.states(of(PLACES), { after: 0, last: 100, limit: 10, ...want })).value.map((s) => s.message_id);
  t.deepEqual(
    await states({}),
    [1, 3].map((ordinal) => messageIdOf(PLACES, ordinal)),
  );
  t.deepEqual(await states({ status: 'failed', limit: 1 }), [messageIdOf(PLACES, 3)]);
  t.deepEqual((await analytics.queued(of(PLACES), { after: 0, last: 4, limit: 10 })).value, [2, 4]);
});

test.serial('the timeline is every event of one message in the order of the log, repeats marked', async (t) => {
  const { value } = await analytics.timeline(of(ID), messageIdOf(ID, 2));
  t.false(value.truncated);
  t.deepEqual(
    value.timeline.map((e) => [e.kind, e.attempt, e.is_repeat, e.at]),
    [
      ['failed', 1, false, `${DAY}T10:00:02.500Z`],
      ['sent', 2, true, `${DAY}T10:00:02.500Z`],
    ],
  );
  t.deepEqual((await analytics.timeline(of(ID), messageIdOf(ID, 99))).value, { timeline: [], truncated: false });
});

test.serial('of a message with very many events the newest are told, and that there are more', async (t) => {
  const calledBack = (n: number, kind: string) => event(50, kind, { campaign_id: MANY, attempt: n });
  await db.store(Array.from({ length: 1_000 }, (_, i) => calledBack(i, 'opened')));
  const all = (await analytics.timeline(of(MANY), messageIdOf(MANY, 50))).value;
  t.deepEqual([all.truncated, all.timeline.length, all.timeline[0]?.attempt], [false, 1_000, 0]);
  await db.store([calledBack(1_000, 'complained')]);
  const { truncated, timeline } = (await analytics.timeline(of(MANY), messageIdOf(MANY, 50))).value;
  t.true(truncated);
  t.deepEqual(
    timeline.map((e) => e.attempt),
    Array.from({ length: 1_000 }, (_, i) => i + 1),
  );
  t.is(timeline.at(-1)?.kind, 'complained');
});

/** Who asks first waits a second and no longer, which a busy machine may need for itself. */
const percentilesOf = (id: string) =>
  until('percentiles', async () => {
    const known = await analytics.percentiles(of(id)).catch(() => undefined);
    return known?.stale === false ? known : undefined;
  });

test.serial('percentiles of what was sent; none of a campaign that sent nothing', async (t) => {
  const known = await percentilesOf(ID);
  t.like(known, { stale: false, asOfMs: AS_OF });
  // Of 2, 16 and 32 ms, within 1%: of so few the sketch takes the lower neighbour.
  t.true(Math.abs((known.p50_ms ?? 0) / 16 - 1) <= 0.01, String(known.p50_ms));
  t.true((known.p50_ms ?? 0) <= (known.p95_ms ?? 0) && (known.p95_ms ?? 0) <= (known.p99_ms ?? 0));
  t.like(await percentilesOf(DIRECT.replace('01', '02')), { p50_ms: null, stale: false });
});

test.serial('many readers ask once', async (t) => {
  await percentilesOf(SLOW);
  const answers = await Promise.all(Array.from({ length: 50 }, () => analytics.percentiles(of(SLOW))));
  for (const answer of answers) t.deepEqual(answer, answers[0] as (typeof answers)[number]);
});

test.serial('the span is that of all events; null without any', async (t) => {
  t.deepEqual((await analytics.span(of(ID))).value, { firstMs: at('10:00:01.500'), lastMs: at('11:30:01.000') });
  t.is((await analytics.span(of(DIRECT.replace('01', '02')))).value, null);
});

test.serial('series: counts and percentiles by minute and by hour, repeats and other tenants left out', async (t) => {
  const minutes = await analytics.series(of(ID), { step: '1m', fromMs: at('10:00:00'), toMs: at('11:31:00') });
  t.deepEqual(
    minutes.value.map((r) => [r.atMs, r.sent, r.failed, r.dead, r.expired, r.deferred, r.redriven]),
    [
      [at('10:00:00'), 2, 2, 1, 1, 3, 2],
      [at('10:01:00'), 0, 0, 0, 1, 0, 0],
      [at('11:30:00'), 1, 0, 0, 0, 0, 0],
    ],
  );
  t.is(minutes.value[1]?.p50_ms, null);
  t.true((minutes.value[2]?.p50_ms ?? 0) > 31 && (minutes.value[2]?.p99_ms ?? 0) < 33);
  t.true((minutes.value[0]?.provider_p95_ms ?? 0) > 4);
  t.is(minutes.value[1]?.provider_p95_ms, null, 'what expired was not called for');
  const hours = await analytics.series(of(ID), { step: '1h', fromMs: at('10:00:00'), toMs: at('12:00:00') });
  t.deepEqual(
    hours.value.map((r) => [r.atMs, r.sent, r.failed, r.expired]),
    [
      [at('10:00:00'), 2, 2, 2],
      [at('11:00:00'), 1, 0, 0],
    ],
  );
  const before = await analytics.series(of(ID), { step: '1m', fromMs: at('09:00:00'), toMs: at('10:00:00') });
  t.deepEqual(before.value, []);
});

test.serial('latency buckets add up to what was sent, whole and by step', async (t) => {
  t.deepEqual((await analytics.histogram(of(ID), {})).value, [
    { from_ms: 1, to_ms: 2, count: 1 },
    { from_ms: 15, to_ms: 20, count: 1 },
    { from_ms: 30, to_ms: 50, count: 1 },
  ]);
  const half = await analytics.histogram(of(ID), { toMs: at('11:00:00') });
  t.is(half.value.length, 2);
  t.deepEqual((await analytics.histogram(of(ID), { fromMs: at('11:30:30') }, '1m')).value, [
    { at: `${DAY}T11:30:00.000Z`, from_ms: 30, to_ms: 50, count: 1 },
  ]);
  const hours = await analytics.histogram(of(ID), {}, '1h');
  t.deepEqual(
    hours.value.map((b) => [b.at, b.to_ms]),
    [
      [`${DAY}T10:00:00.000Z`, 2],
      [`${DAY}T10:00:00.000Z`, 20],
      [`${DAY}T11:00:00.000Z`, 50],
    ],
  );
});

test.serial('failures are messages that stand as failed, not events: one that was sent again is none', async (t) => {
  const expired = {
    reason: 'expired',
    count: 2,
    first: `${DAY}T10:00:06.500Z`,
    last: `${DAY}T10:01:07.500Z`,
    sample_ids: [messageIdOf(ID, 6), messageIdOf(ID, 7)],
  };
  const refused = {
    reason: REFUSED,
    count: 1,
    first: `${DAY}T10:00:02.500Z`,
    last: `${DAY}T10:00:02.500Z`,
    sample_ids: [messageIdOf(ID, 2)],
  };
  t.deepEqual((await analytics.failures(of(ID), {})).value, [expired, refused]);
  const later = await analytics.failures(of(ID), { fromMs: at('10:00:07.000'), toMs: at('10:01:08.000') });
  t.like(later.value, [{ reason: 'expired', count: 1, sample_ids: [messageIdOf(ID, 7)] }]);
  const steps = await analytics.failures(of(ID), { fromMs: at('10:00:30.000') }, '1m');
  t.deepEqual(
    steps.value.map((f) => [f.at, f.reason, f.count]),
    [
      [`${DAY}T10:00:00.000Z`, 'expired', 1],
      [`${DAY}T10:00:00.000Z`, REFUSED, 1],
      [`${DAY}T10:01:00.000Z`, 'expired', 1],
    ],
  );
});

test.serial('a ClickHouse that is away, and a database that is missing, are told as such', async (t) => {
  for (const [url, database] of [
    ['http://127.0.0.1:9', db.name],
    [db.url, 'nowhere'],
  ] as const) {
    const away = createAnalytics(options(url, database));
    await t.throwsAsync(away.percentiles(of(ID)), { instanceOf: StoreUnavailable });
    await t.throwsAsync(away.timeline(of(ID), messageIdOf(ID, 1)), { instanceOf: StoreUnavailable });
    await away.close();
  }
});
