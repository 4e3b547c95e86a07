import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { ClickHouseError, type ClickHouseSettings } from '@clickhouse/client';
import test from 'ava';
import { conformanceSubject, createClient } from './support/conformance.ts';

// The stock client: ping, command, insert, query, exec, parameters, settings, sessions, errors.
const subject = conformanceSubject();

test('ping answers by address and by query', async (t) => {
  t.true((await subject.client.ping()).success);
  t.true((await subject.client.ping({ select: true })).success);
});

test('ping with a wrong password fails when it is asked as a query', async (t) => {
  const url = new URL(subject.url);
  url.password = 'wrong';
  const stranger = createClient({ url: url.href });
  t.false((await stranger.ping({ select: true })).success);
  await stranger.close();
});

test('command: DDL answers with the query id it was given', async (t) => {
  const queryId = randomUUID();
  const answer = await subject.client.command({
    query: `CREATE TABLE ${subject.fresh('ddl')} (a Int8) ENGINE = Memory`,
    query_id: queryId,
  });
  t.is(answer.query_id, queryId);
});

for (const sql of ['EXPLAIN SELECT 1', 'EXPLAIN SYNTAX SELECT 1 + 1 FORMAT JSONEachRow']) {
  test(`a plan is an answer like any other: ${sql}`, async (t) => {
    const answer = await subject.client.exec({ query: sql });
    let text = '';
    for await (const chunk of answer.stream) text += chunk;
    t.regex(text, /ReadFrom|SELECT/);
  });
}

test('columns named database and engine can be asked for', async (t) => {
  const query = "SELECT database, engine FROM system.tables WHERE engine LIKE 'System%' LIMIT 1";
  const rows = await (await subject.client.query({ query, format: 'JSONEachRow' })).json<{ database: string }>();
  t.is(rows[0]?.database, 'system');
});

test('insert JSONEachRow and JSONCompactEachRow, and the summary counts the rows', async (t) => {
  const table = await subject.numberTable('formats');
  const objects = await subject.client.insert({
    table,
    values: [
      { n: 1, s: 'ä' },
      { n: 2, s: "it's \\ \n 🚀" },
    ],
    format: 'JSONEachRow',
  });
  t.is(objects.summary?.written_rows, '2');
  await subject.client.insert({
    table,
    values: [
      [3, 'x'],
      [4, 'y'],
    ],
    columns: ['n', 's'],
    format: 'JSONCompactEachRow',
  });
  t.deepEqual(
    await subject.rows(`SELECT * FROM ${table} ORDER BY n`, {
      clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
    }),
    [
      { n: 1, s: 'ä' },
      { n: 2, s: "it's \\ \n 🚀" },
      { n: 3, s: 'x' },
      { n: 4, s: 'y' },
    ],
  );
});

test('insert from a stream, and one of no rows', async (t) => {
  const table = await subject.numberTable('streams');
  await subject.client.insert({
    table,
    values: Readable.from(Array.from({ length: 1000 }, (_, n) => ({ n }))),
    format: 'JSONEachRow',
  });
  await subject.client.insert({ table, values: [], format: 'JSONEachRow' });
  t.deepEqual(await subject.rows(`SELECT toUInt32(count()) AS c FROM ${table}`), [{ c: 1000 }]);
});

test('gzip in both directions', async (t) => {
  const table = await subject.numberTable('gzip');
  const compressing = createClient({
    url: subject.url,
    database: subject.database,
    compression: { request: true, response: true },
  });
  await compressing.insert({
    table,
    values: Array.from({ length: 5000 }, (_, n) => ({ n, s: 'again and again' })),
    format: 'JSONEachRow',
  });
  const small = await compressing.query({ query: `SELECT toUInt32(count()) AS c FROM ${table}`, format: 'JSON' });
  t.deepEqual((await small.json<{ c: number }>()).data, [{ c: 5000 }]);
  const long = await compressing.query({ query: `SELECT n FROM ${table}`, format: 'JSONEachRow' });
  t.is((await long.json<unknown>()).length, 5000);
  await compressing.close();
});

