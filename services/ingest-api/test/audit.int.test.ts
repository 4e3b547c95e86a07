import { messageIdOf } from '@volley/contract';
import { ROUTES } from '@volley/contract/http';
import test from 'ava';
import { createAuditReader } from '../src/adapters/clickhouse/audit.ts';
import { createAuditor } from '../src/audit.ts';
import { StoreUnavailable } from '../src/ports.ts';
import { startTestApi } from './support/api.ts';
import { isOutage } from './support/audit.ts';
import {
  type AuditWorld,
  BEGAN,
  createAuditWorld,
  type TestEvent,
  TOPIC,
  withAuditWorld,
} from './support/audit-world.ts';
import { silent } from './support/log.ts';

const HOW = { waitMs: 0, limit: 20 };
const MINUTE_MS = 60_000;
let w: AuditWorld;
test.before(async () => {
  w = await createAuditWorld();
});
test.after.always(async () => w?.stop());

const sent = (ordinal: number, more: Partial<TestEvent> = {}): TestEvent => ({ ordinal, kind: 'sent', ...more });
/** Of everything that can happen to a message something: ten messages, fifteen events. */
const EVENTS: readonly TestEvent[] = [
  sent(1),
  { ordinal: 2, kind: 'deferred' },
  sent(2, { deferrals: 1 }),
  { ordinal: 3, kind: 'failed' },
  { ordinal: 4, kind: 'dead' },
  { ordinal: 4, kind: 'redriven', previous_kind: 'dead', run: 1 },
  sent(4, { run: 1 }),
  sent(5),
  sent(5, { repeat: true }),
  { ordinal: 6, kind: 'cancelled' },
  { ordinal: 7, kind: 'expired' },
  { ordinal: 8, kind: 'suppressed' },
  sent(9),
  { ordinal: 9, kind: 'delivered' },
  sent(10),
];
const TEN = { expected: 10 };

async function audited(id: string, how = HOW) {
  const audit = await w.auditor.check(id, how);
  if (audit === undefined) throw new Error('there is no such campaign');
  ROUTES.campaignAudit.answer?.parse(audit);
  return audit;
}
/** Differences by figure, and their ids. */
async function told(id: string) {
  const { figures, verdict } = await audited(id);
  const found = figures.filter((f) => f.difference !== 0);
  return {
    verdict,
    by: Object.fromEntries(found.map((f) => [f.figure, f.difference])),
    ids: Object.fromEntries(found.map((f) => [f.figure, f.ids.map((one) => one.id)])),
  };
}
const own = (id: string) => `campaign_id = '${id}'`;
const minute = (offset: number, kind: string) => `${new Date(BEGAN + offset * MINUTE_MS).toISOString()} ${kind}`;

test.serial('a healthy campaign differs in nothing', async (t) => {
  const id = await w.campaign(EVENTS, TEN);
  const audit = await audited(id);
  t.deepEqual(
    audit.figures.filter((f) => f.difference !== 0),
    [],
  );
  t.is(audit.verdict, 'equal');
  t.deepEqual(audit.stored, {
    ...{ raw_rows: 15, log_records: 15, messages: 10, ended_runs: 11, terminal_events: 11, marked_repeats: 1 },
  });
  t.deepEqual(
    audit.repeats.map((r) => r.id),
    [messageIdOf(id, 5)],
  );
  t.deepEqual(audit.states, {
    ...{ queued: 0, retrying: 0, sent: 6, failed: 1, dead: 0, suppressed: 1, cancelled: 1, expired: 1 },
  });
});

test.serial('a healthy campaign of direct messages, and one under way, differ in nothing', async (t) => {
  const direct = ['a', 'b', 'c'].map((name): TestEvent => ({ ordinal: 0, kind: 'sent', direct: name }));
  const id = await w.campaign(direct, { expected: 0, accepted: 3 });
  t.deepEqual((await told(id)).by, {});
  const half = await w.campaign([sent(1), { ordinal: 2, kind: 'deferred' }], { expected: 10, status: 'running' });
  const audit = await audited(half);
  t.is(audit.verdict, 'equal');
  t.like(audit.states, { queued: 8, retrying: 1, sent: 1 });
});

