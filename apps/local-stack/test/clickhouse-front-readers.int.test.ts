import { randomUUID } from 'node:crypto';
import { ClickHouseError } from '@clickhouse/client';
import test from 'ava';
import { conformanceSubject, createClient, local } from './support/conformance.ts';
import { until } from './support/stacks.ts';

// What the readers need: a user that changes nothing, sessions, progress, errors in the middle, and to be no burden to who writes.
const subject = conformanceSubject();

const codeOf = (error: unknown) => (error instanceof ClickHouseError ? `${error.code} ${error.type}` : String(error));
/** As the read-only user. */
const reading = () => createClient({ url: subject.readerUrl, database: subject.database });

local('the reader asks, with limits of its own', async (t) => {
  const table = await subject.numberTable('asked');
  await subject.client.insert({ table, values: [{ n: 1 }], format: 'JSONEachRow' });
  const client = reading();
  const query = `SELECT n FROM ${table} WHERE n = {n:UInt64}`;
  const answer = await client.query({
    query,
    format: 'JSONEachRow',
    query_params: { n: 1 },
    clickhouse_settings: { max_execution_time: 5, output_format_json_quote_64bit_integers: 0 },
  });
  t.deepEqual(await answer.json(), [{ n: 1 }]);
  t.regex(
    await (await client.query({ query: `EXPLAIN ${query}`, format: 'TabSeparated', query_params: { n: 1 } })).text(),
    /ReadFrom/,
  );
  await client.close();
});

local('the reader changes nothing, whatever it asks for', async (t) => {
  const table = await subject.numberTable('kept');
  await subject.client.insert({ table, values: [{ n: 1 }], format: 'JSONEachRow' });
  const client = reading();
  for (const query of [
    `INSERT INTO ${table} (n) SELECT 2`,
    `WITH 2 AS x INSERT INTO ${table} (n) SELECT x`,
    `TRUNCATE TABLE ${table}`,
    `ALTER TABLE ${table} DELETE WHERE 1`,
    `ALTER TABLE ${table} ADD COLUMN x UInt8`,
    `DROP TABLE ${table}`,
    `DETACH TABLE ${table}`,
    `CREATE TABLE ${table}_new (n UInt8) ENGINE = MergeTree ORDER BY n`,
    `CREATE DATABASE ${subject.database}_new`,
    `EXCHANGE TABLES ${table} AND ${table}`,
    `OPTIMIZE TABLE ${table} FINAL`,
    `SYSTEM STOP MERGES ${table}`,
    `DELETE FROM ${table} WHERE 1`,
    'KILL QUERY WHERE 1',
    'KILL MUTATION WHERE 1',
  ]) {
    const refused = codeOf(await t.throwsAsync(client.command({ query }), undefined, query));
    t.true(/^(164|497|62) /.test(refused), `${query}: ${refused}`);
    const overridden = client.command({ query, clickhouse_settings: { readonly: '0' } });
    t.is(codeOf(await t.throwsAsync(overridden)), '164 READONLY', query);
  }
  const insert = client.insert({ table, values: [{ n: 2 }], format: 'JSONEachRow' });
  t.is(codeOf(await t.throwsAsync(insert)), '164 READONLY');
  const allowed = client.query({ query: 'SELECT 1 SETTINGS readonly = 0', format: 'JSON' });
  t.is(codeOf(await t.throwsAsync(allowed)), '164 READONLY');
  t.deepEqual(await subject.rows(`SELECT toUInt32(n) AS n FROM ${table}`), [{ n: 1 }]);
  await client.close();
});

local('the reader ends its own query by its id, and no other', async (t) => {
  const client = reading();
  const word = `w${randomUUID().replaceAll('-', '')}`;
  const slow = `SELECT sleepEachRow(0.1) AS ${word} FROM numbers(1000) SETTINGS max_block_size = 1`;
  const [own, other] = [randomUUID(), randomUUID()];
  const ownEnds = t.throwsAsync(client.query({ query: slow, format: 'JSON', query_id: own }));
  const leaving = new AbortController();
  const otherRuns = subject.client.query({
    query: slow,
    format: 'JSON',
    query_id: other,
    abort_signal: leaving.signal,
  });
  const otherEnds = t.throwsAsync(otherRuns);
  await until(async () => (await subject.running(word)) === 2, 'both run');
  const kill = (id: string, more = '') =>
    client.command({ query: `KILL QUERY WHERE query_id = '${id}' ${more} ASYNC` });
  for (const refused of [kill(other), kill(own, 'OR 1')])
    t.is(codeOf(await t.throwsAsync(refused)), '497 ACCESS_DENIED');
  await kill(own);
  t.is(codeOf(await ownEnds), '394 QUERY_WAS_CANCELLED');
  t.is(await subject.running(word), 1);
  leaving.abort();
  await otherEnds;
  await client.close();
});

