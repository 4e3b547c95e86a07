import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Socket, connect as tcpConnect } from 'node:net';
import { DISPATCHER_LIVE_MS, type DispatcherState } from '@volley/contract';
import { createLogger } from '@volley/runtime';
import anyTest, { type TestFn } from 'ava';
import pg from 'pg';
import { createShareKeeper, type ShareKeeper } from '../../src/adapters/shares.ts';
import { createShares, type Shares } from '../../src/core/shares.ts';

const SQL = new URL('../../../ingest-api/sql/0004_dispatchers.sql', import.meta.url);
const KEY = 'default/provider:p';
const STATE: DispatcherState = {
  version: 'test',
  partitions: [1, 2],
  lanes: { bulk: { running: 0, waiting: 0 }, transactional: { running: 0, waiting: 0 } },
  held: {},
  breakers: [],
  providers: [],
};

const test = anyTest as TestFn<{ url: string; db: pg.Client; drop: () => Promise<void> }>;
test.beforeEach(async (t) => {
  const admin = process.env.VOLLEY_TEST_POSTGRES;
  if (!admin) throw new Error('VOLLEY_TEST_POSTGRES is not set: the URL of a Postgres where databases may be created');
  const root = new pg.Client({ connectionString: admin });
  await root.connect();
  const name = `dispatcher_test_${randomBytes(6).toString('hex')}`;
  await root.query(`CREATE DATABASE ${name}`);
  const url = new URL(admin);
  url.pathname = `/${name}`;
  const db = new pg.Client({ connectionString: url.toString() });
  await db.connect();
  await db.query(readFileSync(SQL, 'utf8'));
  const drop = async () => {
    await db.end();
    await root.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await root.end();
  };
  t.context = { url: url.toString(), db, drop };
});
test.afterEach.always(async (t) => {
  await t.context.drop();
});

function dispatcher(url: string, slot: number, weight: () => number): { keeper: ShareKeeper; shares: Shares } {
  const shares = createShares();
  const keeper = createShareKeeper({
    url,
    namespace: 'n',
    clientId: `d-${slot}`,
    shares,
    weights: () => ({ [KEY]: weight() }),
    state: () => STATE,
    log: createLogger('test', 'silent'),
  });
  return { keeper, shares };
}

test('two share by backlog; when one stops, the other has all at its next renewals', async (t) => {
  const { url, db } = t.context;
  const a = dispatcher(url, 0, () => 300);
  const b = dispatcher(url, 1, () => 100);
  for (let i = 0; i < 4; i++) for (const each of [a, b]) t.true(await each.keeper.renew());
  t.true(Math.abs(a.shares.of(KEY) - 0.725) < 0.01, `${a.shares.of(KEY)}`);
  t.true(Math.abs(b.shares.of(KEY) - 0.275) < 0.01, `${b.shares.of(KEY)}`);
  const { rows } = await db.query('SELECT id, namespace, weights, state FROM dispatchers ORDER BY id');
  t.deepEqual(rows, [
    { id: 'n/d-0', namespace: 'n', weights: { [KEY]: 300 }, state: STATE },
    { id: 'n/d-1', namespace: 'n', weights: { [KEY]: 100 }, state: STATE },
  ]);
  await b.keeper.stop();
  for (let i = 0; i < 2; i++) await a.keeper.renew();
  t.is(a.shares.of(KEY), 1);
  await a.keeper.stop();
  t.is((await db.query('SELECT 1 FROM dispatchers')).rowCount, 0);
});

