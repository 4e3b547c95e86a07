import test from 'ava';
import fc from 'fast-check';
import { emptyTally } from '../../src/core/progress.ts';
import {
  directSpread,
  inLaneByPartition,
  type Pace,
  paceAfter,
  spreadFor,
  standingOf,
  turnSize,
  windowOf,
} from '../../src/core/window.ts';

const WINDOWS: [campaign: number | null, provider: number | undefined, ends: number, window: number][] = [
  [100, undefined, 0, 1_000],
  [null, 50, 0, 500],
  [100, 50, 0, 500],
  [50, 100, 9_000, 500],
  [1, undefined, 0, 20],
  [0.1, undefined, 0, 20],
  [2.05, undefined, 0, 21],
  [null, undefined, 0, 5_000],
  [null, undefined, 2_000, 5_000],
  [null, undefined, 4_000.2, 8_001],
  [null, undefined, 12_000, 24_000],
  [null, undefined, 100_000, 50_000],
];
for (const [campaign, provider, ends, window] of WINDOWS)
  test(`rates ${campaign} and ${provider}, ${ends} ends a second: W = ${window}`, (t) =>
    t.is(windowOf(campaign, provider, ends), window));

test('the most without a rate can be set, also below the least', (t) => {
  t.is(windowOf(null, undefined, 90_000, 80_000), 80_000);
  t.is(windowOf(null, undefined, 0, 300), 300);
});

test('the pace follows what ends at once, and goes down slowly', (t) => {
  const seen: [atMs: number, ended: number, perSecond: number][] = [
    [0, 100, 0],
    [500, 900, 0],
    [1_000, 2_100, 2_000],
    [1_999, 2_100, 2_000],
    [2_000, 2_100, 1_600],
    [3_000, 2_000, 1_280],
    [5_000, 12_000, 5_000],
  ];
  let pace: Pace | undefined;
  for (const [atMs, ended, perSecond] of seen) {
    pace = paceAfter(pace, atMs, ended);
    t.is(pace.perSecond, perSecond, `at ${atMs}`);
  }
});

/** Ends are seen `delay` later. What the dispatchers can do is reached within seconds, and kept. */
test('a window that begins small does not keep a campaign slow', (t) => {
  for (const [capacity, delayMs] of [
    [20_000, 200],
    [12_000, 1_100],
    [3_000, 1_100],
  ] as const) {
    let [written, ended] = [0, 0];
    let pace: Pace | undefined;
    const seen: number[] = [];
    for (let ms = 0; ms < 20_000; ms += 100) {
      ended += Math.min(written - ended, capacity / 10);
      seen.push(ended);
      const known = seen[seen.length - 1 - Math.ceil(delayMs / 100)] ?? 0;
      pace = paceAfter(pace, ms, known);
      written += Math.max(0, windowOf(null, undefined, pace.perSecond) - (written - known));
    }
    t.true(
      ended > 0.85 * 20 * capacity,
      `${ended} of ${20 * capacity} at ${capacity} a second, seen ${delayMs} ms late`,
    );
  }
});

const SPREADS: [expected: number, partitions: number, spread: number][] = [
  [1, 12, 1],
  [39_999, 12, 1],
  [40_000, 12, 2],
  [79_999, 12, 2],
  [80_000, 12, 4],
  [159_999, 12, 4],
  [160_000, 12, 6],
  [5_000_000, 12, 6],
  [5_000_000, 1_000, 128],
  [5_000_000, 1, 1],
  [5_000_000, 3, 1],
];
for (const [expected, partitions, spread] of SPREADS)
  test(`${expected} messages over ${partitions} partitions: spread ${spread}`, (t) =>
    t.is(spreadFor(expected, partitions), spread));

test('a campaign of direct messages has half of the partitions', (t) => {
  t.deepEqual([1, 2, 3, 12].map(directSpread), [1, 1, 1, 6]);
});

test('outstanding is what the log holds, wherever it waits; in the lane is what is in front of others', (t) => {
  const sum = { ...emptyTally(), sent: 30, failed: 10, retrying: 25, redriven: 3 };
  t.deepEqual(standingOf({ accepted: 0 }, 100, sum), { outstanding: 60, inLane: 35 });
  t.deepEqual(standingOf({ accepted: 20 }, 100, sum), { outstanding: 80, inLane: 55 });
  t.deepEqual(standingOf({ accepted: 0 }, 45, sum), { outstanding: 5, inLane: 0 });
  t.deepEqual(standingOf({ accepted: 0 }, 10, sum), { outstanding: 0, inLane: 0 }, 'the checkpoint is behind');
  t.deepEqual(standingOf({ accepted: 0 }, 100, { ...sum, retrying: -1 }), { outstanding: 60, inLane: 60 });
});

test('a campaign puts an equal part of what it has into each of its partitions', (t) => {
  const sum = inLaneByPartition([
    { partitions: [1, 2], inLane: 100 },
    { partitions: [2], inLane: 7 },
    { partitions: [], inLane: 9 },
  ]);
  t.deepEqual(
    [...sum],
    [
      [1, 50],
      [2, 57],
    ],
  );
});

const facts = {
  status: 'running',
  expected: 10_000,
  written: 0,
  outstanding: 0,
  window: 1_000,
  backlog: 0,
  backlogMark: 100_000,
  maxBatch: 2_000,
};
const TURNS: [title: string, change: Partial<typeof facts>, size: number][] = [
  ['an empty window', {}, 1_000],
  ['half a window', { written: 700, outstanding: 500 }, 500],
  ['a full window', { written: 1_000, outstanding: 1_000 }, 0],
  ['more outstanding than the window', { written: 5_000, outstanding: 5_000 }, 0],
  ['the last rows', { written: 9_990 }, 10],
  ['a batch at a time', { window: 50_000 }, 2_000],
  ['a full partition', { backlog: 100_000 }, 0],
  ['room for a few in the partition', { backlog: 99_990 }, 10],
  ['paused', { status: 'paused' }, 0],
  [
    'cancelling goes on without W',
    { status: 'cancelling', written: 5_000, outstanding: 5_000, backlog: 200_000 },
    2_000,
  ],
  ['cancelling to its end', { status: 'cancelling', written: 9_999 }, 1],
  ['completed', { status: 'completed' }, 0],
];
for (const [title, change, size] of TURNS)
  test(`${title}: ${size} rows`, (t) => t.is(turnSize({ ...facts, ...change }), size));

test('a running campaign never has more outstanding than W, nor its partition more than the mark', (t) => {
  const n = fc.nat({ max: 20_000 });
  fc.assert(
    fc.property(n, n, n, n, fc.nat({ max: 200_000 }), (a, b, c, window, backlog) => {
      const [ended = 0, written = 0, expected = 0] = [a, b, c].sort((x, y) => x - y);
      const outstanding = written - ended;
      const f = { ...facts, expected, written, outstanding, window, backlog };
      const size = turnSize(f);
      if (size === 0) return true;
      return size > 0 && written + size <= expected && outstanding + size <= window && backlog + size <= f.backlogMark;
    }),
  );
  t.pass();
});
