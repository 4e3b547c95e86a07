import { type BenchResult, type BenchRun, floorOf } from './bench-table.ts';

/**
 * What a row was in the run that is compared with, as a share of its floor in that same run. A shared machine may be half as
 * fast as yesterday; then floor and row both are, and their ratio stays.
 */
export interface BaselineRow {
  readonly unit: string;
  readonly floor: string;
  readonly ratio: number;
}

/** A bench as it ran last when the baseline was written: each has its own run, because one may be measured again alone. */
export interface BaselineBench extends Pick<BenchRun, 'date' | 'commit' | 'machine' | 'command'> {
  readonly rows: Readonly<Record<string, BaselineRow>>;
}

export type Baseline = Readonly<Record<string, BaselineBench>>;

export type Verdict = 'as before' | 'better' | 'regression' | 'new' | 'gone' | 'no floor';

export interface Compared {
  readonly bench: string;
  readonly row: string;
  /** Of the floor, in the baseline and now; undefined: there was none, or is none. */
  readonly before: number | undefined;
  readonly now: number | undefined;
  /** How many times worse now; below 1: better. */
  readonly worse: number | undefined;
  readonly verdict: Verdict;
}

/** Two runs of the same commit on a machine that others use differ by up to a fifth in a ratio. */
export const WORST = 1.25;

export type Direction = 'higher' | 'lower';

/** Which way is better; undefined: the unit does not say. */
export function directionOf(unit: string): Direction | undefined {
  if (/\S\/s$/.test(unit)) return 'higher';
  if (/^(%|(ns|µs|ms|s|min|B|KiB|MiB|GiB|bytes)(?![\w]))/.test(unit)) return 'lower';
  return undefined;
}

function ratiosOf(result: BenchResult): Record<string, BaselineRow> {
  const rows: Record<string, BaselineRow> = {};
  for (const row of result.rows) {
    const floor = floorOf(row, result.rows);
    if (floor === undefined || directionOf(row.unit) === undefined) continue;
    const ratio = row.value / floor.value;
    // Nothing is twice as slow as nothing: a ratio to zero, or of it, says nothing.
    if (Number.isFinite(ratio) && ratio > 0)
      rows[row.name] = { unit: row.unit, floor: floor.name, ratio: Number(ratio.toPrecision(4)) };
  }
  return rows;
}

/** The baseline with the benches of this run in place of what it had of them. */
export function written(before: Baseline, run: BenchRun): Baseline {
  const { date, commit, machine, command } = run;
  const fresh = run.results.map((result) => {
    return [result.bench, { date, commit, machine, command, rows: ratiosOf(result) }] as const;
  });
  const all = { ...before, ...Object.fromEntries(fresh.filter(([, { rows }]) => Object.keys(rows).length > 0)) };
  return Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Each row of the benches that ran, against its own floor then and now. What has no floor is told and never judged. */
export function compared(baseline: Baseline, results: readonly BenchResult[]): Compared[] {
  return results.flatMap((result) => {
    const before: BaselineBench['rows'] = baseline[result.bench]?.rows ?? {};
    const now = ratiosOf(result);
    const there = result.rows.map(({ name }) => comparedRow(result.bench, name, before[name], now[name]));
    const gone = Object.keys(before).filter((name) => !result.rows.some((row) => row.name === name));
    return [...there, ...gone.map((name) => comparedRow(result.bench, name, before[name], undefined))];
  });
}

function comparedRow(
  bench: string,
  row: string,
  before: BaselineRow | undefined,
  after: BaselineRow | undefined,
): Compared {
  const told = { bench, row, before: before?.ratio, now: after?.ratio, worse: undefined };
  if (after === undefined) return { ...told, verdict: before === undefined ? 'no floor' : 'gone' };
  // Of another floor, or in another unit, it is another figure.
  if (before === undefined || before.floor !== after.floor || before.unit !== after.unit)
    return { ...told, verdict: 'new' };
  const worse = directionOf(after.unit) === 'higher' ? before.ratio / after.ratio : after.ratio / before.ratio;
  const verdict = worse > WORST ? 'regression' : worse < 1 / WORST ? 'better' : 'as before';
  return { ...told, worse, verdict };
}

const cell = (value: number | undefined, digits = 3): string =>
  value === undefined ? '' : String(Number(value.toPrecision(digits)));

export function comparisonTable(rows: readonly Compared[]): string[] {
  return [
    '### against the baseline, each row as a share of its own floor',
    '',
    '| bench | what | baseline | now | times worse | verdict |',
    '| --- | --- | ---: | ---: | ---: | --- |',
    ...rows.map(
      (r) =>
        `| ${r.bench} | ${r.row} | ${cell(r.before)} | ${cell(r.now)} | ${r.worse?.toFixed(2) ?? ''} | ${r.verdict} |`,
    ),
    '',
  ];
}
