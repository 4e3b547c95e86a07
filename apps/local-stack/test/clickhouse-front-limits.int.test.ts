import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { Readable } from 'node:stream';
import { ClickHouseError, type ClickHouseSettings } from '@clickhouse/client';
import test from 'ava';
import { conformanceSubject } from './support/conformance.ts';
import { until } from './support/stacks.ts';

// What is refused, and as what: limits of a request, a full table, no memory, readonly, a client that goes away while it writes.
const subject = conformanceSubject();

const codeOf = (error: unknown) => (error instanceof ClickHouseError ? `${error.code} ${error.type}` : String(error));
const endless = 'SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))';

for (const [what, query, settings, code] of [
  ['its time', endless, { max_execution_time: 1 }, '159 TIMEOUT_EXCEEDED'],
  [
    'its memory',
    'SELECT length(groupArray(toString(number))) FROM numbers(3000000)',
    { max_memory_usage: '50000000' },
    '241 MEMORY_LIMIT_EXCEEDED',
  ],
  [
    'rows of the answer',
    'SELECT number FROM numbers(100000)',
    { max_result_rows: '1000' },
    '396 TOO_MANY_ROWS_OR_BYTES',
  ],
  [
    'bytes of the answer',
    'SELECT toString(number) FROM numbers(100000)',
    { max_result_bytes: '10000' },
    '396 TOO_MANY_ROWS_OR_BYTES',
  ],
  ['rows that are read', 'SELECT sum(number) FROM numbers(100000)', { max_rows_to_read: '1000' }, '158 TOO_MANY_ROWS'],
] as readonly (readonly [string, string, ClickHouseSettings, string])[]) {
  for (const format of ['JSON', 'JSONEachRow'] as const) {
    test(`a limit of one request ends it and no other: ${what}, ${format}`, async (t) => {
      const ask = async (clickhouse_settings: ClickHouseSettings) =>
        (await subject.client.query({ query, format, clickhouse_settings })).json();
      t.is(codeOf(await t.throwsAsync(() => ask(settings))), code);
      if (query !== endless) await t.notThrowsAsync(() => ask({}));
    });
  }
}

test('rows of an answer may be cut off in place of an error, when the request says so', async (t) => {
  const rows = await subject.rows('SELECT number FROM numbers(100000)', {
    clickhouse_settings: { max_result_rows: '1000', result_overflow_mode: 'break', max_block_size: '500' },
  });
  t.true(rows.length >= 1000 && rows.length < 100_000, `${rows.length}`);
});

/** Rows of (n), sent as the sink sends them: the statement in the address, the rows as bytes in the body. */
function insertNumbers(
  table: string,
  numbers: readonly number[],
  clickhouse_settings: ClickHouseSettings = {},
  signal?: AbortSignal,
) {
  return subject.client
    .exec({
      query: `INSERT INTO ${table} (n) FORMAT JSONCompactEachRow`,
      values: Readable.from([Buffer.from(numbers.map((n) => `[${n}]\n`).join(''))], { objectMode: false }),
      clickhouse_settings: { wait_end_of_query: 1, ...clickhouse_settings },
      ...(signal === undefined ? {} : { abort_signal: signal }),
    })
    .then(({ stream }) => stream.toArray());
}

/** Each of its rows takes so long to insert. */
async function slowTable(name: string, secondsARow: number, settings = ''): Promise<string> {
  const table = subject.fresh(name);
  await subject.client.command({
    query: `CREATE TABLE ${table} (n UInt64, s UInt8 DEFAULT sleepEachRow(${secondsARow})) ENGINE = MergeTree ORDER BY n ${settings}`,
  });
  return table;
}

const numbersIn = async (table: string) =>
  (await subject.rows<{ n: string }>(`SELECT n FROM ${table} ORDER BY n`)).map(({ n }) => Number(n));

test('an insert without memory is refused, and nothing of its block stays', async (t) => {
  const table = await subject.numberTable('no_memory');
  const many = Array.from({ length: 200_000 }, (_, n) => n);
  t.is(
    codeOf(await t.throwsAsync(insertNumbers(table, many, { max_memory_usage: '1000000' }))),
    '241 MEMORY_LIMIT_EXCEEDED',
  );
  t.deepEqual(await numbersIn(table), []);
  await insertNumbers(table, [1]);
  t.deepEqual(await numbersIn(table), [1]);
});

