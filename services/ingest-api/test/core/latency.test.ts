import { readFileSync } from 'node:fs';
import test from 'ava';
import { bucketBelow, LATENCY_BOUNDS_MS } from '../../src/core/latency.ts';

test('the bounds of the buckets are those that the sink counts by', (t) => {
  const sql = readFileSync(new URL('../../../sink/sql/0005_rollups.sql', import.meta.url), 'utf8');
  const lists = [...sql.matchAll(/roundDown\(-e2e_ms, \[([^\]]+)\]\)/g)].map(([, list = '']) =>
    list
      .split(',')
      .map((bound) => -Number(bound))
      .reverse(),
  );
  t.is(lists.length, 2);
  for (const list of lists) t.deepEqual(list, LATENCY_BOUNDS_MS as number[]);
});

for (const [bound, below] of [
  [1, 0],
  [2, 1],
  [10, 7],
  [15, 10],
  [1_500, 1_000],
  [1_000_000_000, 700_000_000],
] as const)
  test(`the bucket up to ${bound} ms begins above ${below}`, (t) => t.is(bucketBelow(bound), below));
