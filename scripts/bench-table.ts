export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Another row of the same document: the bare client or engine doing the same work. */
  readonly floor?: string;
  readonly note?: string;
}

export interface BenchResult {
  readonly bench: string;
  readonly rows: readonly Row[];
}

/** One run of `npm run bench`, as it stands in .volley/bench. */
export interface BenchRun {
  readonly date: string;
  readonly commit: string;
  readonly machine: string;
  readonly command: string;
  readonly results: readonly BenchResult[];
}

const pretty = (value: number): string =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(2);

export const floorOf = (row: Row, rows: readonly Row[]): Row | undefined => rows.find((r) => r.name === row.floor);

export function tableOf(result: BenchResult): string[] {
  const lines = [
    `### ${result.bench}`,
    '',
    '| what | value | unit | of its floor | note |',
    '| --- | ---: | --- | ---: | --- |',
  ];
  for (const row of result.rows) {
    const floor = floorOf(row, result.rows);
    const ratio = floor ? `${(row.value / floor.value).toFixed(2)} × ${floor.name}` : '';
    lines.push(`| ${row.name} | ${pretty(row.value)} | ${row.unit} | ${ratio} | ${row.note ?? ''} |`);
  }
  return [...lines, ''];
}
