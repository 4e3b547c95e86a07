import test from 'ava';
import { type MigrationTarget, migrate, planMigrations, statementsOf } from '../../src/core/migrations.ts';

const splits: [string, string, string[]][] = [
  ['one without an end', 'SELECT 1', ['SELECT 1']],
  ['two', 'SELECT 1;\nSELECT 2;\n', ['SELECT 1', 'SELECT 2']],
  [
    'a semicolon in a string',
    "SELECT ';', 'it''s;', 'a\\';b'; SELECT 2",
    ["SELECT ';', 'it''s;', 'a\\';b'", 'SELECT 2'],
  ],
  [
    'a semicolon in a comment',
    '-- first; not yet\nSELECT 1; /* a; b */ SELECT 2',
    ['-- first; not yet\nSELECT 1', '/* a; b */ SELECT 2'],
  ],
  ['a quote in a comment', "-- it's\nSELECT 1; SELECT 2", ["-- it's\nSELECT 1", 'SELECT 2']],
  ['a semicolon in a quoted name', 'SELECT `a;b`, "c;d"; SELECT 2', ['SELECT `a;b`, "c;d"', 'SELECT 2']],
  ['nothing but comments', '-- a\n;\n/* b */\n;', []],
];
for (const [what, sql, expected] of splits) {
  test(`statements of a file: ${what}`, (t) => t.deepEqual(statementsOf(sql), expected));
}

const file = (name: string, checksum = name) => ({ name, sql: '', checksum });
const files = [file('0002_b.sql'), file('0001_a.sql')];

test('what is not applied is pending, in the order of its numbers', (t) => {
  t.deepEqual(planMigrations(files, []), { ok: true, pending: [file('0001_a.sql'), file('0002_b.sql')] });
  t.deepEqual(planMigrations(files, [file('0001_a.sql')]), { ok: true, pending: [file('0002_b.sql')] });
  t.deepEqual(planMigrations(files, files), { ok: true, pending: [] });
});

const refusals: [string, Parameters<typeof planMigrations>, RegExp][] = [
  ['an applied file was edited', [files, [file('0001_a.sql', 'other')]], /another text/],
  ['an applied file is unknown here', [files, [file('0003_c.sql')]], /older/],
  ['a number is missing', [[file('0001_a.sql'), file('0003_c.sql')], []], /number 2/],
  ['a number is there twice', [[file('0001_a.sql'), file('0001_b.sql')], []], /number 2/],
  ['a file has no number', [[file('first.sql')], []], /number 1/],
];
for (const [what, args, sentence] of refusals) {
  test(`nothing is applied when ${what}`, (t) => {
    const plan = planMigrations(...args);
    t.false(plan.ok);
    if (!plan.ok) t.regex(plan.errors.join('\n'), sentence);
  });
}

/** What is applied to, and what was run on it. */
function fakeTarget(applied: readonly { name: string; checksum: string }[], more: Partial<MigrationTarget> = {}) {
  const recorded = [...applied];
  const ran: string[] = [];
  return {
    ran,
    recorded,
    version: async () => '26.7.2.1',
    applied: async () => recorded,
    run: async (statement: string) => void ran.push(statement),
    record: async (done: { name: string; checksum: string }) => void recorded.push(done),
    rawDays: async () => [{ day: '20261121', rows: 10 }],
    ...more,
  };
}
const twoTables = [
  { ...file('0001_a.sql'), sql: 'CREATE TABLE a' },
  { ...file('0002_b.sql'), sql: 'CREATE TABLE b' },
];

test('nothing is changed while there is a reason not to, which is told', async (t) => {
  for (const applied of [[], [file('0001_a.sql')]]) {
    const target = fakeTarget(applied);
    const whyNot = async (isUpdate: boolean) => (isUpdate ? 'a sink runs' : 'an insert runs');
    const why = applied.length > 0 ? 'a sink runs' : 'an insert runs';
    t.deepEqual(await migrate(target, twoTables, whyNot), { ok: false, errors: [why] });
    t.deepEqual(target.ran, []);
  }
  const target = fakeTarget([file('0001_a.sql')]);
  t.deepEqual(await migrate(target, twoTables, async () => undefined), { ok: true, applied: ['0002_b.sql'] });
  t.deepEqual(target.ran, ['CREATE TABLE b']);
});

test('nobody is asked where nothing is pending', async (t) => {
  const asked = async () => t.fail('it was asked') as never;
  t.true((await migrate(fakeTarget(twoTables), twoTables, asked)).ok);
});

test('a file does not count as applied when raw rows came while it was, nor does any after it', async (t) => {
  const three = [...twoTables, { ...file('0003_c.sql'), sql: 'CREATE TABLE c' }];
  for (const [applied, sentence] of [
    [[], /while 0002_b\.sql was applied: stop every sink, run it again, and src\/rebuild\.ts/],
    [[file('0001_a.sql')], /while 0003_c\.sql was applied: stop every sink, and run it again/],
  ] as const) {
    let counted = 0;
    const target = fakeTarget(applied, {
      // Also what comes between two files is seen.
      rawDays: async () => [{ day: '20261121', rows: counted++ < 2 ? 10 : 11 }],
    });
    const result = await migrate(target, three);
    t.false(result.ok);
    if (!result.ok) t.regex(result.errors.join(), sentence);
    t.is(target.ran.length, 2);
    t.is(target.recorded.length, applied.length + 1);
  }
});

const versions: [string, boolean][] = [
  ['26.3.1.20', true],
  ['26.10.1.1', true],
  ['27.1.1.1', true],
  ['26.2.9.9', false],
  ['25.12.1.1', false],
  ['', false],
];
for (const [version, isTaken] of versions) {
  test(`ClickHouse ${version || 'without a version'} is ${isTaken ? 'taken' : 'refused'}`, async (t) => {
    const target = fakeTarget([], { version: async () => version });
    const result = await migrate(target, twoTables);
    t.is(result.ok, isTaken);
    if (!result.ok) t.regex(result.errors.join(), /is too old: 26\.3 is the first/);
    t.is(target.ran.length, isTaken ? 2 : 0);
  });
}
