import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { createClickHouseMigrationTarget } from '../../src/adapters/migrator-clickhouse.ts';
import { createClickHouseRowStore } from '../../src/adapters/row-store-clickhouse.ts';
import { RowText } from '../../src/core/row-text.ts';

interface Asked {
  readonly query: string;
  readonly settings: URLSearchParams;
}

/** What is said to a server, which agrees to everything and has one replicated table. */
async function withServer(work: (url: string, asked: readonly Asked[]) => Promise<void>): Promise<void> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const settings = new URL(request.url ?? '/', 'http://localhost').searchParams;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const query = settings.get('query') ?? Buffer.concat(chunks).toString();
    asked.push({ query, settings });
    const tables = query.includes("startsWith(engine, 'Replicated')");
    response.end(tables ? '{"name":"delivery_raw"}\n' : query.startsWith('SELECT max(next)') ? '{"end":"7"}\n' : '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const storeOf = (url: string, replicated: boolean) =>
  createClickHouseRowStore({
    ...{ url, database: 'volley', columns: ['a'], insertTimeoutMs: 1_000, maxOpenConnections: 1, replicated },
  });
const range = { partition: 0, from: 0, to: 1, rows: RowText.of(['[1]']), token: 'c:t:0:0:1:2' };

test('an insert into replicas waits for most of them, and how far a partition is, is asked of one that has all', async (t) => {
  await withServer(async (url, asked) => {
    const store = storeOf(url, true);
    t.deepEqual(await store.insert(range), { ok: true });
    t.is(asked[0]?.settings.get('insert_quorum'), 'auto');
    t.is(asked[0]?.settings.get('insert_quorum_parallel'), '1');
    t.is(asked[0]?.settings.get('insert_deduplication_token'), range.token);
    t.deepEqual(await store.endOf(0), { ok: true, end: 7 });
    t.deepEqual(
      asked.slice(1).map(({ query }) => query.split(' WHERE')[0]),
      ['SYSTEM SYNC REPLICA delivery_ends', 'SELECT max(next) AS end FROM delivery_ends'],
    );
    await store.close();
  });
});

test('one server is asked nothing of replicas', async (t) => {
  await withServer(async (url, asked) => {
    const store = storeOf(url, false);
    t.deepEqual(await store.insert(range), { ok: true });
    t.deepEqual(await store.endOf(0), { ok: true, end: 7 });
    t.is(asked.length, 2);
    t.false(asked[0]?.settings.has('insert_quorum'));
    await store.close();
  });
});

test('migrations make database and ledger on all members, and read from one that has all rows', async (t) => {
  await withServer(async (url, asked) => {
    const target = createClickHouseMigrationTarget({ url, database: 'v', cluster: 'c' });
    await target.prepare();
    const [database, ledger, , sync] = asked;
    t.is(database?.query, 'CREATE DATABASE IF NOT EXISTS v ON CLUSTER c');
    t.regex(
      ledger?.query ?? '',
      /^CREATE TABLE IF NOT EXISTS schema_migrations ON CLUSTER c\n[\s\S]*ENGINE = ReplicatedMergeTree\n/,
    );
    t.is(ledger?.settings.get('distributed_ddl_output_mode'), 'throw');
    t.is(sync?.query, 'SYSTEM SYNC REPLICA delivery_raw');
    await target.run('TRUNCATE TABLE a');
    t.is(asked.at(-1)?.query, 'TRUNCATE TABLE a ON CLUSTER c');
    await target.close();
  });
  t.throws(() => createClickHouseMigrationTarget({ url: 'http://127.0.0.1:1', database: 'v', cluster: 'c d' }), {
    message: /no name for a cluster/,
  });
});
