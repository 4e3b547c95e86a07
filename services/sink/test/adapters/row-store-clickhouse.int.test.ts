import { createServer } from 'node:net';
import test from 'ava';
import { createClickHouseRowStore } from '../../src/adapters/row-store-clickhouse.ts';
import { RowText } from '../../src/core/row-text.ts';
import { COLUMNS } from '../../src/core/to-row.ts';
import { createTestDatabase } from '../clickhouse.ts';
import { range, rowStoreSuite } from './row-store.suite.ts';

rowStoreSuite(test, async () => {
  const db = await createTestDatabase();
  return {
    store: db.store,
    offsets: async () =>
      (await db.rows<{ o: string }>('SELECT source_offset AS o FROM delivery_events ORDER BY o')).map(({ o }) =>
        Number(o),
      ),
    rolledUp: async () =>
      Number((await db.rows<{ n: string }>('SELECT sum(events) AS n FROM delivery_by_minute'))[0]?.n),
    recipients: async () =>
      (await db.rows<{ r: string }>('SELECT recipient AS r FROM delivery_events ORDER BY source_offset')).map(
        ({ r }) => r,
      ),
    close: () => db.drop(),
  };
});

const storeAt = (url: string) =>
  createClickHouseRowStore({ url, database: 'default', columns: COLUMNS, insertTimeoutMs: 300, maxOpenConnections: 2 });

test('a store that is not there is an answer, not an exception', async (t) => {
  const store = storeAt('http://127.0.0.1:1');
  const answer = await store.insert(range(0, 3));
  t.false(answer.ok);
  t.false((await store.ping()).ok);
  await store.close();
});

test('a store that takes the request and never answers is given up at the deadline', async (t) => {
  const server = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const store = storeAt(`http://127.0.0.1:${(server.address() as { port: number }).port}`);
  const startedMs = performance.now();
  const answer = await store.insert(range(0, 3));
  t.false(answer.ok);
  if (!answer.ok) t.regex(answer.error, /[Tt]imeout/);
  t.true(performance.now() - startedMs < 5_000);
  await store.close();
  server.close();
});

test('an error of the engine names its code', async (t) => {
  const db = await createTestDatabase();
  try {
    const answer = await db.store.insert({
      partition: 0,
      from: 0,
      to: 1,
      rows: RowText.of(['["not a row"]']),
      token: 'x',
    });
    t.false(answer.ok);
    if (!answer.ok) t.regex(answer.error, /^\d+ [A-Z_]+: /);
    t.is((await db.rows('SELECT 1 FROM delivery_raw')).length, 0);
  } finally {
    await db.drop();
  }
});

test('an insert that spans days of the outcome is one part of the raw table, and dropped whole when it is repeated', async (t) => {
  const db = await createTestDatabase();
  try {
    const once = range(0, 500);
    const spread = {
      ...once,
      rows: RowText.of(once.rows.lines().map((line, i) => shifted(line, -(i % 6) * 86_400_000))),
    };
    t.deepEqual(await db.store.insert(spread), { ok: true });
    t.deepEqual(await db.store.insert(spread), { ok: true });
    const [raw] = await db.rows<{ n: string; parts: string }>(
      'SELECT count() AS n, uniqExact(_part) AS parts FROM delivery_raw',
    );
    t.deepEqual([Number(raw?.n), Number(raw?.parts)], [500, 1]);
    const [rollup] = await db.rows<{ n: string }>('SELECT sum(events) AS n FROM delivery_by_minute');
    t.is(Number(rollup?.n), 500);
  } finally {
    await db.drop();
  }
});

function shifted(line: string, byMs: number): string {
  const values = JSON.parse(line) as unknown[];
  const at = COLUMNS.indexOf('occurred_at');
  values[at] = (values[at] as number) + byMs;
  return JSON.stringify(values);
}
