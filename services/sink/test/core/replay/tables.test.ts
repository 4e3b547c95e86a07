import test from 'ava';
import {
  besideIn,
  type FoundTable,
  generationOf,
  shortIdOf,
  suffixOf,
  tableSetOf,
  ticketTable,
} from '../../../src/core/replay/tables.ts';

const id = shortIdOf('01932f00-0000-7000-8000-7f3a90c1d2e4');
const S = suffixOf(id);
const table = (name: string, comment = ''): FoundTable => ({ name, engine: 'MergeTree', comment });
const view = (of: string): FoundTable => ({ name: `${of}_mv`, engine: 'MaterializedView', comment: '' });
const setOf = (suffix: string, raw = '', rollup = '') => [
  table(`delivery_raw${suffix}`, raw),
  table(`rollup${suffix}`, rollup),
  view(`rollup${suffix}`),
];

test('a set of tables is the raw one and those that views keep, live or beside', (t) => {
  const found = [...setOf(''), ...setOf(S), table('schema_migrations'), { ...view('delivery_events'), engine: 'View' }];
  t.deepEqual(tableSetOf(found, '')?.derived, ['rollup']);
  t.deepEqual(tableSetOf(found, S), {
    suffix: S,
    raw: `delivery_raw${S}`,
    derived: [`rollup${S}`],
    stamps: new Map([
      [`delivery_raw${S}`, undefined],
      [`rollup${S}`, undefined],
    ]),
  });
  t.deepEqual(besideIn([...found, table(ticketTable('ff00_1_2'))]), [id, 'ff00']);
  t.is(tableSetOf(setOf(S), ''), undefined);
});

const cases: [string, string, string, string | RegExp][] = [
  ['nothing was ever stamped', '', '', '0'],
  ['stamped, none of another generation', 'generation 0; open n', 'generation 0', '0'],
  ['of a replay', 'generation ab; open n', 'generation ab', 'ab'],
  ['a table was made since', 'generation ab; open n', '', 'ab'],
  ['closed', 'generation ab; closed n', 'generation ab', /delivery_raw is closed/],
  ['about to be dropped', 'generation ab; leaving n', 'generation ab', /delivery_raw is leaving/],
  ['the raw table is another already', 'generation ab; open n', 'generation 0', /rollup is not of the generation/],
  ['the raw table is not yet another', 'generation 0; open n', 'generation ab', /rollup is not of the generation/],
];
for (const [what, raw, rollup, expected] of cases)
  test(`whether an insert may be planned, and for which tables: ${what}`, (t) => {
    const known = generationOf(tableSetOf(setOf('', raw, rollup), ''));
    if (typeof expected === 'string') t.deepEqual(known, { ok: true, generation: expected });
    else t.regex(known.ok ? '' : known.error, expected);
  });

test('without a raw table an insert says so by itself', (t) =>
  t.deepEqual(generationOf(undefined), { ok: true, generation: '0' }));