test('a row that is not renewed any more is dead after three seconds of the database, and gone after a day', async (t) => {
  const { url, db } = t.context;
  const a = dispatcher(url, 0, () => 1);
  const b = dispatcher(url, 1, () => 1);
  for (let i = 0; i < 4; i++) for (const each of [a, b]) await each.keeper.renew();
  t.true(Math.abs(a.shares.of(KEY) - 0.5) < 0.01);
  const age = (ms: number) =>
    db.query(`UPDATE dispatchers SET seen_at = clock_timestamp() - $1 * interval '1 ms' WHERE id = 'n/d-1'`, [ms]);
  await age(DISPATCHER_LIVE_MS - 1_500);
  for (let i = 0; i < 2; i++) await a.keeper.renew();
  t.true(Math.abs(a.shares.of(KEY) - 0.5) < 0.01);
  await age(DISPATCHER_LIVE_MS + 1);
  for (let i = 0; i < 2; i++) await a.keeper.renew();
  t.is(a.shares.of(KEY), 1);
  t.is((await db.query('SELECT 1 FROM dispatchers')).rowCount, 2);
  await age(86_400_001);
  await a.keeper.renew();
  t.is((await db.query('SELECT 1 FROM dispatchers')).rowCount, 1);
  await Promise.all([a.keeper.stop(), b.keeper.stop()]);
});

test('eight that renew at once, again and again, never use more than the whole', async (t) => {
  const all = Array.from({ length: 8 }, (_, slot) => dispatcher(t.context.url, slot, () => (slot + 1) * 10));
  for (let round = 0; round < 8; round++) {
    await Promise.all(all.map((each) => each.keeper.renew()));
    const sum = all.reduce((total, each) => total + each.shares.of(KEY), 0);
    // The floor of each newcomer stands beside the sum.
    t.true(sum <= 1.08 + 1e-9, `round ${round}: ${sum}`);
  }
  const sum = all.reduce((total, each) => total + each.shares.of(KEY), 0);
  t.true(Math.abs(sum - 1) < 0.02, `${sum}`);
  await Promise.all(all.map((each) => each.keeper.stop()));
});

/** A way to Postgres that can be cut. */
async function cuttable(url: string) {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((client) => {
    if (isCut) return void client.destroy();
    const upstream = tcpConnect(Number(target.port), target.hostname);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => other.destroy());
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const through = new URL(url);
  through.port = String((server.address() as { port: number }).port);
  return {
    url: through.toString(),
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend() {
      isCut = false;
    },
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

test('with Postgres away the last share is kept, and renewals go on when it is back', async (t) => {
  const way = await cuttable(t.context.url);
  let weight = 100;
  const a = dispatcher(way.url, 0, () => weight);
  const b = dispatcher(t.context.url, 1, () => 100);
  t.true(a.keeper.isAway());
  for (let i = 0; i < 4; i++) for (const each of [a, b]) await each.keeper.renew();
  t.false(a.keeper.isAway());
  const before = a.shares.of(KEY);
  t.true(Math.abs(before - 0.5) < 0.01);
  way.cut();
  weight = 1_000;
  for (let i = 0; i < 3; i++) t.false(await a.keeper.renew());
  t.true(a.keeper.isAway());
  t.is(a.shares.of(KEY), before);
  way.mend();
  for (let i = 0; i < 4; i++) for (const each of [a, b]) await each.keeper.renew();
  t.false(a.keeper.isAway());
  t.true(a.shares.of(KEY) > 0.8, `${a.shares.of(KEY)}`);
  await Promise.all([a.keeper.stop(), b.keeper.stop()]);
  await way.close();
});

test('a start without Postgres, or without the table, uses what its partitions stand for', async (t) => {
  const { shares, keeper } = dispatcher('postgres://volley@127.0.0.1:9/none', 0, () => 5);
  shares.assume(3 / 12);
  t.false(await keeper.renew());
  t.is(shares.of(KEY), 0.25);
  await keeper.stop();

  await t.context.db.query('DROP FUNCTION renew_dispatcher');
  const other = dispatcher(t.context.url, 0, () => 5);
  other.shares.assume(0.5);
  t.false(await other.keeper.renew());
  t.is(other.shares.of(KEY), 0.5);
  await other.keeper.stop();
});

test('it renews by itself, about once a second', async (t) => {
  const { url, db } = t.context;
  const { keeper } = dispatcher(url, 0, () => 1);
  keeper.start();
  const seen = new Set<string>();
  const untilMs = performance.now() + 15_000;
  while (seen.size < 3 && performance.now() < untilMs) {
    const { rows } = await db.query('SELECT seen_at::text AS at FROM dispatchers');
    for (const row of rows) seen.add(row.at);
  }
  t.is(seen.size, 3);
  await keeper.stop();
});
