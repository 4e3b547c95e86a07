import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { isClusterName, onEveryMember, statementsOn } from '../../src/core/cluster.ts';
import { statementsOf } from '../../src/core/migrations.ts';
import { rebuild } from '../../src/core/rebuild.ts';
import { INSERTS } from '../../src/core/standstill.ts';

const FOLDER = new URL('../../sql/', import.meta.url);
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.sql'));
const statements = files.flatMap((name) => statementsOf(readFileSync(new URL(name, FOLDER), 'utf8')));

test('without a cluster every statement of every file is as it stands in the file', (t) => {
  t.true(statements.length > 60);
  for (const statement of statements) t.deepEqual(statementsOn('', statement), [statement]);
});

const isFilling = (statement: string) => /^\s*INSERT INTO/m.test(statement.replace(/--[^\n]*\n/g, ''));

for (const name of files) {
  test(`on a cluster nothing of ${name} stays behind on one member, and nothing else is changed`, (t) => {
    for (const statement of statementsOf(readFileSync(new URL(name, FOLDER), 'utf8'))) {
      const made = statementsOn('volley', statement);
      const last = made.at(-1) as string;
      if (isFilling(statement)) {
        t.deepEqual(made, [statement]);
        continue;
      }
      t.is(last.split(' ON CLUSTER volley').length, 2, last);
      t.notRegex(last, /^ENGINE = (?!Replicated)/m);
      t.notRegex(last, /non_replicated/);
      const back = last
        .replace(' ON CLUSTER volley', '')
        .replace(/^ENGINE = Replicated/m, 'ENGINE = ')
        .replace(', replicated_deduplication_window_seconds = 604800', '')
        .replace(/\breplicated_deduplication_window =/, 'non_replicated_deduplication_window =');
      t.is(back, statement);
    }
  });
}

const forms: [string, string, readonly string[]][] = [
  [
    'a table',
    `-- why\nCREATE TABLE IF NOT EXISTS a\n(\n    b Int8\n)\nENGINE = ReplacingMergeTree(rank)\nORDER BY b\nSETTINGS non_replicated_deduplication_window = 5, index_granularity = 256`,
    [
      `-- why\nCREATE TABLE IF NOT EXISTS a ON CLUSTER c\n(\n    b Int8\n)\nENGINE = ReplicatedReplacingMergeTree(rank)\nORDER BY b\nSETTINGS replicated_deduplication_window = 5, replicated_deduplication_window_seconds = 604800, index_granularity = 256`,
    ],
  ],
  ['one like another', 'CREATE TABLE a AS b', ['CREATE TABLE a ON CLUSTER c AS b']],
  ['a database', 'CREATE DATABASE IF NOT EXISTS a', ['CREATE DATABASE IF NOT EXISTS a ON CLUSTER c']],
  [
    'a view that keeps a table',
    'CREATE MATERIALIZED VIEW IF NOT EXISTS a_mv TO a AS SELECT 1',
    ['CREATE MATERIALIZED VIEW IF NOT EXISTS a_mv ON CLUSTER c TO a AS SELECT 1'],
  ],
  ['a view', 'CREATE OR REPLACE VIEW a AS SELECT 1', ['CREATE OR REPLACE VIEW a ON CLUSTER c AS SELECT 1']],
  ['a change', 'ALTER TABLE a ADD INDEX b c TYPE minmax', ['ALTER TABLE a ON CLUSTER c ADD INDEX b c TYPE minmax']],
  ['an emptying', 'TRUNCATE TABLE a', ['TRUNCATE TABLE a ON CLUSTER c']],
  ['an end', 'DROP TABLE IF EXISTS a SYNC', ['DROP TABLE IF EXISTS a ON CLUSTER c SYNC']],
  [
    'an exchange, of tables that every member has whole',
    'EXCHANGE TABLES a AND b',
    [
      'SYSTEM SYNC REPLICA ON CLUSTER c a',
      'SYSTEM SYNC REPLICA ON CLUSTER c b',
      'EXCHANGE TABLES a AND b ON CLUSTER c',
    ],
  ],
  ['a filling', 'INSERT INTO a SELECT * FROM b', ['INSERT INTO a SELECT * FROM b']],
];
for (const [what, statement, expected] of forms)
  test(`on a cluster: ${what}`, (t) => t.deepEqual(statementsOn('c', statement), expected));

const refused: [string, string][] = [
  ['nobody has thought of', 'OPTIMIZE TABLE a FINAL'],
  ['more than the known forms name', 'DROP TABLE a, b'],
  ['has no replicas', 'CREATE TABLE a (b Int8)\nENGINE = Memory'],
];
for (const [what, statement] of refused)
  test(`a statement that ${what} is refused on a cluster`, (t) => {
    t.throws(() => statementsOn('c', statement), { message: /no form on a cluster|has no replicas/ });
    t.deepEqual(statementsOn('', statement), [statement]);
  });

test('a name that would be more than a name is none', (t) => {
  t.true(isClusterName('volley_0'));
  t.false(isClusterName("c'; DROP TABLE a"));
  t.throws(() => statementsOn('c DROP', 'TRUNCATE TABLE a'), { message: /no name for a cluster/ });
});

test('every statement of a rebuild has a form on a cluster', async (t) => {
  const ran: string[] = [];
  const result = await rebuild(
    {
      derivedTables: async () => [
        { name: 'a', columns: ['minute'], select: 'SELECT minute FROM volley.delivery_raw' },
        { name: 'b', columns: ['id'], select: 'SELECT id FROM volley.delivery_raw' },
      ],
      rawDays: async () => [{ day: '20261121', rows: 10 }],
      lostHours: async () => ({ hours: 0, first: '', last: '' }),
      run: async (statement) => void ran.push(...statementsOn('c', statement)),
    },
    { discardOlder: false },
  );
  t.true(result.ok);
  t.is(ran.filter((s) => !/^INSERT INTO /.test(s) && !s.includes(' ON CLUSTER c')).length, 0);
  t.true(ran.includes('EXCHANGE TABLES a AND a_rebuilt ON CLUSTER c'));
});

test('whether somebody inserts is asked of every member, about this database', (t) => {
  t.is(onEveryMember('', 'volley', INSERTS), INSERTS);
  const asked = onEveryMember('c', 'volley', INSERTS);
  t.regex(asked, /FROM clusterAllReplicas\('c', system\.processes\)/);
  t.regex(asked, /current_database = 'volley'/);
});