test('query parameters keep their values and types', async (t) => {
  const text = `o'clock \\ "x" \t \n 🚀 --`;
  const [row] = await subject.rows<Record<string, unknown>>(
    `SELECT {text:String} AS text, {number:Int64} AS number, {list:Array(String)} AS list, {numbers:Array(UInt32)} AS numbers,
       {at:DateTime64(3)} AS at, {nothing:Nullable(String)} AS nothing, {flag:Bool} AS flag`,
    {
      query_params: {
        text,
        number: -5,
        list: ["a'b", 'c,d', ']', '\\'],
        numbers: [1, 2],
        at: new Date('2026-11-21T10:11:12.345Z'),
        nothing: null,
        flag: true,
      },
      clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
    },
  );
  t.deepEqual(row, {
    text,
    number: -5,
    list: ["a'b", 'c,d', ']', '\\'],
    numbers: [1, 2],
    at: '2026-11-21 10:11:12.345',
    nothing: null,
    flag: true,
  });
});

test('a parameter of one request is unknown to the next', async (t) => {
  await subject.rows('SELECT {once:String} AS x', { query_params: { once: 'a' } });
  const error = await t.throwsAsync(() => subject.rows('SELECT {once:String} AS x'), { instanceOf: ClickHouseError });
  t.is((error as ClickHouseError).code, '456');
});

test('many parameterised queries at once do not mix their values', async (t) => {
  const wanted = Array.from({ length: 200 }, (_, index) => index);
  const got = await Promise.all(
    wanted.map(
      async (index) =>
        (await subject.rows<{ x: number }>('SELECT {x:UInt32} AS x', { query_params: { x: index } }))[0]?.x,
    ),
  );
  t.deepEqual(got, wanted);
});

test('settings hold for their request and for no other', async (t) => {
  const asked = () => subject.rows<{ x: string }>(`SELECT toString(getSetting('max_block_size')) AS x`);
  const before = await asked();
  const during = await subject.rows<{ x: string }>(`SELECT toString(getSetting('max_block_size')) AS x`, {
    clickhouse_settings: { max_block_size: '1234' },
  });
  t.deepEqual(during, [{ x: '1234' }]);
  const answers = await Promise.all(Array.from({ length: 30 }, asked));
  for (const answer of answers) t.deepEqual(answer, before);
});

test('SET in one request does not reach the next without a session', async (t) => {
  await subject.client.command({ query: 'SET max_block_size = 777' });
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => subject.rows<{ x: string }>(`SELECT toString(getSetting('max_block_size')) AS x`)),
  );
  t.false(answers.some(([row]) => row?.x === '777'));
});

