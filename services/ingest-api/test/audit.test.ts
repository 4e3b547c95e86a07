import { ROUTES } from '@volley/contract/http';
import { StreamUnavailable } from '@volley/stream';
import test from 'ava';
import { type AuditorDeps, createAuditor } from '../src/audit.ts';
import type { AuditReader, AuditStore } from '../src/audit-ports.ts';
import { StoreUnavailable } from '../src/ports.ts';
import { AUDITED, away, factsOf, isOutage, quietLog, quietReader, quietStore, storedOf } from './support/audit.ts';
import { silent } from './support/log.ts';

const NOW = 1_795_000_100_000;
const clock = { now: () => NOW, monotonicMs: () => performance.now() };
const auditorOf = (change: Partial<AuditorDeps> = {}) =>
  createAuditor({
    ...{ topic: 'd', store: quietStore, reader: quietReader, deliveries: quietLog, clock, log: silent },
    ...{ keptDays: 89, isOutage, ...change },
  });
const HOW = { waitMs: 0, limit: 20 };
const A_MINUTE = { waitMs: 60_000, limit: 20 };

test('a campaign whose numbers agree is equal, and its audit is kept with what it had', async (t) => {
  const saved: unknown[] = [];
  const store: AuditStore = { ...quietStore, save: async (audit, seen) => void saved.push([audit, seen]) };
  const audit = await auditorOf({ store }).campaign(AUDITED, HOW);
  ROUTES.campaignAudit.answer?.parse(audit);
  t.like(audit, { verdict: 'equal', accepted: 10, lagging: [] });
  t.deepEqual(saved, [[audit, 'as it was']]);
});

test('what was counted and is not stored yet is waited for, and then it is equal', async (t) => {
  let asked = 0;
  const read: string[] = [];
  const deliveries = {
    ...quietLog,
    async committed() {
      asked += 1;
      return asked < 3 ? [-1, 9] : [-1, 10];
    },
  };
  const reader: AuditReader = {
    ...quietReader,
    async campaign(facts, committed) {
      read.push(`${facts.cut} ${committed}`);
      return storedOf();
    },
  };
  const audit = await auditorOf({ deliveries, reader }).campaign(AUDITED, A_MINUTE);
  t.like(audit, { verdict: 'equal' });
  t.deepEqual(read, ['0,10 -1,10'], 'nothing is read before that');
});

test('it lags when the time is over: that is no difference, and the partitions are named', async (t) => {
  const audit = await auditorOf({
    deliveries: { ...quietLog, committed: async () => [-1, 4] },
    reader: { ...quietReader, campaign: async () => storedOf({ endedOrdinals: 4, kinds: [], quiet: false }) },
  }).campaign(AUDITED, HOW);
  ROUTES.campaignAudit.answer?.parse(audit);
  t.like(audit, { verdict: 'lagging', lagging: [{ partition: 1, counted: 10, stored: 4 }] });
});

test('a rollup that is behind while rows come is read again, and told when it is still behind in quiet', async (t) => {
  const behind = { minute_rollup: { events: 8, inBuckets: 2 } };
  const rollups = { ...storedOf().rollups, ...behind };
  let reads = 0;
  const reader: AuditReader = {
    ...quietReader,
    async campaign() {
      reads += 1;
      return storedOf({ rollups, quiet: reads > 2 });
    },
    ids: async (figure) => [{ id: `a minute of ${figure}`, detail: '' }],
  };
  const audit = await auditorOf({ reader }).campaign(AUDITED, A_MINUTE);
  t.is(reads, 3);
  t.true(typeof audit === 'object' && audit.verdict === 'different');
  const told = typeof audit === 'object' ? audit.figures.filter((f) => f.difference !== 0) : [];
  t.like(told, [{ figure: 'minute_rollup', difference: 2, ids: [{ id: 'a minute of minute_rollup' }], more: 0 }]);
  t.is(told.length, 1);
});

test('a difference without ids of its own names the campaign', async (t) => {
  const audit = await auditorOf({ store: { ...quietStore, facts: async () => factsOf({ frozen: 7 }) } }).campaign(
    AUDITED,
    HOW,
  );
  const told = typeof audit === 'object' ? audit.figures.filter((f) => f.difference !== 0) : [];
  t.deepEqual(told, [
    {
      ...{ figure: 'audience', expected: 10, found: 7, difference: 3, more: 0 },
      ids: [{ id: AUDITED, detail: 'expected 10, found 7' }],
    },
  ]);
});

