import test from 'ava';
import fc from 'fast-check';
import { createHints, inheritedOf, parseHintMetadata, REACH_ALLOWANCE } from '../../src/core/hints.ts';
import { NO_MARK } from '../../src/core/marks.ts';

const TOPIC = 'bulk';

/** Hints over a ledger of which only the end counts here. */
function hintsWith(of: { end: number; open?: boolean; kept?: number }) {
  return createHints({
    isOpen: () => of.open !== false,
    end: () => of.end,
    keepFrom: (_, offset) => {
      of.kept = offset;
    },
  });
}
const hintIn = (metadata: string | undefined) => parseHintMetadata(metadata ?? '')?.hint;

test('the hint is the lowest event at or above the watermark, else the end', (t) => {
  const ledger = { end: 0 };
  const hints = hintsWith(ledger);
  hints.assigned(TOPIC, 0, undefined);
  const at = (watermark: number) => hintIn(hints.metadata(TOPIC, 0, watermark));
  t.is(at(0), 0);
  for (const [record, event] of [
    [5, 10],
    [2, 11],
    [0, 12],
    [7, 13],
  ] as const) {
    hints.note(TOPIC, 0, record, event);
    ledger.end = event + 1;
  }
  t.is(at(0), 10);
  t.is(at(5), 10);
  t.is(at(6), 13);
  t.is(at(8), 14);
});

test('nothing is said while the ledger of the number is not open: what is committed still holds', (t) => {
  const ledger = { end: 0, open: false };
  const hints = hintsWith(ledger);
  hints.assigned(TOPIC, 0, { hint: 3, reach: 10 });
  t.is(hints.metadata(TOPIC, 0, 0), undefined);
  ledger.open = true;
  t.is(hintIn(hints.metadata(TOPIC, 0, 0)), 3);
  t.is(hints.metadata('another', 0, 0), undefined);
});

test('the ledger keeps from the smallest hint of all topics of its number', (t) => {
  const ledger = { end: 100, kept: -1 };
  const hints = hintsWith(ledger);
  hints.assigned('bulk', 0, undefined);
  hints.assigned('5s', 0, undefined);
  hints.assigned('bulk', 1, undefined);
  t.is(hints.lowest(0), Number.POSITIVE_INFINITY);
  hints.note('bulk', 0, 1, 40);
  hints.note('5s', 0, 1, 60);
  hints.note('bulk', 1, 0, 7);
  t.is(hints.lowest(0), 40);
  hints.metadata('bulk', 0, 2);
  t.is(ledger.kept, 60);
  hints.metadata('5s', 0, 2);
  t.is(ledger.kept, 100);
  hints.clear();
  t.is(hints.metadata('bulk', 0, 2), undefined);
});

test('what a former owner did holds the hint until the watermark is past all it can have reached', (t) => {
  const hints = hintsWith({ end: 500 });
  hints.assigned(TOPIC, 0, { hint: 30, reach: 20 });
  hints.note(TOPIC, 0, 5, 400);
  hints.note(TOPIC, 0, 25, 410);
  for (const [watermark, expected] of [
    [5, 30],
    [19, 30],
    [20, 410],
    [26, 500],
  ] as const) {
    t.is(hintIn(hints.metadata(TOPIC, 0, watermark)), expected, `at ${watermark}`);
  }
});

for (const [title, of, expected] of [
  ['a partition that was handled to its end', { committed: 9, metadata: 'x', logEnd: 9 }, undefined],
  ['an empty partition without a commit', { committed: -1, metadata: '', logEnd: 0 }, undefined],
  [
    'no commit on a log with records: from the log start',
    { committed: -1, metadata: '', logEnd: 1e6 },
    { hint: 0, reach: REACH_ALLOWANCE },
  ],
  ['a commit without metadata: from the log start', { committed: 4, metadata: '', logEnd: 9 }, { hint: 0, reach: 9 }],
  [
    'metadata of somebody else: from the log start',
    { committed: 4, metadata: '{"pending":7}', logEnd: 9 },
    { hint: 0, reach: 9 },
  ],
  [
    'a hint',
    { committed: 4, metadata: '{"v":1,"hint":77,"reach":6}', logEnd: 1e6 },
    { hint: 77, reach: 6 + REACH_ALLOWANCE },
  ],
  [
    'a reach beyond the log',
    { committed: 4, metadata: '{"v":1,"hint":77,"reach":6}', logEnd: 9 },
    { hint: 77, reach: 9 },
  ],
] as const) {
  test(`inherited: ${title}`, (t) => {
    const inherited = inheritedOf(of);
    if (expected === undefined || inherited === undefined) t.is(inherited, expected);
    else t.like(inherited, { ...expected, from: Math.max(0, of.committed), mark: NO_MARK });
  });
}