/** Each does one thing to a healthy campaign; `id` is the campaign's, `from` the offset of its first event. */
const MUTANTS: {
  readonly title: string;
  readonly spoil: (id: string, from: number) => Promise<void>;
  readonly by: Readonly<Record<string, number>>;
  readonly ids: (id: string, from: number) => Readonly<Record<string, readonly string[]>>;
}[] = [
  {
    title: 'a raw row is deleted',
    spoil: (id) => w.run(`ALTER TABLE delivery_raw DELETE WHERE ${own(id)} AND ordinal = 10`),
    by: {
      ...{ states: 1, missing: 1, minute_rollup: 1, hour_rollup: 1, campaign_rollup: 1 },
      ...{ histogram: 1, stats: 1, listed: 1 },
    },
    ids: (id, from) => ({
      states: ['sent'],
      missing: [messageIdOf(id, 10)],
      minute_rollup: [minute(from + 14, 'sent')],
      listed: [messageIdOf(id, 10)],
    }),
  },
  {
    title: 'a row is there twice',
    spoil: (id, from) => w.insert(id, from, [sent(1)], `again ${id}`),
    by: { doubled: 1, minute_rollup: 1, hour_rollup: 1, campaign_rollup: 1, histogram: 1, stats: 1 },
    ids: (id, from) => ({ doubled: [messageIdOf(id, 1)], minute_rollup: [minute(from, 'sent')] }),
  },
  {
    title: 'an end is told again and not marked',
    spoil: (id) => w.insert(id, w.end(), [sent(1)], `beyond ${id}`),
    by: { unmarked_repeats: 1 },
    ids: (id) => ({ unmarked_repeats: [messageIdOf(id, 1)] }),
  },
  {
    title: 'a minute has one event too many',
    spoil: (id) =>
      w.run(`INSERT INTO delivery_by_minute SELECT * FROM delivery_by_minute WHERE ${own(id)} AND kind = 'failed'`),
    by: { minute_rollup: 1 },
    ids: (_, from) => ({ minute_rollup: [minute(from + 3, 'failed')] }),
  },
  {
    title: 'a minute has its event under another kind, and the sum is right',
    async spoil(id) {
      const other = "* REPLACE (toLowCardinality('dead') AS kind)";
      await w.run(
        `INSERT INTO delivery_by_minute SELECT ${other} FROM (SELECT * FROM delivery_by_minute WHERE ${own(id)} AND kind = 'failed')`,
      );
      await w.run(`ALTER TABLE delivery_by_minute DELETE WHERE ${own(id)} AND kind = 'failed'`);
    },
    by: { minute_rollup: 2 },
    ids: (_, from) => ({ minute_rollup: [minute(from + 3, 'dead'), minute(from + 3, 'failed')] }),
  },
  {
    title: 'an hour lacks events',
    spoil: (id) => w.run(`ALTER TABLE delivery_by_hour DELETE WHERE ${own(id)} AND kind = 'expired'`),
    by: { hour_rollup: 1 },
    ids: () => ({}),
  },
  {
    title: 'the totals of the campaign lack events',
    spoil: (id) => w.run(`ALTER TABLE delivery_by_campaign DELETE WHERE ${own(id)} AND kind = 'cancelled'`),
    by: { campaign_rollup: 1, stats: 1 },
    ids: (id) => ({ campaign_rollup: [id], stats: [id] }),
  },
  {
    title: 'the histogram lacks events',
    spoil: (id) => w.run(`ALTER TABLE latency_by_minute DELETE WHERE ${own(id)}`),
    by: { histogram: 6 },
    ids: (id) => ({ histogram: [id] }),
  },
  {
    title: 'a message is not listed',
    spoil: (id) => w.run(`ALTER TABLE message_latest DELETE WHERE ${own(id)} AND ordinal = 4`),
    by: { listed: 1 },
    ids: (id) => ({ listed: [messageIdOf(id, 4)] }),
  },
  {
    title: 'a failure is not listed',
    spoil: (id) => w.run(`ALTER TABLE message_failures DELETE WHERE ${own(id)} AND ordinal = 3`),
    by: { failures: 1 },
    ids: (id) => ({ failures: [messageIdOf(id, 3)] }),
  },
  {
    title: 'one that was cancelled, one that expired and one that was suppressed are not listed as undelivered',
    spoil: (id) => w.run(`ALTER TABLE message_failures DELETE WHERE ${own(id)} AND ordinal IN (6, 7, 8)`),
    by: { failures: 1 },
    ids: (id) => ({ failures: [6, 7, 8].map((ordinal) => messageIdOf(id, ordinal)) }),
  },
  {
    title: 'a message that the campaign does not have',
    spoil: (id) => w.insert(id, w.end(), [sent(11)], `alien ${id}`),
    by: { alien: 1 },
    ids: (id) => ({ alien: [messageIdOf(id, 11)] }),
  },
  {
    title: 'a frozen row is gone',
    spoil: async (id) =>
      void (await w.pool.query('DELETE FROM campaign_recipients WHERE campaign_id = $1 AND ordinal = 2', [id])),
    by: { audience: 1 },
    ids: (id) => ({ audience: [id] }),
  },
];
for (const { title, spoil, by, ids } of MUTANTS) {
  test.serial(`told by figure and id: ${title}`, async (t) => {
    const from = w.end();
    const id = await w.campaign(EVENTS, TEN);
    t.deepEqual((await told(id)).by, {});
    await spoil(id, from);
    const found = await told(id);
    t.is(found.verdict, 'different');
    // Rows beyond what the sink has committed are not quiet: what follows from them is not comparable, and no difference.
    t.deepEqual(Object.fromEntries(Object.entries(found.by).filter(([, n]) => n !== null)), by as never);
    for (const [figure, expected] of Object.entries(ids(id, from))) t.deepEqual(found.ids[figure], expected, figure);
  });
}

