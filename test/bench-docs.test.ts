import test from 'ava';
import { withRun } from '../scripts/bench-docs.ts';
import type { BenchRun } from '../scripts/bench-table.ts';

const PAGE = '# Benchmarks\n\n<!-- bench:begin -->\n<!-- bench:end -->\n\nThe rest.\n';
const runOf = (commit: string, bench: string, value: number): BenchRun => ({
  ...{ date: '2026-11-22T10:20:30Z', commit, machine: '2 cores', command: `npm run bench -- ${bench}` },
  results: [{ bench, rows: [{ name: 'rate', value, unit: 'msg/s' }] }],
});

test('each bench keeps its own date, commit and command; one that runs again replaces its table only', (t) => {
  const first = withRun(withRun(PAGE, runOf('aaa', 'sink, 100 events', 10)), runOf('aaa', 'idle', 1));
  const page = withRun(first, runOf('bbb', 'sink, 5,000 events', 20));
  t.is(page.match(/^### /gm)?.length, 2);
  t.regex(page, /### sink, 5,000 events\n\n2026-11-22 10:20 UTC, commit bbb, 2 cores: `npm run bench -- sink/);
  t.regex(page, /\| rate \| 20\.00 \|/);
  t.notRegex(page, /10\.00/);
  t.regex(page, /### idle\n\n2026-11-22 10:20 UTC, commit aaa/);
  t.true(page.startsWith('# Benchmarks') && page.endsWith('<!-- bench:end -->\n\nThe rest.\n'));
});

test('benches that differ in a word are two, whatever they begin with', (t) => {
  const page = withRun(withRun(PAGE, runOf('aaa', '1, 2 and 3 sinks', 1)), runOf('aaa', '1, 2 and 3 dispatchers', 2));
  t.is(page.match(/^### /gm)?.length, 2);
});

test('the same run twice is the same page', (t) => {
  const once = withRun(PAGE, runOf('aaa', 'sink', 1));
  t.is(withRun(once, runOf('aaa', 'sink', 1)), once);
});

for (const page of ['# Benchmarks\n', PAGE.replace('<!-- bench:begin -->', ''), PAGE.replace('<!-- bench:end -->', '')])
  test(`refused, because a marker is missing: ${JSON.stringify(page)}`, (t) => {
    t.throws(() => withRun(page, runOf('aaa', 'sink', 1)), { message: /bench:begin/ });
  });
