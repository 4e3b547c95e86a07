import test from 'ava';
import { type FaultProxy, startFaultProxy } from '../../../../test/support/fault-proxy.ts';
import { createReader, type Limits } from '../../src/adapters/clickhouse/reader.ts';
import { StoreUnavailable } from '../../src/ports.ts';
import { type AnalyticsDatabase, createAnalyticsDatabase } from '../support/analytics-database.ts';
import { until } from '../support/log.ts';

const TURNS = { places: 3, queue: 100, waitMs: 30_000 };
const LIMITS: Limits = { seconds: 20, megabytes: 256 };
/** Runs until it is ended; `mark` finds it in the store's own list. */
const endless = (mark: string) => ({
  sql: `SELECT count() AS n FROM system.numbers WHERE NOT ignore({mark:String}, '${mark}')`,
  params: { mark },
  limits: LIMITS,
});

let db: AnalyticsDatabase;
let proxy: FaultProxy;
let proxied: string;
test.before(async () => {
  db = await createAnalyticsDatabase();
  const address = new URL(db.url);
  proxy = await startFaultProxy({ target: address.host });
  address.host = proxy.address;
  proxied = address.toString();
});
test.after.always(async () => {
  await proxy?.close();
  await db?.drop();
});

const readerOf = (more: Partial<Parameters<typeof createReader>[0]> = {}) =>
  createReader({ url: db.url, database: db.name, clientId: 'test', turns: TURNS, ...more });

test('who goes away ends the question in the store, and the others of the same question do not go without', async (t) => {
  const reader = readerOf();
  const [one, two] = [new AbortController(), new AbortController()];
  const both = [one, two].map(({ signal }) => reader.ask(endless('gone'), signal));
  await until('it runs', async () => (await db.running("'gone'")) === 1);
  one.abort(new Error('gone'));
  await t.throwsAsync(both[0] as Promise<unknown>, { message: 'gone' });
  t.is(await db.running("'gone'"), 1);
  two.abort(new Error('gone too'));
  await t.throwsAsync(both[1] as Promise<unknown>, { message: 'gone too' });
  await until('it has ended', async () => (await db.running("'gone'")) === 0);
  await reader.close();
});

test('a question has limits of time, memory and rows, and only reads', async (t) => {
  const reader = readerOf();
  const refused = (sql: string, limits: Limits) => reader.ask({ sql, params: {}, limits });
  const REFUSED: [string, string, Limits, RegExp][] = [
    [
      'time',
      `SELECT count() FROM system.numbers WHERE NOT ignore('time')`,
      { seconds: 1, megabytes: 100 },
      /TIMEOUT_EXCEEDED|within 1 s/,
    ],
    [
      'memory',
      'SELECT length(groupArray(number)) FROM numbers(30000000)',
      { seconds: 20, megabytes: 20 },
      /MEMORY_LIMIT/,
    ],
    [
      'rows',
      'SELECT sum(number) FROM numbers(3000000)',
      { seconds: 20, megabytes: 100, rows: 1_000_000 },
      /TOO_MANY_ROWS/,
    ],
    ['writing', `INSERT INTO delivery_raw (tenant_id) VALUES ('x')`, LIMITS, /READONLY|readonly/],
    ['changing', 'DROP TABLE delivery_raw', LIMITS, /READONLY|readonly/],
  ];
  for (const [title, sql, limits, message] of REFUSED)
    await t.throwsAsync(refused(sql, limits), { instanceOf: StoreUnavailable, message }, title);
  // Nothing of them is left behind for the next question.
  const { value } = await reader.ask({
    sql: 'SELECT max(number) AS n FROM numbers(3000000)',
    params: {},
    limits: LIMITS,
  });
  t.deepEqual(value, [{ n: 2_999_999 }]);
  await reader.close();
});

test('however many ask, the store works at as many questions as there are places; too many are refused', async (t) => {
  const outcomes: string[] = [];
  const metric = { questions: { inc: ({ outcome }: { outcome: string }) => outcomes.push(outcome) } } as never;
  const reader = readerOf({ turns: { places: 3, queue: 20, waitMs: 60_000 }, metric });
  const gone = new AbortController();
  const many = Array.from({ length: 40 }, (_, i) =>
    reader.ask({ ...endless('many'), params: { mark: String(i) } }, gone.signal).catch((error: unknown) => error),
  );
  await until('the places are taken', async () => (await db.running("'many'")) === 3);
  const refused = await Promise.all(many.slice(23));
  for (const error of refused) t.true(error instanceof StoreUnavailable);
  t.is(await db.running("'many'"), 3);
  gone.abort(new Error('gone'));
  await Promise.all(many);
  await until('they have ended', async () => (await db.running("'many'")) === 0);
  t.deepEqual(
    [outcomes.filter((o) => o === 'refused').length, outcomes.filter((o) => o === 'given_up').length],
    [17, 23],
  );
  // Every place is there again.
  const { value } = await reader.ask<{ n: number }>({ sql: 'SELECT 1 AS n', params: {}, limits: LIMITS });
  t.deepEqual(value, [{ n: 1 }]);
  await reader.close();
});

test.serial(
  'a store that hangs, before the answer or in the middle of it, is given up after the time of the question',
  async (t) => {
    const reader = readerOf({ url: proxied });
    const limits = { seconds: 1, megabytes: 100 };
    proxy.toClient.set({ blackhole: true });
    await t.throwsAsync(reader.ask({ sql: 'SELECT 1', params: {}, limits }), { message: /no answer within 1 s/ });
    await proxy.heal();
    proxy.toClient.set({ dropAfterBytes: 50_000 });
    // So short that the store is done with it: nothing there ends it.
    const startedMs = performance.now();
    const long = reader.ask({ sql: `SELECT number, repeat('x', 100) FROM numbers(2000)`, params: {}, limits });
    await t.throwsAsync(long, { instanceOf: StoreUnavailable, message: /no answer within 1 s/ });
    // The store closes an idle connection after ten seconds: that would end it as well.
    t.true(performance.now() - startedMs < 9_000);
    await proxy.heal();
    const { value } = await reader.ask({ sql: 'SELECT 1 AS n', params: {}, limits });
    t.deepEqual(value, [{ n: 1 }]);
    await reader.close();
  },
);

test.serial(
  'a store that is killed in the middle of an answer, and refuses then, is away until it is back',
  async (t) => {
    const reader = readerOf({ url: proxied });
    const question = reader.ask(endless('killed'));
    await until('it runs', async () => (await db.running("'killed'")) === 1);
    await proxy.refuse(true);
    await t.throwsAsync(question, { instanceOf: StoreUnavailable });
    await t.throwsAsync(reader.ask(endless('killed')), { instanceOf: StoreUnavailable });
    await proxy.refuse(false);
    const { value } = await reader.ask({ sql: 'SELECT 2 AS n', params: {}, limits: LIMITS });
    t.deepEqual(value, [{ n: 2 }]);
    await reader.close();
  },
);
