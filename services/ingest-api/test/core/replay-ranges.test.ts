import test from 'ava';
import fc from 'fast-check';
import { isCampaignWhole, rangesOf } from '../../src/core/replay-ranges.ts';

const topic = 't.deliveries';
const range = (partition: number, from: number, to: number) => ({ topic, partition, from, to });

test('without times: every partition from its beginning to its end as of now', (t) => {
  const facts = [
    {
      topic,
      bounds: [
        { start: 0, end: 5 },
        { start: 0, end: 0 },
      ],
    },
  ];
  t.deepEqual(rangesOf(facts), { ranges: [range(0, 0, 5), range(1, 0, 0)], total: 5, gaps: [] });
});

test('a log that does not begin at 0 has a gap, unless its first record is from before what is asked for', (t) => {
  const bounds = [
    { start: 3, end: 9 },
    { start: 4, end: 4 },
    { start: 0, end: 9 },
  ];
  const gap = (partition: number) => ({ topic, partition, starts_at: bounds[partition]?.start });
  t.deepEqual(rangesOf([{ topic, bounds }]).gaps, [gap(0), gap(1)]);
  // Partition 0 has records from before: nothing of what is asked for is gone. Of an empty one nobody knows.
  t.deepEqual(rangesOf([{ topic, bounds, fromAt: [5, 4, 0] }]).gaps, [gap(1)]);
  t.deepEqual(rangesOf([{ topic, bounds, fromAt: [3, 4, 0] }]).gaps, [gap(0), gap(1)]);
});

test('what cannot hold anything is not read, and is in no gap', (t) => {
  const bounds = [
    { start: 3, end: 9 },
    { start: 3, end: 9 },
  ];
  t.deepEqual(rangesOf([{ topic, bounds, toAt: [8, 8] }], new Set([1])), {
    ranges: [range(0, 8, 8), range(1, 3, 8)],
    total: 5,
    gaps: [{ topic, partition: 1, starts_at: 3 }],
  });
});

test('whatever the log says between two questions, a range lies within it and does not end before it begins', (t) => {
  const offset = fc.integer({ min: 0, max: 50 });
  fc.assert(
    fc.property(offset, offset, fc.option(offset), fc.option(offset), (a, b, from, to) => {
      const bounds = [{ start: Math.min(a, b), end: Math.max(a, b) }];
      const facts = {
        topic,
        bounds,
        ...(from === null ? {} : { fromAt: [from] }),
        ...(to === null ? {} : { toAt: [to] }),
      };
      const [one] = rangesOf([facts]).ranges;
      t.true(one !== undefined && Math.min(a, b) <= one.from && one.from <= one.to && one.to <= Math.max(a, b));
    }),
  );
});

const DAY = 86_400_000;
const whole = { createdAtMs: 100 * DAY, nowMs: 101 * DAY, messages: 10, total: 10, keptMs: [30 * DAY, -1] };
for (const [what, more, expected] of [
  ['younger than the log keeps, all of it there', {}, true],
  ['fewer records than messages', { total: 9 }, false],
  ['older than the log keeps', { nowMs: 130 * DAY }, false],
  ['a topic that is cut by bytes', { keptMs: [30 * DAY, undefined] }, false],
  ['without messages', { messages: 0 }, false],
] as const) {
  test(`a campaign, ${what}: ${expected ? 'whole' : 'not known to be whole'}`, (t) => {
    t.is(isCampaignWhole({ ...whole, ...more }), expected);
  });
}
