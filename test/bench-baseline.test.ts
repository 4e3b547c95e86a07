import test from 'ava';
import { type Baseline, compared, comparisonTable, directionOf, WORST, written } from '../scripts/bench-baseline.ts';
import type { BenchRun, Row } from '../scripts/bench-table.ts';

const FLOOR = { name: 'bare', value: 1_000, unit: 'records/s' };
const runOf = (rows: readonly Row[], bench = 'stream'): BenchRun => ({
  ...{ date: '2026-11-22T00:00:00Z', commit: 'abc', machine: '2 cores', command: 'npm run bench' },
  results: [{ bench, rows }],
});
const baselineOf = (...rows: readonly Row[]): Baseline => written({}, runOf(rows));
const verdicts = (baseline: Baseline, ...rows: readonly Row[]) =>
  Object.fromEntries(compared(baseline, runOf(rows).results).map((r) => [r.row, r.verdict]));

for (const [unit, direction] of [
  ['msg/s', 'higher'],
  ['records/s', 'higher'],
  ['s', 'lower'],
  ['ms', 'lower'],
  ['µs a message', 'lower'],
  ['MiB', 'lower'],
  ['MiB RSS', 'lower'],
  ['bytes/row', 'lower'],
  ['% of a core', 'lower'],
  ['/s', undefined],
  ['messages', undefined],
  ['slots', undefined],
] as const)
  test(`${unit}: ${direction ?? 'neither way'} is better`, (t) => t.is(directionOf(unit), direction));

const ours = (value: number, unit = 'records/s'): Row => ({ name: 'ours', value, unit, floor: 'bare' });

test('a machine that is half as fast is no regression: row and floor both are', (t) => {
  const slow = { ...FLOOR, value: 500 };
  t.deepEqual(verdicts(baselineOf(FLOOR, ours(800)), slow, ours(400)), { bare: 'no floor', ours: 'as before' });
});

test('a row that is the same beside a floor twice as fast is a regression', (t) =>
  t.is(verdicts(baselineOf(FLOOR, ours(800)), { ...FLOOR, value: 2_000 }, ours(800)).ours, 'regression'));

for (const [unit, value, verdict] of [
  ['records/s', 800 / WORST + 1, 'as before'],
  ['records/s', 800 / WORST - 1, 'regression'],
  ['records/s', 800 * WORST + 1, 'better'],
  ['ms', 800 * WORST - 1, 'as before'],
  ['ms', 800 * WORST + 1, 'regression'],
  ['ms', 800 / WORST - 1, 'better'],
] as const)
  test(`800 ${unit} before and ${value} now: ${verdict}`, (t) =>
    t.is(verdicts(baselineOf(FLOOR, ours(800, unit)), FLOOR, ours(value, unit)).ours, verdict));

test('what has no floor is never judged, however bad', (t) => {
  const row = { name: 'ours', value: 800, unit: 'ms' };
  t.deepEqual(verdicts(baselineOf(FLOOR, row), FLOOR, { ...row, value: 80_000 }), {
    bare: 'no floor',
    ours: 'no floor',
  });
});

test('a row of another floor or unit is another figure; one that is gone is told', (t) => {
  const baseline = baselineOf(FLOOR, ours(800), { name: 'old', value: 1, unit: 'ms', floor: 'bare' });
  const other = { name: 'barer', value: 1, unit: 'records/s' };
  t.deepEqual(verdicts(baseline, FLOOR, other, { ...ours(1), floor: 'barer' }), {
    ...{ bare: 'no floor', barer: 'no floor', ours: 'new', old: 'gone' },
  });
  t.is(verdicts(baseline, FLOOR, ours(1, 'ms')).ours, 'new');
  t.is(verdicts({}, FLOOR, ours(1)).ours, 'new');
});

for (const value of [0, Number.NaN, -3])
  test(`a floor of ${value} makes no ratio`, (t) => t.deepEqual(baselineOf({ ...FLOOR, value }, ours(800)), {}));

test('a figure that is none any more is gone, not without a floor', (t) =>
  t.is(verdicts(baselineOf(FLOOR, ours(800)), FLOOR, ours(Number.NaN)).ours, 'gone'));

test('writing the baseline of one bench leaves the others as they were', (t) => {
  const before = written({}, runOf([FLOOR, ours(800)], 'a'));
  const after = written(before, { ...runOf([FLOOR, ours(400)], 'b'), commit: 'def' });
  t.deepEqual(after.a, before.a);
  t.is(after.b?.commit, 'def');
  t.is(after.b?.rows.ours?.ratio, 0.4);
  t.is(written(after, runOf([FLOOR, ours(900)], 'a')).a?.rows.ours?.ratio, 0.9);
});

test('benches that did not run are left out of the comparison', (t) =>
  t.deepEqual(
    compared(baselineOf(FLOOR, ours(800)), runOf([FLOOR], 'other').results).map((r) => r.verdict),
    ['no floor'],
  ));

test('the table has the ratios, how much worse, and the verdict', (t) => {
  const rows = compared(baselineOf(FLOOR, ours(800)), runOf([FLOOR, ours(500)]).results);
  t.is(comparisonTable(rows).at(-2), '| stream | ours | 0.8 | 0.5 | 1.60 | regression |');
});