for (const text of [
  '',
  'null',
  '7',
  '{',
  '{}',
  '{"v":2,"hint":1,"reach":1}',
  '{"v":1,"hint":-1,"reach":1}',
  '{"v":1,"hint":1.5,"reach":1}',
  '{"v":1,"hint":"1","reach":1}',
  '{"v":1,"hint":1}',
  '{"v":1,"hint":1e300,"reach":1}',
  `{"v":1,"hint":1,"reach":1,"more":"${'x'.repeat(300)}"}`,
]) {
  test(`metadata that was not written here says nothing: ${text.slice(0, 40)}`, (t) => {
    t.is(parseHintMetadata(text), undefined);
  });
}

test('metadata stays far below what the group keeps', (t) => {
  const hints = hintsWith({ end: Number.MAX_SAFE_INTEGER });
  hints.assigned(TOPIC, 0, { hint: Number.MAX_SAFE_INTEGER, reach: Number.MAX_SAFE_INTEGER });
  const text = hints.metadata(TOPIC, 0, Number.MAX_SAFE_INTEGER) ?? '';
  t.true(text.length < 128, text);
  t.truthy(parseHintMetadata(text));
});

/**
 * Owners of one number over two topics, killed at any moment: each handles records in any order within a few of the
 * watermark, commits when it likes, and its successor starts from what was committed.
 */
const life = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        do: fc.constant('event' as const),
        topic: fc.nat(1),
        ahead: fc.nat(12),
        ends: fc.boolean(),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('commit' as const), topic: fc.nat(1) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('append' as const),
        topic: fc.nat(1),
        count: fc.integer({ min: 1, max: 20 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('killed' as const) }) },
  ),
  { maxLength: 300, size: 'max' },
);

interface Partition {
  logEnd: number;
  committed: { offset: number; metadata: string };
  watermark: number;
  settled: Set<number>;
}

test('whoever takes over reads from where the first event of any record lies that it gets again', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(life, (steps) => {
        const topics: Partition[] = [0, 1].map(() => ({
          logEnd: 30,
          committed: { offset: -1, metadata: '' },
          watermark: 0,
          settled: new Set(),
        }));
        /** The deliveries: of which record each event is. */
        const deliveries: { topic: number; record: number }[] = [];
        const ledger = { end: 0 };
        const hints = hintsWith(ledger);
        const firstEvent = (topic: number, from: number) =>
          deliveries.findIndex((event) => event.topic === topic && event.record >= from);

        const takeOver = (): boolean => {
          hints.clear();
          ledger.end = deliveries.length;
          let [least, needed] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
          for (const [topic, of] of topics.entries()) {
            of.watermark = Math.max(0, of.committed.offset);
            of.settled = new Set();
            const inherited = inheritedOf({
              committed: of.committed.offset,
              metadata: of.committed.metadata,
              logEnd: of.logEnd,
            });
            hints.assigned(String(topic), 0, inherited);
            least = Math.min(least, inherited?.hint ?? least);
            const first = firstEvent(topic, of.watermark);
            if (first >= 0) needed = Math.min(needed, first);
          }
          return Math.min(least, hints.lowest(0)) <= needed;
        };

        let right = takeOver();
        for (const step of steps) {
          if (step.do === 'killed') right &&= takeOver();
          else {
            const of = topics[step.topic] as Partition;
            const topic = String(step.topic);
            if (step.do === 'append') of.logEnd += step.count;
            else if (step.do === 'commit') {
              of.committed = { offset: of.watermark, metadata: hints.metadata(topic, 0, of.watermark) ?? '' };
            } else {
              const record = of.watermark + step.ahead;
              if (record >= of.logEnd || of.settled.has(record)) continue;
              hints.note(topic, 0, record, deliveries.length);
              deliveries.push({ topic: step.topic, record });
              ledger.end = deliveries.length;
              if (step.ends) of.settled.add(record);
              while (of.settled.has(of.watermark)) of.watermark += 1;
            }
          }
        }
        return right && takeOver();
      }),
      { numRuns: 200 },
    ),
  );
});

test('without a takeover the hint is exact', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(
        fc.array(fc.record({ ahead: fc.nat(12), ends: fc.boolean(), commit: fc.boolean() }), {
          maxLength: 200,
          size: 'max',
        }),
        (steps) => {
          const ledger = { end: 0 };
          const hints = hintsWith(ledger);
          hints.assigned(TOPIC, 0, undefined);
          const events: number[] = [];
          const settled = new Set<number>();
          let watermark = 0;
          for (const { ahead, ends, commit } of steps) {
            if (!settled.has(watermark + ahead)) {
              hints.note(TOPIC, 0, watermark + ahead, events.length);
              events.push(watermark + ahead);
              ledger.end = events.length;
              if (ends) settled.add(watermark + ahead);
              while (settled.has(watermark)) watermark += 1;
            }
            const first = events.findIndex((record) => record >= watermark);
            const expected = first >= 0 ? first : events.length;
            if (commit && hintIn(hints.metadata(TOPIC, 0, watermark)) !== expected) return false;
          }
          return true;
        },
      ),
      { numRuns: 200 },
    ),
  );
});
