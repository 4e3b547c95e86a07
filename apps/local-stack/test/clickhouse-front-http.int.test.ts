import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import test from 'ava';
import { conformanceSubject, local } from './support/conformance.ts';
import { until } from './support/stacks.ts';

// Plain HTTP: what other clients, Grafana and curl send, and what is refused.
const subject = conformanceSubject();

for (const [name, pack, unpack] of [
  ['br', zlib.brotliCompressSync, zlib.brotliDecompressSync],
  ['zstd', zlib.zstdCompressSync, zlib.zstdDecompressSync],
  ['gzip', zlib.gzipSync, zlib.gunzipSync],
] as const) {
  test(`a body and an answer in ${name}`, async (t) => {
    const answer = await subject.raw('POST', '/?enable_http_compression=1&default_format=JSONEachRow', {
      headers: { 'content-encoding': name, 'accept-encoding': name },
      body: pack('SELECT number AS n FROM numbers(3)'),
    });
    t.is(answer.status, 200);
    t.is(answer.headers['content-encoding'], name);
    t.is(unpack(answer.body).toString().split('\n').length, 4);
  });
}

test('no compression of the answer unless it is asked for in the address', async (t) => {
  const answer = await subject.raw('POST', '/', { headers: { 'accept-encoding': 'gzip' }, body: 'SELECT 1' });
  t.is(answer.headers['content-encoding'], undefined);
  t.is(answer.body.toString(), '1\n');
});

local('a session takes one request at a time', async (t) => {
  const session = randomUUID();
  const slow = subject.raw('POST', `/?session_id=${session}`, { body: 'SELECT sleep(1)' });
  await until(async () => {
    const answer = await subject.raw('POST', `/?session_id=${session}`, { body: 'SELECT 1' });
    return answer.headers['x-clickhouse-exception-code'] === '373';
  }, 'the session is locked');
  t.is((await slow).status, 200);
});

test('the database of the address holds for its request', async (t) => {
  const other = `${subject.database}_other`;
  await subject.client.command({ query: `CREATE DATABASE ${other}` });
  try {
    const answers = await Promise.all(
      [subject.database, other, subject.database, other].map((name) =>
        subject.raw('POST', `/?database=${name}`, { body: 'SELECT currentDatabase()' }),
      ),
    );
    t.deepEqual(
      answers.map(({ body }) => body.toString().trim()),
      [subject.database, other, subject.database, other],
    );
    t.is((await subject.raw('POST', '/', { body: 'SELECT currentDatabase()' })).body.toString().trim(), 'default');
  } finally {
    await subject.client.command({ query: `DROP DATABASE ${other}` });
  }
});

test('without credentials 401 or 403, with wrong ones 403 and the code of the server', async (t) => {
  t.true([401, 403].includes((await subject.raw('POST', '/', { body: 'SELECT 1', anonymous: true })).status));
  const wrong = await subject.raw('POST', '/', {
    body: 'SELECT 1',
    anonymous: true,
    headers: { authorization: `Basic ${Buffer.from('volley:no').toString('base64')}` },
  });
  t.is(wrong.status, 403);
  t.is(wrong.headers['x-clickhouse-exception-code'], '516');
});

test('user and key may be headers', async (t) => {
  const url = new URL(subject.url);
  const headers = {
    'x-clickhouse-user': decodeURIComponent(url.username),
    'x-clickhouse-key': decodeURIComponent(url.password),
  };
  t.is((await subject.raw('POST', '/', { body: 'SELECT 1', anonymous: true, headers })).body.toString(), '1\n');
  t.is(
    (
      await subject.raw('POST', '/', {
        body: 'SELECT 1',
        anonymous: true,
        headers: { ...headers, 'x-clickhouse-key': 'no' },
      })
    ).status,
    403,
  );
});

for (const contentType of [undefined, 'text/plain', 'application/json', 'application/x-www-form-urlencoded']) {
  test(`SQL in the body of a POST, content type ${contentType ?? 'absent'}, with default_format`, async (t) => {
    const answer = await subject.raw('POST', '/?default_format=JSONEachRow', {
      body: 'SELECT toUInt8(1) AS a;\n',
      headers: contentType === undefined ? {} : { 'content-type': contentType },
    });
    t.is(answer.status, 200);
    t.is(answer.body.toString(), '{"a":1}\n');
    t.is(answer.headers['x-clickhouse-format'], 'JSONEachRow');
  });
}

