import test from 'ava';
import { conformanceSubject, local } from './support/conformance.ts';

// What comes with an INSERT is its data, whatever it looks like: rows that are stored, or an error. None of it is SQL.
const subject = conformanceSubject();

const insert = (sql: string, body: string | Buffer) =>
  subject.raw('POST', `/?database=${subject.database}&query=${encodeURIComponent(sql)}`, { body });

async function textTable(name: string): Promise<string> {
  const table = subject.fresh(name);
  await subject.client.command({
    query: `CREATE TABLE ${table} (n UInt64 DEFAULT 0, s String DEFAULT '') ENGINE = MergeTree ORDER BY n`,
  });
  return table;
}

const textsIn = async (table: string) =>
  (await subject.rows<{ s: string }>(`SELECT s FROM ${table} ORDER BY n, s`)).map(({ s }) => s);

for (const [what, columns, format, data, stored] of [
  ['a row of CSV that is an empty line', '(s)', 'FORMAT CSV', 'a\n\nb\n', ['', 'a', 'b']],
  ['empty lines in a quoted text of CSV', '(s)', 'FORMAT CSV', '"a\n\nSELECT 1"\nb\n', ['a\n\nSELECT 1', 'b']],
  ['a row of TabSeparated that is an empty line', '(s)', 'FORMAT TSV', 'a\n\nb\n', ['', 'a', 'b']],
  ['an empty line between objects', '(s)', 'FORMAT JSONEachRow', '\n\n{"s":"a"}\n\n\n{"s":"b"}\n\n', ['a', 'b']],
  ['an empty line between arrays', '(s)', 'FORMAT JSONCompactEachRow', '["a"]\n\n["b"]\n', ['a', 'b']],
  ['line feeds in a row of bytes', '(s)', 'FORMAT RowBinary', Buffer.from('\x02\n\n\x01A'), ['\n\n', 'A']],
  [
    'bytes that look like an empty line',
    '(s)',
    'FORMAT RowBinary',
    Buffer.from('\x0a\x0a234567890\x01A'),
    ['\n234567890', 'A'],
  ],
  ['no rows', '(s)', 'FORMAT JSONEachRow', '', []],
  ['an empty line between values', '(s)', 'VALUES', "('a'),\n\n('b')", ['a', 'b']],
  ['a semicolon in a value', '(s)', 'VALUES', "('a; b'), (';\n\n')", [';\n\n', 'a; b']],
  ['a semicolon after the values', '(s)', 'VALUES', "('a');\n", ['a']],
] as const) {
  for (const where of ['body', 'text'] as const) {
    // Statement and data in one text: the first line feed after the format is the statement's.
    test(`${what}: stored as it is, with the statement in the ${where === 'body' ? 'address' : 'body'}`, async (t) => {
      const table = await textTable('lines');
      const sql = `INSERT INTO ${table} ${columns} ${format}`;
      const answer =
        where === 'body'
          ? await insert(sql, data)
          : await subject.raw('POST', `/?database=${subject.database}`, {
              body: Buffer.concat([Buffer.from(`${sql}\n`), Buffer.from(data)]),
            });
      t.is(answer.status, 200, answer.body.toString());
      t.deepEqual(await textsIn(table), [...stored]);
    });
  }
}

for (const [what, format, data] of [
  ['an empty line of CSV', 'FORMAT CSV', "a\n\nINSERT INTO TABLE_ (s) VALUES ('run')"],
  ['an empty line of JSON', 'FORMAT JSONEachRow', '{"s":"a"}\n\nINSERT INTO TABLE_ (s) VALUES (\'run\')'],
  ['values', 'VALUES', "('a'); INSERT INTO TABLE_ (s) VALUES ('run')"],
  ['values in an open bracket', 'VALUES', `("''); INSERT INTO TABLE_ (s) VALUES ('run') --")`],
] as const) {
  test(`a statement behind ${what} is not run`, async (t) => {
    const table = await textTable('behind');
    await insert(`INSERT INTO ${table} (s) ${format}`, data.replace('TABLE_', table));
    t.false((await textsIn(table)).includes('run'));
  });
}

test('a statement behind INSERT … SELECT is not run, from the body either', async (t) => {
  const table = await textTable('selected');
  const answer = await insert(`INSERT INTO ${table} (s) SELECT 'a'`, `; INSERT INTO ${table} (s) VALUES ('run')`);
  t.is(answer.headers['x-clickhouse-exception-code'], '62');
  t.deepEqual(await textsIn(table), []);
});

local('data that would be read by a function of a SELECT, or comes behind a WITH, is refused', async (t) => {
  const table = await textTable('unread');
  for (const sql of [
    `INSERT INTO ${table} (s) SELECT a FROM input('a String') FORMAT CSV`,
    `WITH 'x' AS x INSERT INTO ${table} (s) FORMAT CSV`,
  ])
    t.is((await insert(sql, 'a\n')).headers['x-clickhouse-exception-code'], '48');
  t.deepEqual(await textsIn(table), []);
});

local('a value is an expression, and does not read a file', async (t) => {
  const table = await textTable('expressions');
  const store = (value: string) => insert(`INSERT INTO ${table} (s) VALUES`, `(${value})`);
  t.is((await store(`concat('a', ';')`)).status, 200);
  for (const value of [`file('/etc/hostname')`, "`file`('/etc/hostname')", `arrayMap(file, ['/etc/hostname'])[1]`])
    t.is((await store(value)).headers['x-clickhouse-exception-code'], '497', value);
  t.deepEqual(await textsIn(table), ['a;']);
});

test('settings in the text of an INSERT hold for it', async (t) => {
  const table = await textTable('settings');
  const answer = await insert(
    `INSERT INTO ${table} (s) SETTINGS format_csv_delimiter = ';', input_format_skip_unknown_fields = 1 FORMAT CSV`,
    'a\n',
  );
  t.is(answer.status, 200, answer.body.toString());
  const refused = await insert(`INSERT INTO ${table} (n, s) SETTINGS format_csv_delimiter = ';' FORMAT CSV`, '1,b\n');
  t.is(refused.status, 400);
  t.deepEqual(await textsIn(table), ['a']);
});

local('an error of the data names the body, and no path of this machine', async (t) => {
  const table = await textTable('wrong');
  const answer = await insert(`INSERT INTO ${table} (n) FORMAT JSONEachRow`, '{"n":"oops"}\n');
  t.is(answer.headers['x-clickhouse-exception-code'], '27');
  t.regex(answer.body.toString(), /oops/);
  t.notRegex(answer.body.toString(), /\/inserts\//);
});