test('a campaign that is older than its rows is not compared: what was deleted in time is no difference', async (t) => {
  const old = factsOf({ sentAtMs: NOW - 90 * 86_400_000 });
  const audit = await auditorOf({
    store: { ...quietStore, facts: async () => old },
    reader: { ...quietReader, campaign: away },
  }).campaign(AUDITED, HOW);
  ROUTES.campaignAudit.answer?.parse(audit);
  t.like(audit, { verdict: 'not_kept', stored: null, figures: [] });
});

test('a store or a log that is away is an error, nothing is saved and nothing differs', async (t) => {
  const store: AuditStore = { ...quietStore, save: async () => t.fail() };
  const noStore = auditorOf({ store, reader: { ...quietReader, campaign: away } });
  await t.throwsAsync(noStore.campaign(AUDITED, HOW) as Promise<unknown>, { instanceOf: StoreUnavailable });
  const committed = () => Promise.reject(new StreamUnavailable('away'));
  const noLog = auditorOf({ store, deliveries: { ...quietLog, committed } });
  await t.throwsAsync(noLog.campaign(AUDITED, HOW) as Promise<unknown>, { instanceOf: StreamUnavailable });
});

test('there is no audit of a campaign that does not exist, and not more than two at once', async (t) => {
  const none = auditorOf({ store: { ...quietStore, facts: async () => undefined } });
  t.is(await none.campaign(AUDITED, HOW), undefined);
  const { promise, resolve } = Promise.withResolvers<void>();
  const slow = auditorOf({ store: { ...quietStore, facts: () => promise.then(() => factsOf()) } });
  const first = [slow.campaign(AUDITED, HOW), slow.campaign(AUDITED, HOW)];
  t.is(await slow.campaign(AUDITED, HOW), 'busy');
  resolve();
  for (const audit of await Promise.all(first)) t.like(audit, { verdict: 'equal' });
  t.like(await slow.campaign(AUDITED, HOW), { verdict: 'equal' });
});

const never = () => new Promise<never>(() => {});

test('an audit that nobody wants any more ends at once, wherever it is, and saves nothing', async (t) => {
  const store: AuditStore = { ...quietStore, save: async () => t.fail() };
  const told: string[] = [];
  const untilGone = (what: string) => (gone?: AbortSignal) =>
    new Promise<never>((_, reject) => {
      gone?.addEventListener('abort', () => {
        told.push(what);
        reject(gone.reason);
      });
    });
  const inReader = untilGone('the reader');
  const WHERE: Partial<AuditorDeps>[] = [
    { store: { ...store, facts: never } },
    { store, deliveries: { ...quietLog, committed: never } },
    { store, reader: { ...quietReader, campaign: (_facts, _committed, gone) => inReader(gone) } },
    // It waits for the sink.
    { store, deliveries: { ...quietLog, committed: async () => [-1, 4] } },
  ];
  for (const deps of WHERE) {
    const auditor = auditorOf(deps);
    const stop = new AbortController();
    const checking = auditor.check(AUDITED, A_MINUTE, stop.signal);
    const asked = auditor.campaign(AUDITED, A_MINUTE, stop.signal);
    await new Promise(setImmediate);
    stop.abort(new Error('stopped'));
    await t.throwsAsync(checking, { message: 'stopped' });
    await t.throwsAsync(asked, { message: 'stopped' });
  }
  const inPartitions = auditorOf({ store, reader: { ...quietReader, partitions: untilGone('the partitions') } });
  const stop = new AbortController();
  const comparing = inPartitions.partitions(stop.signal);
  await new Promise(setImmediate);
  stop.abort(new Error('stopped'));
  await t.throwsAsync(comparing, { message: 'stopped' });
  t.deepEqual(told, ['the reader', 'the reader', 'the partitions']);
});

test('what was given up and goes on all the same counts among those under way', async (t) => {
  const facts = Promise.withResolvers<undefined>();
  const auditor = auditorOf({ store: { ...quietStore, facts: () => facts.promise } });
  const stop = new AbortController();
  const first = [1, 2].map(() => auditor.campaign(AUDITED, HOW, stop.signal));
  stop.abort(new Error('gone'));
  for (const audit of first) await t.throwsAsync(audit as Promise<unknown>, { message: 'gone' });
  t.is(await auditor.campaign(AUDITED, HOW), 'busy');
  facts.resolve(undefined);
  await new Promise(setImmediate);
  t.is(await auditor.campaign(AUDITED, HOW), undefined);
});