test('a table with too many parts takes no more until they are merged', async (t) => {
  const table = await subject.numberTable(
    'parts',
    'SETTINGS parts_to_throw_insert = 2, parts_to_delay_insert = 1, max_delay_to_insert = 1',
  );
  await subject.client.command({ query: `SYSTEM STOP MERGES ${table}` });
  const refused = await t.throwsAsync(async () => {
    for (let n = 0; n < 5; n++) await insertNumbers(table, [n]);
  });
  t.is(codeOf(refused), '252 TOO_MANY_PARTS');
  const before = await numbersIn(table);
  await subject.client.command({ query: `SYSTEM START MERGES ${table}` });
  await subject.client.command({ query: `OPTIMIZE TABLE ${table} FINAL` });
  await insertNumbers(table, [9]);
  t.deepEqual(await numbersIn(table), [...before, 9]);
});

test('readonly, wished for or in the text: nothing is written, and the next request may write', async (t) => {
  const table = await subject.numberTable('readonly');
  for (const readonly of ['1', '2'])
    t.is(codeOf(await t.throwsAsync(insertNumbers(table, [1], { readonly }))), '164 READONLY');
  t.is(
    codeOf(
      await t.throwsAsync(
        subject.client.command({
          query: `ALTER TABLE ${table} DELETE WHERE 1`,
          clickhouse_settings: { readonly: '2' },
        }),
      ),
    ),
    '164 READONLY',
  );
  await insertNumbers(table, [2]);
  t.deepEqual(await numbersIn(table), [2]);
});

for (const [name, query] of [
  ['with readonly=0 beside it', 'readonly=0'],
  ['with readonly=1 beside it', 'readonly=1'],
] as const) {
  test(`GET does not write, ${name}`, async (t) => {
    const table = await subject.numberTable('get');
    const sql = encodeURIComponent(`INSERT INTO ${table} (n) VALUES (1)`);
    const answer = await subject.raw('GET', `/?database=${subject.database}&${query}&query=${sql}`);
    t.is(answer.headers['x-clickhouse-exception-code'], '164');
    t.deepEqual(await numbersIn(table), []);
  });
}

test('a body that is cut off inserts nothing', async (t) => {
  const table = await subject.numberTable('cut');
  const url = new URL(subject.url);
  const path = `/?database=${subject.database}&query=${encodeURIComponent(`INSERT INTO ${table} (n) FORMAT JSONCompactEachRow`)}`;
  const auth = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  for (const headers of [{ 'content-length': '1000' }, { 'transfer-encoding': 'chunked' }]) {
    const request = http.request({ host: url.hostname, port: url.port, method: 'POST', path, auth, headers });
    const closed = new Promise<void>((resolve) => request.once('close', resolve).on('error', () => {}));
    await new Promise((resolve) => request.write('[1]\n[2]\n', resolve));
    request.destroy();
    await closed;
  }
  await until(async () => (await subject.running(table)) === 0, 'nothing of it runs');
  t.deepEqual(await numbersIn(table), []);
});

test('an insert that has begun is finished when its client goes away, and its repeat under the same token adds nothing', async (t) => {
  const table = await slowTable('left', 0.5, 'SETTINGS non_replicated_deduplication_window = 100');
  const token = { insert_deduplication_token: randomUUID() };
  const numbers = [1, 2, 3, 4, 5];
  const leaving = new AbortController();
  const left = insertNumbers(table, numbers, token, leaving.signal);
  left.catch(() => {});
  await until(async () => (await subject.running(table)) === 1, 'the insert runs');
  leaving.abort();
  await t.throwsAsync(left);
  await until(async () => (await subject.running(table)) === 0, 'the insert has ended');
  t.deepEqual(await numbersIn(table), numbers);
  await insertNumbers(table, numbers, token);
  t.deepEqual(await numbersIn(table), numbers);
});

test('two of the same insert at the same time are one', async (t) => {
  const table = await slowTable('twice', 0.2, 'SETTINGS non_replicated_deduplication_window = 100');
  const token = { insert_deduplication_token: randomUUID() };
  await Promise.all([1, 2, 3].map(() => insertNumbers(table, [1, 2], token)));
  t.deepEqual(await numbersIn(table), [1, 2]);
});