local('a session of the reader stays read-only, and is not the session of the same id of another user', async (t) => {
  const session_id = randomUUID();
  const table = await subject.numberTable('session');
  const options = { database: subject.database, session_id, max_open_connections: 1 };
  const reader = createClient({ url: subject.readerUrl, ...options });
  const writer = createClient({ url: subject.url, ...options });
  await writer.command({ query: 'SET max_block_size = 321' });
  for (let i = 0; i < 2; i++) {
    const query = `SELECT toString(getSetting('max_block_size')) AS x`;
    const [row] = await (await reader.query({ query, format: 'JSONEachRow' })).json<{ x: string }>();
    t.not(row?.x, '321');
    for (const statement of ['SET readonly = 0', `INSERT INTO ${table} (n) SELECT 1`])
      t.is(codeOf(await t.throwsAsync(reader.command({ query: statement }))), '164 READONLY');
  }
  await writer.insert({ table, values: [{ n: 1 }], format: 'JSONEachRow' });
  t.is((await subject.rows(`SELECT n FROM ${table}`)).length, 1);
  for (const client of [reader, writer]) await client.close();
});

test('GET in a session reads, and leaves the session able to write', async (t) => {
  const table = await subject.numberTable('get_session');
  const address = `/?database=${subject.database}&session_id=${randomUUID()}`;
  const read = await subject.raw('GET', `${address}&query=${encodeURIComponent('SELECT 1')}`);
  t.is(read.body.toString(), '1\n');
  const write = await subject.raw(
    'GET',
    `${address}&query=${encodeURIComponent(`INSERT INTO ${table} (n) VALUES (1)`)}`,
  );
  t.is(write.headers['x-clickhouse-exception-code'], '164');
  const posted = await subject.raw('POST', address, { body: `INSERT INTO ${table} (n) VALUES (2)` });
  t.is(posted.status, 200, posted.body.toString());
  t.deepEqual(await subject.rows(`SELECT toUInt32(n) AS n FROM ${table}`), [{ n: 2 }]);
});

test('wait_end_of_query: an error after the first rows still has its status', async (t) => {
  const failing = 'SELECT number, throwIf(number = 150000) FROM numbers(200000) SETTINGS max_block_size = 1000';
  const answer = await subject.raw('POST', '/?wait_end_of_query=1&default_format=JSONEachRow', { body: failing });
  t.is(answer.status, 500);
  t.is(answer.headers['x-clickhouse-exception-code'], '395');
  t.regex(answer.body.toString(), /^Code: 395\. /);
});

test('wait_end_of_query: a whole answer with its length in rows', async (t) => {
  const query = 'SELECT number FROM numbers(100000)';
  const answer = await subject.raw('POST', '/?wait_end_of_query=1&default_format=JSONEachRow', { body: query });
  t.is(answer.status, 200);
  t.is(JSON.parse(String(answer.headers['x-clickhouse-summary'])).read_rows, '100000');
  t.is(answer.body.toString().trimEnd().split('\n').length, 100_000);
});

test('progress in headers, when it is asked for', async (t) => {
  const body = 'SELECT sum(sleepEachRow(0.01)) FROM numbers(50) SETTINGS max_block_size = 5';
  const ask = (more: string) => subject.raw('POST', `/?default_format=JSON&wait_end_of_query=1${more}`, { body });
  const answer = await ask('&send_progress_in_http_headers=1&http_headers_progress_interval_ms=50');
  t.is(answer.status, 200, answer.body.toString());
  const progress = JSON.parse(String(answer.headers['x-clickhouse-progress']).replace(/\}, \{.*$/, '}'));
  t.true(Number(progress.read_rows) > 0);
  t.is((await ask('')).headers['x-clickhouse-progress'], undefined);
});

for (const compression of [false, true]) {
  test(`an error in the middle of an answer reaches each reader as a typed error, ${compression ? 'compressed' : 'plain'}`, async (t) => {
    const client = createClient({
      url: subject.url,
      database: subject.database,
      compression: { request: false, response: compression },
    });
    const query = 'SELECT number, throwIf(number = 2500000) FROM numbers(3000000)';
    for (const format of ['JSONEachRow', 'CSV'] as const) {
      let rows = 0;
      const failed = await t.throwsAsync(async () => {
        const result = await client.query({ query, format, clickhouse_settings: { max_block_size: '1000' } });
        for await (const chunk of result.stream()) rows += chunk.length;
      });
      t.is(codeOf(failed), '395 FUNCTION_THROW_IF_VALUE_IS_NON_ZERO', format);
      t.true(rows > 0 && rows <= 2_500_000, `${format}: ${rows} rows came before`);
    }
    await client.close();
  });
}