test('FORMAT in the text wins over default_format', async (t) => {
  const answer = await subject.raw('POST', '/?default_format=JSON', { body: 'SELECT 1 AS a FORMAT CSVWithNames' });
  t.is(answer.body.toString(), '"a"\n1\n');
  t.regex(String(answer.headers['content-type']), /^text\/csv/);
});

test('GET with the query in the address reads and does not write', async (t) => {
  const table = await subject.numberTable('get');
  const read = await subject.raw('GET', `/?query=${encodeURIComponent('SELECT 1 FORMAT JSONEachRow')}`);
  t.is(read.body.toString(), '{"1":1}\n');
  const write = await subject.raw(
    'GET',
    `/?database=${subject.database}&query=${encodeURIComponent(`INSERT INTO ${table} (n) VALUES (1)`)}`,
  );
  t.is(write.headers['x-clickhouse-exception-code'], '164');
  t.deepEqual(await subject.rows(`SELECT toUInt32(count()) AS c FROM ${table}`), [{ c: 0 }]);
});

test('an INSERT whole in the body, with VALUES and with a FORMAT', async (t) => {
  const table = await subject.numberTable('whole');
  for (const body of [
    `INSERT INTO ${table} VALUES (1, 'FORMAT CSV'), (2, 'b')`,
    `INSERT INTO ${table} (n, s) FORMAT JSONEachRow {"n": 3, "s": "c"}\n{"n": 4, "s": "d"}`,
    `/* a note */ INSERT INTO ${table} FORMAT TSV\n5\te\n6\tf\n`,
    `INSERT INTO ${table} SELECT number + 7, 'g' FROM numbers(2)`,
  ]) {
    const answer = await subject.raw('POST', `/?database=${subject.database}`, { body });
    t.is(answer.status, 200, answer.body.toString());
    t.is(JSON.parse(String(answer.headers['x-clickhouse-summary'])).written_rows, '2');
  }
  t.deepEqual(
    (await subject.rows<{ n: string }>(`SELECT n FROM ${table} ORDER BY n`)).map(({ n }) => Number(n)),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
});

test('parameters and query as multipart form data', async (t) => {
  const result = await subject.client.query({
    query: 'SELECT {a:String} AS a, {b:Array(UInt8)} AS b',
    query_params: { a: `x'y\n🚀`, b: [1, 2] },
    format: 'JSONEachRow',
    use_multipart_params: true,
  });
  t.deepEqual(await result.json(), [{ a: `x'y\n🚀`, b: [1, 2] }]);
});

test('binary formats go through untouched: RowBinary in, Native out', async (t) => {
  const table = await subject.numberTable('binary');
  const row = Buffer.concat([
    Buffer.from([9, 0, 0, 0, 0, 0, 0, 0]),
    Buffer.from([3]),
    Buffer.from('\0\n\xff', 'latin1'),
  ]);
  const query = encodeURIComponent(`INSERT INTO ${table} (n, s) FORMAT RowBinary`);
  t.is((await subject.raw('POST', `/?database=${subject.database}&query=${query}`, { body: row })).status, 200);
  const answer = await subject.raw('POST', `/?database=${subject.database}&default_format=RowBinary`, {
    body: `SELECT n, s FROM ${table}`,
  });
  t.deepEqual(answer.body, row);
});

local('a body above the limit is refused before it is read', async (t) => {
  const answer = await subject.raw('POST', '/', {
    headers: { 'content-length': String(300 * 1024 * 1024) },
    body: 'SELECT 1',
  });
  t.is(answer.status, 413);
});

for (const query of [
  `SELECT * FROM file('/etc/hostname', 'LineAsString')`,
  `SELECT file('/etc/hostname')`,
  `SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')`,
  `SELECT * FROM s3('http://127.0.0.1:1/bucket/key', 'CSV')`,
  `SELECT * FROM remote('127.0.0.1:1', system.one)`,
  `SELECT * FROM executable('x', 'TSV', 'a String')`,
  `SELECT 1 INTO OUTFILE '/tmp/volley-must-not-be-there'`,
  `INSERT INTO FUNCTION file('/tmp/volley-must-not-be-there', 'TSV', 'a UInt8') SELECT 1`,
  `CREATE TABLE outside (a String) ENGINE = File(LineAsString, '/etc/hostname')`,
  `CREATE TABLE outside (a String) ENGINE = URL('http://127.0.0.1:1/', 'LineAsString')`,
  `CREATE DATABASE outside ENGINE = Filesystem('/')`,
  `CREATE DICTIONARY outside (a UInt64) PRIMARY KEY a SOURCE(FILE(PATH '/etc/hostname' FORMAT 'CSV')) LAYOUT(FLAT()) LIFETIME(0)`,
  `BACKUP DATABASE default TO File('/tmp/volley-must-not-be-there')`,
  'SYSTEM SHUTDOWN',
  "SELECT `file`('/etc/hostname')",
  `SELECT ‘'’, file('/etc/hostname'), ‘'’`,
  `SELECT * APPLY file FROM (SELECT '/etc/hostname')`,
  `SELECT arrayMap(file, ['/etc/hostname'])`,
  `SELECT 1 AS a FORMAT Template SETTINGS format_template_row = '/etc/hostname'`,
]) {
  local(`refused: ${query.slice(0, 70)}`, async (t) => {
    const answer = await subject.raw('POST', `/?database=${subject.database}`, { body: query });
    t.is(answer.headers['x-clickhouse-exception-code'], '497', answer.body.toString());
    t.is(answer.status, 403);
  });
}

local(
  'refused: the name of a function that reaches outside, and a file that describes a format, out of the address',
  async (t) => {
    for (const [address, body] of [
      ['param_f=file', `SELECT arrayMap({f:Identifier}, ['/etc/hostname'])`],
      ['format_template_row=/etc/hostname', 'SELECT 1 AS a FORMAT Template'],
    ] as const) {
      const answer = await subject.raw('POST', `/?${address}`, { body });
      t.is(answer.headers['x-clickhouse-exception-code'], '497', answer.body.toString());
    }
  },
);

for (const text of [
  String.raw`\i FILE`,
  String.raw`  \i FILE`,
  String.raw`;\i FILE`,
  `/* a note */ -- and another\n${String.raw`\i FILE`}`,
  String.raw`SELECT 1;\i FILE`,
  String.raw`\d`,
  ...['exit', 'quit;', 'logout', 'q', 'help', 'man select', 'clear', 'ls', '!ls', '?? what failed', 'selekt 1'],
]) {
  test(`no SQL, and no command either: ${JSON.stringify(text)}`, async (t) => {
    const table = await subject.numberTable('commanded');
    const folder = mkdtempSync(path.join(os.tmpdir(), 'volley-commands-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, 'evil.sql');
    writeFileSync(file, `INSERT INTO ${subject.database}.${table} (n) VALUES (1)`);
    for (const url of [subject.url, subject.readerUrl]) {
      const answer = await subject.raw('POST', `/?database=${subject.database}`, {
        body: text.replace('FILE', file),
        url,
      });
      t.is(answer.headers['x-clickhouse-exception-code'], '62', answer.body.toString());
      t.is(answer.status, 400);
    }
    t.deepEqual(await subject.rows(`SELECT n FROM ${table}`), []);
  });
}

local('words inside strings and comments are not syntax', async (t) => {
  const answer = await subject.raw('POST', '/', { body: `SELECT 'INTO OUTFILE; file(' -- file(\n` });
  t.is(answer.body.toString(), 'INTO OUTFILE; file(\n');
});

for (const before of ['', ' ', '-- c\n', '# c\n', '/* c */ '])
  local(`a file of SQL is not read: after ${JSON.stringify(before)}`, async (t) => {
    const answer = await subject.raw('POST', '/', { body: `${before}\\i /etc/hostname` });
    t.is(answer.headers['x-clickhouse-exception-code'], '62');
    t.regex(answer.body.toString(), /begins with no statement/);
  });

local('two statements in one text are refused', async (t) => {
  const answer = await subject.raw('POST', '/', { body: 'SELECT 1; SELECT 2' });
  t.is(answer.headers['x-clickhouse-exception-code'], '62');
});
