import test from 'ava';
import { insertFromFile, quoteName, quoteText, readStatement, skeleton } from '../src/clickhouse-front/sql-text.ts';

for (const [sql, kind] of [
  ['SELECT 1', 'read'],
  ['  (select 1) union all (select 2)', 'read'],
  ['/* INSERT */ SELECT 1', 'read'],
  ['-- INSERT\nWITH 1 AS x SELECT x', 'read'],
  ['SHOW TABLES', 'read'],
  ['EXPLAIN SELECT 1', 'read'],
  ['EXPLAIN INSERT INTO t SELECT 1', 'read'],
  ['WITH 1 AS x INSERT INTO t SELECT x', 'write'],
  ["SELECT 'INSERT INTO t'", 'read'],
  ['insert into t values (1)', 'insert'],
  ['CREATE TABLE t (a Int8) ENGINE = Memory', 'write'],
  ['SET max_threads = 1', 'write'],
  ["KILL QUERY WHERE query_id = 'x'", 'kill'],
] as const) {
  test(`kind of: ${sql}`, (t) => {
    t.is(readStatement(sql).kind, kind);
  });
}

for (const [sql, carriesRows] of [
  ['INSERT INTO t FORMAT JSONCompactEachRow', true],
  ['INSERT INTO t (a) FORMAT CSV 1', true],
  ['INSERT INTO t VALUES (1)', true],
  ['INSERT INTO t SELECT 1', false],
  ['INSERT INTO t WITH 1 AS x SELECT x', false],
  ['OPTIMIZE TABLE t FINAL', false],
] as const) {
  test(`rows come with: ${sql}`, (t) => {
    t.is(readStatement(sql).carriesRows, carriesRows);
  });
}

for (const [sql, asksProcesses] of [
  ['SELECT query FROM system . processes WHERE 1', true],
  ['SELECT count() FROM system.processes', true],
  ["SELECT elapsed, query FROM system.processes AS p WHERE query LIKE '%a, b%' ORDER BY elapsed LIMIT 5;", true],
  ['SELECT query FROM system.processes p FORMAT JSON', true],
  ["SELECT 'FROM system.processes'", false],
  ['INSERT INTO t SELECT query FROM system.processes', false],
  ['SELECT 1 FROM system.processes, numbers(1000000000000)', false],
  ['SELECT 1 FROM system.processes AS p, numbers(1000000000000)', false],
  ['SELECT 1 FROM system.processes CROSS JOIN numbers(1000000000000)', false],
  ['SELECT arrayJoin(range(1000000000)) FROM system.processes', false],
  ['SELECT 1 FROM system.processes ARRAY JOIN range(1000000000) AS x', false],
  ['SELECT count() FROM numbers(1000000000000) WHERE (SELECT count() FROM system.processes) > 0', false],
  ['SELECT 1 FROM system.processes UNION ALL SELECT count() FROM numbers(1000000000000)', false],
] as const) {
  test(`goes before all questions: ${sql}`, (t) => {
    t.is(readStatement(sql).asksProcesses, asksProcesses);
  });
}

for (const sql of [
  String.raw`\i /etc/hostname`,
  String.raw`  ;\i /etc/hostname`,
  String.raw`-- a note${'\n'}\i /etc/hostname`,
  String.raw`/* a note */ \i /etc/hostname`,
  String.raw`\q`,
  '?? how many messages failed',
  '!ls',
  ...['exit', 'quit;', 'logout', 'q', ':q', 'help', 'man select', 'clear', 'ls', 'й', '', ';', "'SELECT' 1", '1 + 1'],
]) {
  test(`no SQL, but perhaps a command of a client: ${JSON.stringify(sql)}`, (t) => {
    t.false(readStatement(sql).isSql);
  });
}

for (const sql of [
  'SELECT 1',
  '((select 1))',
  '-- a note\nSHOW TABLES',
  'WITH 1 AS x SELECT x',
  'SELECT‘x’',
  'FROM t SELECT a',
]) {
  test(`SQL: ${JSON.stringify(sql)}`, (t) => {
    t.true(readStatement(sql).isSql);
  });
}

