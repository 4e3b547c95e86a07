import test from 'ava';
import fc from 'fast-check';
import {
  comparePartition,
  expectedRange,
  headToDate,
  letterOffset,
  type PartitionFacts,
  rangesOf,
} from '../../src/core/audit-partitions.ts';

const rows = (firstOffset: number, lastOffset: number, logRecords: number, rawRows = logRecords) => ({
  partition: 0,
  firstOffset,
  lastOffset,
  rawRows,
  logRecords,
});
const facts: PartitionFacts = {
  partition: 0,
  committed: 100,
  logStart: 0,
  logEnd: 100,
  stored: rows(0, 99, 100),
  letters: new Set(),
  headIsOld: false,
};

const CASES: [what: string, change: Partial<PartitionFacts>, told: Record<string, number | null>][] = [
  ['everything is stored', {}, {}],
  ['nothing was ever written', { committed: -1, logEnd: 0, stored: undefined }, {}],
  ['nothing is stored yet', { committed: -1, stored: undefined }, {}],
  ['the rest is on its way', { committed: 60, stored: rows(0, 59, 60) }, {}],
  ['a range is stored and not committed yet', { committed: 60, stored: rows(0, 99, 100) }, {}],
  ['rows of what the log no longer has', { logStart: 50 }, {}],
  ['rows in the middle are gone', { stored: rows(0, 99, 97) }, { gaps: 3 }],
  ['rows at the end are gone', { stored: rows(0, 98, 99) }, { gaps: 1 }],
  ['rows at the beginning are gone', { stored: rows(10, 99, 90) }, { gaps: 10 }],
  ['rows at the beginning are too old to be kept', { stored: rows(10, 99, 90), headIsOld: true }, {}],
  ['all rows are gone', { stored: undefined }, { gaps: 100 }],
  ['all rows are too old to be kept', { stored: undefined, headIsOld: true }, {}],
  ['dead letters explain what is missing', { stored: rows(1, 98, 96), letters: new Set([0, 50, 51, 99]) }, {}],
  [
    'dead letters of other offsets explain nothing',
    { stored: rows(0, 99, 99), letters: new Set([100, 5_000]) },
    { gaps: 1 },
  ],
  [
    'dead letters that could not be read may explain it',
    { stored: rows(0, 99, 99), letters: undefined },
    { gaps: null },
  ],
  ['dead letters are not asked where nothing is missing', { letters: undefined }, {}],
  ['a row is there twice', { stored: rows(0, 99, 100, 101) }, { doubled_offsets: 1 }],
  ['rows of offsets that the log never had', { stored: rows(0, 104, 105) }, { beyond_log: 5 }],
];
for (const [what, change, told] of CASES) {
  test(`partition: ${what}`, (t) => {
    const compared = comparePartition({ ...facts, ...change });
    t.deepEqual(
      Object.fromEntries(compared.filter((c) => c.difference !== 0).map((c) => [c.figure, c.difference])),
      told,
    );
    for (const c of compared) t.true(c.expected >= 0 && c.found >= 0);
  });
}

test('of the log before the first row the newest record is dated, if there is one', (t) => {
  t.is(headToDate(facts), undefined);
  t.is(headToDate({ ...facts, stored: rows(10, 99, 90) }), 9);
  t.is(headToDate({ ...facts, stored: undefined }), 99);
  t.is(headToDate({ ...facts, stored: undefined, committed: -1 }), undefined);
  t.is(headToDate({ ...facts, logStart: 10, stored: rows(5, 99, 95) }), undefined);
});

test('whatever was stored in whole ranges, less dead letters, has no gap; one row less has one', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 60 }),
      fc.uniqueArray(fc.integer({ min: 0, max: 59 }), { maxLength: 20 }),
      fc.integer({ min: 0, max: 60 }),
      (end, letterList, behind) => {
        const letters = new Set(letterList);
        const offsets = Array.from({ length: end }, (_, i) => i).filter((o) => !letters.has(o));
        fc.pre(offsets.length > 1);
        const committed = Math.max(0, end - behind);
        const of = (have: readonly number[]) => ({
          ...{ partition: 0, committed, logStart: 0, logEnd: end, letters, headIsOld: false },
          stored: rows(have[0] as number, have.at(-1) as number, have.length),
        });
        const gaps = (have: readonly number[]) => comparePartition(of(have))[0]?.difference;
        t.is(gaps(offsets), 0);
        const { to } = expectedRange(of(offsets));
        const lost = offsets.filter((_, i) => i !== 0);
        t.is(gaps(lost), to > 0 ? 1 : 0);
      },
    ),
  );
});

test('offsets become ranges', (t) => {
  t.deepEqual(rangesOf([]), []);
  t.deepEqual(rangesOf([1, 2, 3, 7, 9, 10]), [
    { from: 1, to: 3 },
    { from: 7, to: 7 },
    { from: 9, to: 10 },
  ]);
});

test('a dead letter counts for the offset that it names, of its own partition and topic only', (t) => {
  t.is(letterOffset('t.deliveries/3/17/1795000000000', 't.deliveries', 3), 17);
  for (const other of ['t.deliveries/4/17/1', 'x.deliveries/3/17/1', 't.deliveries/3/x/1', 't.deliveries/3', ''])
    t.is(letterOffset(other, 't.deliveries', 3), undefined, other);
});
