import test from 'ava';
import fc from 'fast-check';
import { createOffsetTracker } from '../src/offsets.ts';

const table: { title: string; start: number; handed: number[]; settled: number[]; watermark: number; open: number }[] =
  [
    { title: 'nothing handed over: the start', start: 7, handed: [], settled: [], watermark: 7, open: 0 },
    { title: 'nothing settled: the first', start: 7, handed: [7, 8, 9], settled: [], watermark: 7, open: 3 },
    { title: 'the first settled', start: 0, handed: [0, 1, 2], settled: [0], watermark: 1, open: 2 },
    { title: 'all but the first settled', start: 0, handed: [0, 1, 2], settled: [2, 1], watermark: 0, open: 1 },
    { title: 'settled in reverse', start: 0, handed: [0, 1, 2], settled: [2, 1, 0], watermark: 3, open: 0 },
    { title: 'settled twice counts once', start: 0, handed: [0, 1], settled: [1, 1], watermark: 0, open: 1 },
    { title: 'never handed over: ignored', start: 5, handed: [5, 6], settled: [4, 7, 900], watermark: 5, open: 2 },
    { title: 'a hole at the start is passed', start: 0, handed: [40, 41], settled: [], watermark: 40, open: 2 },
    { title: 'holes count as settled', start: 0, handed: [0, 5, 9], settled: [0], watermark: 5, open: 2 },
    {
      title: 'an offset inside a hole: ignored',
      start: 0,
      handed: [0, 5, 9],
      settled: [0, 3, 5],
      watermark: 9,
      open: 1,
    },
    { title: 'after the last: the next', start: 0, handed: [3, 90], settled: [90, 3], watermark: 91, open: 0 },
  ];

for (const { title, start, handed, settled, watermark, open } of table) {
  test(`watermark: ${title}`, (t) => {
    const tracker = createOffsetTracker(start);
    for (const offset of handed) tracker.handOver(offset);
    for (const offset of settled) tracker.settle(offset);
    t.is(tracker.watermark(), watermark);
    t.is(tracker.unsettled(), open);
  });
}

test('an offset below the last one is a bug, not a record', (t) => {
  const tracker = createOffsetTracker(10);
  tracker.handOver(10);
  t.throws(() => tracker.handOver(10), { instanceOf: RangeError });
  t.throws(() => tracker.handOver(9), { instanceOf: RangeError });
});

type Step = { readonly hand: number } | { readonly settle: number } | { readonly below: number };

const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ hand: fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, fc.nat(50)) }) },
    { weight: 3, arbitrary: fc.record({ settle: fc.nat(4_000) }) },
    { weight: 1, arbitrary: fc.record({ below: fc.nat(60) }) },
  ),
  { maxLength: 4_000, size: 'max' },
);

test('whatever happens, the tracker agrees with a plain model', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.nat(1_000_000), steps, (start, script: readonly Step[]) => {
        const tracker = createOffsetTracker(start);
        const handed: number[] = [];
        const open = new Set<number>();
        let next = start;
        let lowest = start;
        for (const step of script) {
          if ('hand' in step) {
            const offset = next + Math.max(0, step.hand - 1);
            tracker.handOver(offset);
            handed.push(offset);
            open.add(offset);
            next = offset + 1;
          } else if ('below' in step) {
            // Mostly near the watermark, in a hole or past what was handed over as well.
            const end = tracker.watermark() + step.below - 5;
            const settled = [...open].filter((offset) => offset < end);
            for (const offset of settled) open.delete(offset);
            t.is(tracker.settleBelow(end), settled.length);
          } else if (handed.length > 0) {
            const offset = handed[step.settle % handed.length] as number;
            t.is(tracker.settle(offset), open.delete(offset));
          }
          const watermark = tracker.watermark();
          if (watermark < lowest) t.fail('the watermark went back');
          lowest = watermark;
        }
        t.is(tracker.watermark(), open.size > 0 ? Math.min(...open) : next);
        t.is(tracker.unsettled(), open.size);
      }),
      { numRuns: 60 },
    ),
  );
});

test('a million records behind one that hangs cost no more than a few bytes each', (t) => {
  const tracker = createOffsetTracker(0);
  const count = 1_000_000;
  const before = process.memoryUsage().arrayBuffers;
  for (let offset = 0; offset < count; offset++) {
    tracker.handOver(offset);
    if (offset > 0) tracker.settle(offset);
  }
  t.is(tracker.watermark(), 0);
  const used = process.memoryUsage().arrayBuffers - before;
  t.true(used < 40 * 1024 * 1024, `${used} bytes`);
  tracker.settle(0);
  t.is(tracker.watermark(), count);
});