for (const [sql, changesTables] of [
  ['EXCHANGE TABLES a AND b', true],
  ['TRUNCATE TABLE t', true],
  ['ALTER TABLE t DELETE WHERE 1', true],
  ['DELETE FROM t WHERE 1', true],
  ['CREATE TABLE t (a Int8) ENGINE = Memory', true],
  ['OPTIMIZE TABLE t FINAL', false],
  ['SYSTEM STOP MERGES t', false],
  ['INSERT INTO t SELECT 1', false],
  ['SELECT 1', false],
] as const) {
  test(`may leave other tables behind: ${sql}`, (t) => {
    t.is(readStatement(sql).changesTables, changesTables);
  });
}

for (const [sql, format] of [
  ['SELECT 1', undefined],
  ['SELECT 1 FORMAT JSON', 'JSON'],
  ['SELECT 1\nformat CSV ;\n', 'CSV'],
  ['SELECT 1 FORMAT TSV -- FORMAT XML', 'TSV'],
  ["SELECT 'FORMAT JSON'", undefined],
  ['SELECT 1 FORMAT JSONEachRow SETTINGS max_threads = 1', 'JSONEachRow'],
  ['SELECT `FORMAT` FROM t', undefined],
] as const) {
  test(`format of: ${sql}`, (t) => {
    t.is(readStatement(sql).format, format);
  });
}

for (const [sql, head] of [
  ['INSERT INTO t FORMAT JSONEachRow {"a":1}', 'INSERT INTO t FORMAT JSONEachRow '],
  ['INSERT INTO t FORMAT CSV\n1,2\n', 'INSERT INTO t FORMAT CSV\n'],
  ['INSERT INTO t FORMAT CSV\r\n1,2\n', 'INSERT INTO t FORMAT CSV\r\n'],
  ['INSERT INTO t (a, b) VALUES (1, 2)', 'INSERT INTO t (a, b) VALUES '],
  ['INSERT INTO t VALUES(1)', 'INSERT INTO t VALUES'],
  [
    "INSERT INTO t SETTINGS insert_deduplication_token = 'FORMAT CSV' FORMAT TSV\n1",
    "INSERT INTO t SETTINGS insert_deduplication_token = 'FORMAT CSV' FORMAT TSV\n",
  ],
  ['INSERT INTO t FORMAT CSV "a",1', 'INSERT INTO t FORMAT CSV '],
  ['INSERT INTO `t`(a)FORMAT CSV;1', 'INSERT INTO `t`(a)FORMAT CSV;'],
  ['INSERT INTO values (values , format ) VALUES (1)', 'INSERT INTO values (values , format ) VALUES '],
  ['INSERT INTO t SELECT * FROM u FORMAT JSON', undefined],
  ['INSERT INTO format SELECT 1', undefined],
  ['INSERT INTO d.format SELECT 1', undefined],
  ['INSERT INTO TABLE values SELECT 1', undefined],
  ['INSERT INTO t (values , a) SELECT 1, 2', undefined],
] as const) {
  test(`data of: ${JSON.stringify(sql)}`, (t) => {
    const { dataStart } = readStatement(sql);
    t.is(dataStart === undefined ? undefined : sql.slice(0, dataStart), head);
  });
}

for (const [sql, fromFile] of [
  ['INSERT INTO t FORMAT CSV', "INSERT INTO t  FROM INFILE '/f'  FORMAT CSV"],
  ['INSERT INTO t (a) VALUES ', "INSERT INTO t (a)  FROM INFILE '/f'  FORMAT Values"],
  ['INSERT INTO t FORMAT Values', "INSERT INTO t  FROM INFILE '/f'  FORMAT Values"],
  [
    'INSERT INTO settings SETTINGS a = 1 FORMAT RowBinary',
    "INSERT INTO settings  FROM INFILE '/f' SETTINGS a = 1  FORMAT RowBinary",
  ],
] as const) {
  test(`the same with its data in a file: ${sql}`, (t) => {
    t.is(insertFromFile(sql, '/f'), fromFile);
  });
}

for (const sql of [
  'WITH 1 AS x INSERT INTO t FORMAT CSV 1\n\nSELECT 2',
  'WITH 1 AS x INSERT INTO t VALUES (1)',
  'EXPLAIN AST INSERT INTO t FORMAT CSV 1\n\nSELECT 2',
  "INSERT INTO t SELECT a FROM input('a String') FORMAT CSV",
]) {
  test(`not supported: ${JSON.stringify(sql)}`, (t) => {
    t.truthy(readStatement(sql).unsupported);
  });
}

