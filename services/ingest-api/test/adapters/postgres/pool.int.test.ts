import net from 'node:net';
import test from 'ava';
import pg from 'pg';
import { ask, createPool, inTransaction } from '../../../src/adapters/postgres/pool.ts';
import { StoreUnavailable } from '../../../src/ports.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const TIMEOUT_MS = 1_500;

let db: TestDatabase;
test.before(async () => {
  db = await createTestDatabase();
});
test.after.always(() => db?.drop());

async function refusedAfterMs(t: { true(value: boolean): void }, work: Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  const error = await work.then(
    () => undefined,
    (e) => e,
  );
  t.true(error instanceof StoreUnavailable);
  return performance.now() - startedMs;
}

const poolOf = (url: string, max = 2) =>
  createPool({ url, applicationName: 'test', max, timeoutMs: TIMEOUT_MS, forRequests: true, onError: () => {} });

test('a statement that may take minutes waits for a lock no longer than any other', async (t) => {
  const locker = new pg.Client({ connectionString: db.url });
  await locker.connect();
  await locker.query('BEGIN; LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE');
  const pool = poolOf(db.url);
  try {
    const freeze = inTransaction(pool, async (tx) => ({
      commit: await tx.count('SELECT 1 FROM contacts', [], 60_000),
    }));
    t.true((await refusedAfterMs(t, freeze)) < 10_000);
  } finally {
    await locker.end();
    await pool.end();
  }
});

test('a server that falls silent is not asked to roll back: who waits hears of it after one timeout, not after two', async (t) => {
  const { port, hostname } = new URL(db.url);
  let silent = false;
  const proxy = net.createServer((client) => {
    const server = net.connect(Number(port), hostname);
    client.on('data', (chunk) => silent || server.write(chunk));
    server.on('data', (chunk) => silent || client.write(chunk));
    const end = () => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on('error', end).on('close', end);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const target = new URL(db.url);
  target.port = String((proxy.address() as net.AddressInfo).port);
  target.hostname = '127.0.0.1';
  const pool = poolOf(target.toString());
  try {
    const work = inTransaction(pool, async (tx) => {
      await tx.rows('SELECT 1');
      silent = true;
      return { commit: await tx.rows('SELECT 2') };
    });
    t.true((await refusedAfterMs(t, work)) < 2 * TIMEOUT_MS);
    silent = false;
    t.deepEqual(await ask(pool, 'SELECT 3 AS n'), [{ n: 3 }], 'the silent connection was given back');
  } finally {
    await pool.end();
    proxy.close();
  }
});

test('what was spent on waiting for a connection is gone for the statement', async (t) => {
  const pool = poolOf(db.url, 1);
  try {
    const holder = await pool.connect();
    setTimeout(() => holder.release(), TIMEOUT_MS - 200);
    t.true((await refusedAfterMs(t, ask(pool, 'SELECT pg_sleep(60)'))) < 2 * TIMEOUT_MS - 400);
  } finally {
    await pool.end();
  }
});