test('of all, one audit at a time: who asks meanwhile shares the next one, and it knows what was saved before', async (t) => {
  let atOnce = 0;
  let most = 0;
  let summaries = 0;
  let audited = 0;
  const store: AuditStore = {
    ...quietStore,
    async summary() {
      most = Math.max(most, ++atOnce);
      summaries += 1;
      const now = audited;
      await new Promise(setImmediate);
      return { campaigns: { audited: now, different: 0, lagging: 0 }, differences: {}, different: [] };
    },
    async lastRun() {
      atOnce -= 1;
      return undefined;
    },
  };
  const auditor = auditorOf({ store });
  const first = auditor.all();
  audited = 1;
  const later = Array.from({ length: 50 }, () => auditor.all());
  t.is((await first).campaigns.audited, 0);
  for (const one of await Promise.all(later)) t.is(one.campaigns.audited, 1);
  t.deepEqual([most, summaries], [1, 2]);
  await auditor.all();
  t.is(summaries, 3);
  const failing = auditorOf({ store: { ...quietStore, summary: away } });
  const both = [failing.all(), failing.all()];
  for (const one of both) await t.throwsAsync(one, { instanceOf: StoreUnavailable });
});

test('partitions: what is stored, what became a dead letter, and what is missing, as ranges', async (t) => {
  const rows = [{ partition: 1, firstOffset: 0, lastOffset: 9, rawRows: 8, logRecords: 6 }];
  const auditor = auditorOf({
    reader: {
      ...quietReader,
      partitions: async () => rows,
      missingOffsets: async () => [2, 4, 5, 6],
      doubledOffsets: async () => [1, 3],
    },
    deliveries: { ...quietLog, letters: async () => new Map([[1, new Set([2])]]) },
  });
  const all = await auditor.all();
  ROUTES.getAudit.answer.parse(all);
  t.is(all.verdict, 'different');
  t.deepEqual(all.differences, { gaps: 3, doubled_offsets: 2 });
  const figures = all.partitions?.[1]?.figures;
  t.like(figures?.[0], { figure: 'gaps', difference: 3, more: 0 });
  t.deepEqual(
    figures?.[0]?.ids.map(({ id }) => id),
    ['1/4-6'],
  );
  t.deepEqual(
    figures?.[1]?.ids.map(({ id }) => id),
    ['1/1', '1/3'],
  );
  t.like(all.partitions?.[0], { partition: 0, raw_rows: 0, stored_to: 0 });
});

test('rows beyond the log are named, also of a partition that the log does not have', async (t) => {
  const rows = [
    { partition: 1, firstOffset: 0, lastOffset: 11, rawRows: 12, logRecords: 12 },
    { partition: 5, firstOffset: 0, lastOffset: 0, rawRows: 1, logRecords: 1 },
  ];
  const all = await auditorOf({ reader: { ...quietReader, partitions: async () => rows } }).all();
  t.deepEqual(all.differences, { beyond_log: 3 });
  t.deepEqual(
    all.partitions?.flatMap((p) => p.figures.flatMap((f) => f.ids.map(({ id }) => id))),
    ['1/10-11', '5/0'],
  );
});

test('rows before the first one that are too old are no gap; others are', async (t) => {
  const rows = [{ partition: 1, firstOffset: 5, lastOffset: 9, rawRows: 5, logRecords: 5 }];
  const reader = { ...quietReader, partitions: async () => rows, missingOffsets: async () => [0, 1, 2, 3, 4] };
  const days = (n: number) => async () => NOW - n * 86_400_000;
  const auditedWith = (appendedAtMs: () => Promise<number | undefined>) =>
    auditorOf({ reader, deliveries: { ...quietLog, appendedAtMs } }).all();
  t.deepEqual((await auditedWith(days(90))).differences, {});
  t.deepEqual((await auditedWith(async () => undefined)).differences, {});
  t.deepEqual((await auditedWith(days(1))).differences, { gaps: 5 });
});

test('while ClickHouse is away the last audits are told, no partitions, and no difference', async (t) => {
  const all = await auditorOf({ reader: { ...quietReader, partitions: away } }).all();
  ROUTES.getAudit.answer.parse(all);
  t.like(all, { verdict: 'lagging', partitions: null, differences: {} });
  t.regex(all.unavailable ?? '', /does not answer/);
  const found = { campaigns: { audited: 2, different: 1, lagging: 0 }, differences: { missing: 3 }, different: [] };
  const store: AuditStore = { ...quietStore, summary: async () => found };
  t.like(await auditorOf({ store, reader: { ...quietReader, partitions: away } }).all(), {
    ...{ verdict: 'different', differences: { missing: 3 } },
  });
});