test.serial('what a view evaluates before its first row does not hold up anybody else', async (t) => {
  const table = await subject.numberTable('behind');
  await subject.client.insert({ table, values: [1, 2, 3, 4, 5, 6].map((n) => ({ n })), format: 'JSONEachRow' });
  const view = subject.fresh('slow_view');
  await subject.client.command({
    query: `CREATE VIEW ${view} AS SELECT n FROM ${table} WHERE n = (SELECT max(n) + sum(sleepEachRow(0.5)) FROM ${table})`,
  });
  let over = false;
  const asked = subject.rows(`SELECT toUInt32(n) AS n FROM ${view}`).then((rows) => {
    over = true;
    return rows;
  });
  for (let i = 0; i < 10; i++) t.deepEqual(await subject.rows('SELECT 1 AS one'), [{ one: 1 }]);
  t.false(over, 'ten questions, one after the other, take less than its three seconds');
  t.deepEqual(await asked, [{ n: 6 }]);
});

test('the summary of a small answer counts what was read', async (t) => {
  const answer = await subject.raw('POST', '/?default_format=JSONEachRow', {
    body: 'SELECT number FROM numbers(1000)',
  });
  t.is(JSON.parse(String(answer.headers['x-clickhouse-summary'])).read_rows, '1000');
});

test('streams that are not read to their end are ended in the engine, and hold no place', async (t) => {
  const word = `w${randomUUID().replaceAll('-', '')}`;
  for (let i = 0; i < 8; i++) {
    const result = await subject.client.query({
      query: `SELECT number AS ${word} FROM numbers(100000000000)`,
      format: 'JSONEachRow',
      clickhouse_settings: { cancel_http_readonly_queries_on_client_close: 1 },
    });
    for await (const chunk of result.stream()) if (chunk.length > 0) break;
    result.close();
  }
  await until(async () => (await subject.running(word)) === 0, 'none of them is left');
  t.deepEqual(await subject.rows('SELECT 1 AS one'), [{ one: 1 }]);
});

test('limits that a session has set hold for its answers', async (t) => {
  const client = createClient({
    url: subject.url,
    database: subject.database,
    session_id: randomUUID(),
    max_open_connections: 1,
  });
  const ask = async () =>
    (await client.query({ query: 'SELECT toString(number) FROM numbers(100000)', format: 'JSONEachRow' })).json();
  await client.command({ query: 'SET max_result_bytes = 10000' });
  t.is(codeOf(await t.throwsAsync(ask)), '396 TOO_MANY_ROWS_OR_BYTES');
  await client.command({ query: "SET result_overflow_mode = 'break', max_block_size = 500" });
  const rows = await ask();
  t.true(rows.length > 0 && rows.length < 100_000, `${rows.length}`);
  await client.command({ query: 'SET max_result_bytes = 0' });
  t.is((await ask()).length, 100_000);
  await client.close();
});

for (const format of [
  'JSON',
  'JSONCompact',
  'JSONObjectEachRow',
  'JSONColumnsWithMetadata',
  'CSVWithNames',
  'Parquet',
] as const) {
  test(`an empty answer is a document all the same: ${format}`, async (t) => {
    const table = await subject.numberTable('empty');
    const answer = await subject.raw('POST', `/?database=${subject.database}`, {
      body: `SELECT n FROM ${table} FORMAT ${format}`,
    });
    t.is(answer.status, 200);
    t.is(answer.headers['x-clickhouse-format'], format);
    if (format.startsWith('JSON')) t.notThrows(() => JSON.parse(answer.body.toString()));
    else t.true(answer.body.length > 0);
  });
}

for (const statement of [
  'SHOW TABLES',
  'DESCRIBE TABLE system.one',
  'EXISTS TABLE system.one',
  'EXPLAIN indexes = 1 SELECT 1',
]) {
  test(`what people ask by hand: ${statement}`, async (t) => {
    const answer = await subject.raw('POST', `/?database=${subject.database}&default_format=JSONEachRow`, {
      body: statement,
    });
    t.is(answer.status, 200, answer.body.toString());
  });
}