test.serial('a message that was accepted and of which nothing is stored is missing by its id', async (t) => {
  const rows = EVENTS.map((e) => (e.ordinal === 9 ? null : e));
  const id = await w.campaign(EVENTS, { ...TEN, rows });
  const found = await told(id);
  t.deepEqual(found.by, { states: 1, missing: 1 });
  t.deepEqual(found.ids.missing, [messageIdOf(id, 9)]);
  // Of a message that did not end the last event is told.
  const started = await w.campaign(EVENTS, { ...TEN, rows: EVENTS.map((e, i) => (i === 2 ? null : e)) });
  const audit = await audited(started);
  t.deepEqual(audit.figures.find((f) => f.figure === 'missing')?.ids, [
    { id: messageIdOf(started, 2), detail: 'ordinal 2: last event deferred' },
  ]);
});

test.serial('ids are bounded, and the rest is counted', async (t) => {
  const events = Array.from({ length: 30 }, (_, i) => sent(i + 1));
  const id = await w.campaign(events, { expected: 30, rows: events.map(() => null) });
  const missing = (await audited(id, { ...HOW, limit: 7 })).figures.find((f) => f.figure === 'missing');
  t.is(missing?.difference, 30);
  t.is(missing?.ids.length, 7);
  t.is(missing?.more, 23);
});

test.serial('what is counted and not stored yet lags, and is equal when it is stored', async (t) => {
  const from = w.end();
  const id = await w.campaign(EVENTS, { ...TEN, rows: EVENTS.map((e, i) => (i < 9 ? e : null)) });
  const { committed } = w.deliveries;
  w.deliveries.committed = async () => [from + 9];
  const behind = await audited(id);
  t.is(behind.verdict, 'lagging');
  t.deepEqual(behind.lagging, [{ partition: 0, counted: from + 15, stored: from + 9 }]);
  t.deepEqual(
    behind.figures.filter((f) => f.difference === null).map((f) => f.figure),
    ['states', 'missing'],
  );
  const waiting = w.auditor.check(id, { ...HOW, waitMs: 60_000 });
  await w.insert(id, from + 9, EVENTS.slice(9), `rest of ${id}`);
  w.deliveries.committed = committed;
  t.like(await waiting, { verdict: 'equal' });
});