for (const [name, query, code, type] of [
  ['a table that is not there', 'SELECT * FROM nonesuch', '60', 'UNKNOWN_TABLE'],
  ['a column that is not there', 'SELECT nonesuch FROM system.one', '47', 'UNKNOWN_IDENTIFIER'],
  ['text that is no SQL', 'selekt 1', '62', 'SYNTAX_ERROR'],
  ['a function that is not there', 'SELECT nonesuch(1)', '46', 'UNKNOWN_FUNCTION'],
  ['a failing expression', 'SELECT throwIf(1)', '395', 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO'],
] as const) {
  test(`typed error: ${name}`, async (t) => {
    for (const format of ['JSON', 'JSONEachRow'] as const) {
      const error = await t.throwsAsync(async () => (await subject.client.query({ query, format })).json(), {
        instanceOf: ClickHouseError,
      });
      t.is((error as ClickHouseError).code, code);
      t.is((error as ClickHouseError).type, type);
    }
  });
}

test('typed error: an unknown setting and an unknown database', async (t) => {
  const setting = await t.throwsAsync(
    () => subject.rows('SELECT 1', { clickhouse_settings: { nonesuch: 1 } as ClickHouseSettings }),
    {
      instanceOf: ClickHouseError,
    },
  );
  t.is((setting as ClickHouseError).type, 'UNKNOWN_SETTING');
  const answer = await subject.raw('POST', '/?database=nonesuch', { body: 'SELECT 1' });
  t.is(answer.status, 404);
  t.is(answer.headers['x-clickhouse-exception-code'], '81');
});

test('a bad row is an error that shows it, and nothing of the block stays', async (t) => {
  const table = await subject.numberTable('bad_row');
  const insert = () =>
    subject.client.insert({
      table,
      values: [
        [1, 'a'],
        ['zz', 'b'],
      ],
      format: 'JSONCompactEachRow',
    });
  const error = await t.throwsAsync(insert, { instanceOf: ClickHouseError });
  t.regex(error?.message ?? '', /zz/);
  t.deepEqual(await subject.rows(`SELECT toUInt32(count()) AS c FROM ${table}`), [{ c: 0 }]);
});

test('300,000 rows stream through', async (t) => {
  const result = await subject.client.query({
    query: 'SELECT number AS n FROM numbers(300000)',
    format: 'JSONEachRow',
  });
  let count = 0;
  let sum = 0;
  for await (const chunk of result.stream<{ n: string | number }>()) {
    for (const row of chunk) {
      count++;
      sum += Number(row.json().n);
    }
  }
  t.is(count, 300_000);
  t.is(sum, (299_999 * 300_000) / 2);
});

test('an error after the first rows reaches the reader as a typed error', async (t) => {
  const error = await t.throwsAsync(
    async () => {
      const result = await subject.client.query({
        query: 'SELECT number, throwIf(number = 900000) FROM numbers(1000000)',
        format: 'JSONEachRow',
        clickhouse_settings: { max_block_size: '1000' },
      });
      for await (const chunk of result.stream()) void chunk.length;
    },
    { instanceOf: ClickHouseError },
  );
  t.is((error as ClickHouseError).code, '395');
});

test('exec hands over the raw stream', async (t) => {
  const { stream } = await subject.client.exec({ query: 'SELECT number FROM numbers(3) FORMAT CSV' });
  t.is((await stream.toArray()).join(''), '0\n1\n2\n');
});

test('exec with values: the query in the address, the data in the body', async (t) => {
  const table = await subject.numberTable('exec');
  const { stream } = await subject.client.exec({
    query: `INSERT INTO ${table} FORMAT CSV`,
    values: Readable.from(['1,a\n', '2,b\n'], { objectMode: false }),
  });
  await stream.toArray();
  t.deepEqual(await subject.rows(`SELECT s FROM ${table} ORDER BY n`), [{ s: 'a' }, { s: 'b' }]);
});

test('a session keeps temporary tables and SET; other sessions do not see them', async (t) => {
  const inSession = createClient({
    url: subject.url,
    database: subject.database,
    session_id: randomUUID(),
    max_open_connections: 1,
  });
  await inSession.command({ query: 'CREATE TEMPORARY TABLE scratch (a UInt8)' });
  await inSession.command({ query: 'SET max_block_size = 321' });
  await inSession.insert({
    table: 'scratch',
    values: [{ a: 1 }],
    format: 'JSONEachRow',
    clickhouse_settings: { max_block_size: '999' },
  });
  const ask = async (sql: string) => (await inSession.query({ query: sql, format: 'JSONEachRow' })).json();
  t.deepEqual(await ask('SELECT a FROM scratch'), [{ a: 1 }]);
  t.deepEqual(await ask(`SELECT toString(getSetting('max_block_size')) AS x`), [{ x: '321' }]);
  await t.throwsAsync(() => subject.rows('SELECT a FROM scratch'), { instanceOf: ClickHouseError });
  await inSession.close();
});
