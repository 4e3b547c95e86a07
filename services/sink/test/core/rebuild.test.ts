import test from 'ava';
import {
  type DerivedTable,
  fillStatement,
  plannedPartitions,
  type RawDay,
  type RebuildTarget,
  rebuild,
} from '../../src/core/rebuild.ts';

const table = (
  name: string,
  select = 'SELECT a, b FROM volley.delivery_raw WHERE NOT is_repeat',
  columns = ['a', 'b'],
): DerivedTable => ({ name, columns, select });

const fills: [string, string, RegExp | undefined][] = [
  [
    'the table of a view is narrowed to the day',
    'SELECT a, b FROM volley.delivery_raw WHERE NOT is_repeat GROUP BY a',
    /^INSERT INTO t \(a, b\) SELECT a, b FROM \(SELECT a, b FROM \(SELECT \* FROM volley\.delivery_raw WHERE _partition_id = '20261121'\) WHERE NOT is_repeat GROUP BY a\) SETTINGS /,
  ],
  [
    'so is one with another name',
    'SELECT a FROM `my-db`.delivery_raw AS r',
    /FROM \(SELECT \* FROM `my-db`\.delivery_raw WHERE [^)]+\) AS r\)/,
  ],
  ['another table is none', 'SELECT a FROM volley.delivery_raw_old', undefined],
  [
    'a view that reads it twice cannot be narrowed',
    'SELECT a FROM x.delivery_raw WHERE b IN (SELECT b FROM x.delivery_raw)',
    undefined,
  ],
];
for (const [what, select, expected] of fills) {
  test(`filling a day: ${what}`, (t) => {
    const statement = fillStatement(table('t', select), 't', '20261121');
    if (expected === undefined) t.is(statement, undefined);
    else t.regex(statement ?? '', expected);
  });
}
test('a partition that is no day is not pasted into SQL', (t) => {
  t.is(fillStatement(table('t'), 't', "1' OR '1"), undefined);
});

const days = (...names: string[]): RawDay[] => names.map((day) => ({ day, rows: 10 }));
test('a partition is planned when something stands beside its offset', (t) => {
  const planned = '{"pending":12,"layout":2,"count":3}';
  const committed = [
    { offset: 5, metadata: '' },
    { offset: 5, metadata: planned },
    { offset: -1, metadata: '' },
    { offset: 5, metadata: 'of somebody else' },
  ];
  t.deepEqual(plannedPartitions(committed), [1, 3]);
});

function fake(more: Partial<RebuildTarget> = {}) {
  const ran: string[] = [];
  const target: RebuildTarget = {
    derivedTables: async () => [table('one'), table('two', undefined, ['hour', 'b'])],
    rawDays: async () => days('20261120', '20261121'),
    lostHours: async () => ({ hours: 0, first: '', last: '' }),
    run: async (statement) => void ran.push(statement.replace(/ \(\w+, b\).*_partition_id = '(\d+)'.*/, ' $1')),
    ...more,
  };
  return { target, ran };
}
const FILLED = ['one', 'two'].flatMap((name) => [
  `DROP TABLE IF EXISTS ${name}_rebuilt SYNC`,
  `CREATE TABLE ${name}_rebuilt AS ${name}`,
  `INSERT INTO ${name}_rebuilt 20261120`,
  `INSERT INTO ${name}_rebuilt 20261121`,
]);
const DROPPED = ['DROP TABLE one_rebuilt SYNC', 'DROP TABLE two_rebuilt SYNC'];

test('all tables are filled beside the live ones, day by day, before they take their places', async (t) => {
  const { target, ran } = fake();
  t.deepEqual(await rebuild(target, { discardOlder: false }), { ok: true, tables: ['one', 'two'], days: 2, rows: 20 });
  const exchanged = ['EXCHANGE TABLES one AND one_rebuilt', 'EXCHANGE TABLES two AND two_rebuilt'];
  t.deepEqual(ran, [...FILLED, ...exchanged, ...DROPPED]);
});

test('a table that would lose hours keeps its place, and so do all others, unless that is wanted', async (t) => {
  const asked: string[] = [];
  const { target, ran } = fake({
    async lostHours(...of) {
      asked.push(of.join(' '));
      return { hours: 7, first: '2026-11-12 03:00:00', last: '2026-11-12 09:00:00' };
    },
  });
  const result = await rebuild(target, { discardOlder: false });
  t.false(result.ok);
  if (!result.ok) t.regex(result.error, /two has 7 hours from 2026-11-12 03:00:00 to .*--discard-older/);
  t.deepEqual(asked, ['two two_rebuilt hour']);
  t.deepEqual(ran, [...FILLED, ...DROPPED]);
  t.true((await rebuild(target, { discardOlder: true })).ok);
});

for (const [when, countings] of [
  ['while tables are filled', [1, 2]],
  ['while they take their places', [1, 1, 2]],
] as const) {
  test(`raw rows that come in ${when} are told`, async (t) => {
    let asked = 0;
    const { target, ran } = fake({
      rawDays: async () => [{ day: '20261121', rows: countings[asked++] as number }],
    });
    const result = await rebuild(target, { discardOlder: false });
    t.false(result.ok);
    if (!result.ok) t.regex(result.error, /stop every sink/);
    t.is(
      ran.some((statement) => statement.startsWith('EXCHANGE')),
      countings.length === 3,
    );
  });
}

const refusals: [string, Partial<RebuildTarget>, RegExp][] = [
  ['there are no tables', { derivedTables: async () => [] }, /migrated first/],
  ['a view is of another kind', { derivedTables: async () => [table('one'), table('two', 'SELECT 1')] }, /view of two/],
];
for (const [what, more, sentence] of refusals) {
  test(`nothing is touched when ${what}`, async (t) => {
    const { target, ran } = fake(more);
    const result = await rebuild(target, { discardOlder: false });
    t.false(result.ok);
    if (!result.ok) t.regex(result.error, sentence);
    t.deepEqual(ran, []);
  });
}