test.serial('a rollup that has not what a row of an uncommitted range has is no difference', async (t) => {
  const from = w.end();
  const id = await w.campaign(EVENTS, { ...TEN, status: 'running' });
  await w.run(`ALTER TABLE delivery_by_hour DELETE WHERE ${own(id)} AND kind = 'sent'`);
  const { committed } = w.deliveries;
  w.deliveries.committed = async () => [from + 14];
  await w.pool.query('UPDATE progress_offsets SET next_offset = $1 WHERE topic = $2', [from + 14, TOPIC]);
  await w.pool.query('UPDATE progress_counts SET sent = sent - 1 WHERE campaign_id = $1', [id]);
  const audit = await audited(id);
  t.is(audit.verdict, 'lagging');
  t.deepEqual(
    audit.figures.filter((f) => f.difference === null).map((f) => f.figure),
    ['hour_rollup'],
  );
  w.deliveries.committed = committed;
  t.deepEqual((await told(id)).by, { hour_rollup: 6 });
});

test.serial('while ClickHouse is away nothing is told to differ, and the API answers 503', async (t) => {
  const id = await w.campaign(EVENTS, TEN);
  const gone = createAuditReader({ url: 'http://127.0.0.1:1', database: w.database, clientId: 'test' });
  const clock = { now: () => Date.now(), monotonicMs: () => performance.now() };
  const blind = createAuditor({
    ...{ topic: TOPIC, store: w.store, reader: gone, deliveries: w.deliveries, clock, log: silent },
    ...{ keptDays: 89, isOutage },
  });
  await t.throwsAsync(blind.check(id, HOW), { instanceOf: StoreUnavailable });
  const api = await startTestApi(w.pool, { auditor: blind });
  const answer = await api.call('GET', `/v1/campaigns/${id}/audit?wait=0`);
  t.is(answer.status, 503, answer.text);
  t.truthy(answer.headers.get('retry-after'));
  const all = await api.call('GET', '/v1/audit');
  t.is(all.status, 200, all.text);
  t.is(all.body.partitions, null);
  await api.stop();
  await gone.close();
});

test.serial('over HTTP: a campaign by its id, a draft is none, and what cannot be asked is refused', async (t) => {
  const api = await startTestApi(w.pool, { auditor: w.auditor });
  t.teardown(() => api.stop());
  const id = await w.campaign(EVENTS, TEN);
  const answer = await api.call('GET', `/v1/campaigns/${id}/audit?wait=0&limit=5`);
  t.is(answer.status, 200, answer.text);
  t.is(answer.body.verdict, 'equal');
  const draft = await api.create();
  t.is((await api.call('GET', `/v1/campaigns/${draft}/audit`)).status, 404);
  t.is((await api.call('GET', '/v1/campaigns/nope/audit')).status, 404);
  for (const query of ['wait=-1', 'wait=121', 'limit=0', 'limit=1001', 'other=1'])
    t.is((await api.call('GET', `/v1/campaigns/${id}/audit?${query}`)).status, 422, query);
  const all = await api.call('GET', '/v1/audit');
  t.is(all.status, 200, all.text);
  ROUTES.getAudit.answer.parse(all.body);
});

test.serial('partitions: gaps, doubles and rows that the log never had, each by its offsets', (t) =>
  withAuditWorld(t, async (world) => {
    const figures = async () => {
      const [first] = await world.auditor.partitions();
      return first?.figures
        .filter((f) => f.difference !== 0)
        .map((f) => [f.figure, f.difference, f.ids.map((i) => i.id)]);
    };
    const id = await world.campaign(EVENTS, TEN);
    t.deepEqual(await figures(), []);
    await world.run(`ALTER TABLE delivery_raw DELETE WHERE source_offset IN (4, 5, 9)`);
    t.deepEqual(await figures(), [['gaps', 3, ['0/4-5', '0/9']]]);
    world.deliveries.letters = async () => new Map([[0, new Set([5, 9, 99])]]);
    t.deepEqual(await figures(), [['gaps', 1, ['0/4']]]);
    world.deliveries.letters = async () => new Map([[0, new Set([4, 5, 9])]]);
    await world.insert(id, 0, [sent(1)], 'again');
    t.deepEqual(await figures(), [['doubled_offsets', 1, ['0/0']]]);
    await world.insert(id, world.end(), [sent(1), sent(2)], 'beyond');
    t.deepEqual(await figures(), [
      ['doubled_offsets', 1, ['0/0']],
      ['beyond_log', 2, ['0/15-16']],
    ]);
  }),
);