test('supported: rows out of a SELECT, also behind a WITH', (t) => {
  for (const sql of ['WITH 1 AS x INSERT INTO t SELECT x FORMAT JSON', 'EXPLAIN INSERT INTO t SELECT 1', 'SELECT 1'])
    t.is(readStatement(sql).unsupported, undefined);
});

for (const [sql, forbidden] of [
  ["SELECT 1 INTO OUTFILE '/x'", 'INTO OUTFILE'],
  ["SELECT 1 into\n outfile '/x'", 'INTO OUTFILE'],
  ["SELECT 1 INTO /* x */ OUTFILE '/x'", 'INTO OUTFILE'],
  ["INSERT INTO t FROM INFILE '/x' FORMAT CSV", 'FROM INFILE'],
  ["SELECT file('/x')", 'FILE'],
  ["CREATE DICTIONARY d (a UInt64) PRIMARY KEY a SOURCE(HTTP(URL 'x'))", 'HTTP'],
  ["CREATE DICTIONARY d (a UInt64) PRIMARY KEY a SOURCE(CLICKHOUSE(HOST 'x' TABLE 't'))", 'HOST'],
  ["CREATE DICTIONARY d (a UInt64) PRIMARY KEY a SOURCE(CLICKHOUSE(TABLE 't'))", undefined],
  ["CREATE DATABASE d ENGINE = Filesystem('/')", 'FILESYSTEM'],
  ['CREATE DATABASE d ENGINE = Atomic', undefined],
  ['CREATE DATABASE d', undefined],
  ["CREATE DATABASE d ENGINE LIKE('/')", 'LIKE'],
  ["SELECT database, engine FROM system.tables WHERE engine LIKE 'Merge%'", undefined],
  ["WITH 1 AS x SELECT database FROM system.tables WHERE engine IN ('Memory')", undefined],
  ["SELECT database, engine LIKE 'M%', file('/x') FROM system.tables", 'FILE'],
  ["SELECT 'INTO OUTFILE', profile(1) -- file(", undefined],
  ["INSERT INTO t VALUES ('INTO OUTFILE')", undefined],
  ["INSERT INTO format SELECT file('/x')", 'FILE'],
  ["SELECT `file`('/x')", 'FILE'],
  [`SELECT "file"('/x')`, 'FILE'],
  ["SELECT “file”('/x')", 'FILE'],
  ["SELECT `fi\\x6ce`('/x')", 'FILE'],
  ["SELECT ‘'’, file('/x'), ‘'’", 'FILE'],
  ["SELECT * APPLY file FROM (SELECT '/x')", 'FILE'],
  ["SELECT arrayMap(file, ['/x'])", 'FILE'],
  ["SELECT 1 FORMAT Template SETTINGS format_template_row = '/x'", 'FORMAT_TEMPLATE_ROW'],
  ["SELECT 'file', `a ``file`` of` FROM t -- file", 'FILE'],
  ["SELECT 'file', profile, file_name FROM t -- file", undefined],
] as const) {
  test(`reaching outside: ${JSON.stringify(sql)}`, (t) => {
    t.is(readStatement(sql).forbidden, forbidden);
  });
}

for (const [sql, several] of [
  ['SELECT 1', false],
  ['SELECT 1;', false],
  ['SELECT 1; -- end', false],
  ["SELECT ';', 1", false],
  ['SELECT 1; SELECT 2', true],
  ["INSERT INTO t VALUES ('a;b')", false],
] as const) {
  test(`several statements: ${sql}`, (t) => {
    t.is(readStatement(sql).several, several);
  });
}

test('only a single SELECT counts as plain', (t) => {
  t.true(readStatement('SELECT a FROM t WHERE b = 1').plainSelect);
  t.false(readStatement('SELECT (SELECT count() FROM t)').plainSelect);
  t.true(readStatement("SELECT 'select'").plainSelect);
  t.false(readStatement('EXPLAIN SELECT a FROM t').plainSelect);
});

test('the skeleton has the same length and none of what was quoted', (t) => {
  const sql = `SELECT 'it\\'s', "a""b", \`c\`, $x$ d $x$ /* e */ -- f\nFROM t`;
  t.is(skeleton(sql).length, sql.length);
  t.is(skeleton(sql).replaceAll(/\s+/g, ' ').trim(), 'SELECT , , , FROM t');
});

test('quotes keep what they quote', (t) => {
  t.is(quoteText(`a'b\\c`), `'a\\'b\\\\c'`);
  t.is(quoteName('a`b'), '`a\\`b`');
});
