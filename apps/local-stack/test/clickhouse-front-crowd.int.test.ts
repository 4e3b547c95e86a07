import { randomUUID } from 'node:crypto';
import { ClickHouseError } from '@clickhouse/client';
import test from 'ava';
import { conformanceSubject, createClient, local } from './support/conformance.ts';
import { until } from './support/stacks.ts';

// Who waits for whom when there are more queries than places. One after the other: each takes all places there are.
const subject = conformanceSubject();

const codeOf = (error: unknown) => (error instanceof ClickHouseError ? `${error.code} ${error.type}` : String(error));

/** A client of its own name: a lane of its own at the front. Its questions last until it is closed. */
function crowd(application: string) {
  const leaving = new AbortController();
  const client = createClient({ url: subject.url, database: subject.database, application, max_open_connections: 50 });
  const word = `w${randomUUID().replaceAll('-', '')}`;
  return {
    word,
    ask() {
      const query = `SELECT sleepEachRow(0.1) AS ${word} FROM numbers(1000) SETTINGS max_block_size = 1`;
      return client.query({ query, format: 'JSON', abort_signal: leaving.signal });
    },
    async leave() {
      leaving.abort();
      await client.close();
    },
  };
}

local.serial('one application with many long questions does not keep another one waiting', async (t) => {
  const greedy = crowd('greedy');
  try {
    for (let i = 0; i < 20; i++) greedy.ask().catch(() => {});
    await until(async () => (await subject.running(greedy.word)) === 4, 'it has its four places');
    t.deepEqual(await subject.rows('SELECT 1 AS one'), [{ one: 1 }]);
    const table = await subject.numberTable('beside');
    await subject.client.insert({ table, values: [{ n: 1 }], format: 'JSONEachRow' });
    t.is((await subject.rows(`SELECT n FROM ${table}`)).length, 1);
  } finally {
    await greedy.leave();
  }
  await until(
    async () => (await subject.running(greedy.word)) === 0,
    'none of them is left, also of those that waited',
  );
});

local.serial('with no place left the answer is 202, at once or after as long as the request would wait', async (t) => {
  const crowds = [crowd('first'), crowd('second')];
  try {
    for (const { ask } of crowds) for (let i = 0; i < 4; i++) ask().catch(() => {});
    const all = async () =>
      (await Promise.all(crowds.map(({ word }) => subject.running(word)))).reduce((a, b) => a + b);
    await until(async () => (await all()) === 6, 'all places are taken');
    for (const queue_max_wait_ms of [0, 50]) {
      const ask = () => subject.rows('SELECT 1', { clickhouse_settings: { queue_max_wait_ms } });
      t.is(codeOf(await t.throwsAsync(ask)), '202 TOO_MANY_SIMULTANEOUS_QUERIES');
    }
    const answer = await subject.raw('POST', '/?queue_max_wait_ms=0', { body: 'SELECT 1' });
    t.is(answer.status, 500);
    t.is(answer.headers['x-clickhouse-exception-code'], '202');
  } finally {
    for (const { leave } of crowds) await leave();
  }
  t.deepEqual(await subject.rows('SELECT 1 AS one'), [{ one: 1 }]);
});

local.serial('a query that waits for its place is killed by its id', async (t) => {
  const [first, second] = [crowd('first'), crowd('second')];
  try {
    for (const { ask } of [first, second]) for (let i = 0; i < 4; i++) ask().catch(() => {});
    await until(
      async () => (await subject.running(first.word)) + (await subject.running(second.word)) === 6,
      'all places are taken',
    );
    const query_id = randomUUID();
    const waiting = t.throwsAsync(subject.rows('SELECT 1', { query_id }));
    let over = false;
    void waiting.then(() => {
      over = true;
    });
    await until(async () => {
      await subject.client.command({ query: `KILL QUERY WHERE query_id = '${query_id}'` });
      return over;
    }, 'it has ended');
    t.is(codeOf(await waiting), '394 QUERY_WAS_CANCELLED');
  } finally {
    for (const { leave } of [first, second]) await leave();
  }
});

test.serial(
  'many readers beside one writer: every insert and every answer comes, and counts are of whole blocks',
  async (t) => {
    const table = await subject.numberTable('crowded');
    const rowsABlock = 5_000;
    const block = Array.from({ length: rowsABlock }, (_, n) => [n, 'text']);
    const readers = Array.from({ length: 5 }, (_, i) =>
      createClient({
        url: subject.readerUrl,
        database: subject.database,
        application: `reader-${i}`,
        max_open_connections: 8,
      }),
    );
    const answers = new Array(readers.length).fill(0);
    let over = false;
    const reading = readers.flatMap((client, i) =>
      Array.from({ length: 4 }, async () => {
        while (!over) {
          const query = `SELECT toUInt32(count()) AS c, uniqExact(s, n) AS u FROM ${table}`;
          const [row] = await (await client.query({ query, format: 'JSONEachRow' })).json<{ c: number }>();
          t.is((row?.c ?? -1) % rowsABlock, 0);
          answers[i] += 1;
        }
      }),
    );
    for (let i = 0; i < 20; i++) await subject.client.insert({ table, values: block, format: 'JSONCompactEachRow' });
    over = true;
    await Promise.all(reading);
    for (const client of readers) await client.close();
    t.true(
      answers.every((count) => count > 0),
      `${answers}`,
    );
    t.deepEqual(await subject.rows(`SELECT toUInt32(count()) AS c FROM ${table}`), [{ c: 20 * rowsABlock }]);
  },
);
