import test from 'ava';
import fc from 'fast-check';
import {
  type CountedTo,
  countedUntil,
  furthest,
  type Sighting,
  storedUntil,
  withSighting,
} from '../../src/core/freshness.ts';

const seen = (atMs: number, ...ends: number[]): Sighting => ({ atMs, ends });

test('what the log had at a time is stored once that is committed, in every partition', (t) => {
  const known = [seen(1, 5, 0), seen(2, 7, 3), seen(3, 9, 3)];
  const STORED: [stored: number[], until: number | null][] = [
    [[0, 0], null],
    [[5, 0], 1],
    [[9, 0], 1],
    [[7, 3], 2],
    [[8, 3], 2],
    [[9, 3], 3],
  ];
  for (const [stored, until] of STORED) t.is(storedUntil(known, stored), until, String(stored));
});

test('a partition that stands still holds up its own campaigns, and no others', (t) => {
  const known = [seen(1, 5, 5), seen(2, 9, 9)];
  t.is(storedUntil(known, [9, 5]), 1);
  t.is(storedUntil(known, [9, 5], [0]), 2);
  t.is(storedUntil(known, [9, 5], [1]), 1);
});

const to = (next: number, eventAtMs: number | null = null): CountedTo => ({ next, eventAtMs });

test('counted: by what was seen of the log, else by the last record that was counted where more is waiting', (t) => {
  const known = [seen(10, 5, 5), seen(20, 9, 5)];
  const COUNTED: [known: readonly Sighting[], counted: [number, CountedTo][], until: number | null][] = [
    [
      known,
      [
        [0, to(9)],
        [1, to(5)],
      ],
      20,
    ],
    [
      known,
      [
        [0, to(8)],
        [1, to(5)],
      ],
      10,
    ],
    [
      known,
      [
        [0, to(4, 7)],
        [1, to(5, 2)],
      ],
      7,
    ],
    [
      known,
      [
        [0, to(4, 7)],
        [1, to(3, 2)],
      ],
      2,
    ],
    [
      known,
      [
        [0, to(4, 7)],
        [1, to(3)],
      ],
      null,
    ],
    [known, [[0, to(4, 7)]], null],
    [known, [], null],
    [
      [],
      [
        [0, to(4, 7)],
        [1, to(5, 2)],
      ],
      2,
    ],
    [[], [[0, to(4, 7)]], null],
  ];
  for (const [of, counted, until] of COUNTED)
    t.is(countedUntil(of, new Map(counted), [0, 1]), until, JSON.stringify(counted));
  t.is(countedUntil(known, new Map([[0, to(9)]]), [0]), 20, 'only its own partitions');
});

test('of memory and what is saved the further one, and when its last record came', (t) => {
  const saved = new Map([
    [0, to(4, 7)],
    [1, to(5, 8)],
    [2, to(6, 9)],
  ]);
  const live = new Map([
    [0, to(4)],
    [1, to(6, 10)],
    [2, to(1, 1)],
    [3, to(0)],
  ]);
  t.deepEqual(
    [...furthest(saved, live)],
    [
      [0, to(4, 7)],
      [1, to(6, 10)],
      [2, to(6, 9)],
      [3, to(0)],
    ],
  );
});

test('a log that was made anew begins again: offsets of the one before mean nothing', (t) => {
  const known = withSighting([seen(1, 500), seen(2, 700)], seen(3, 4), [0]);
  t.deepEqual(known, [seen(3, 4)]);
  t.is(storedUntil(known, [0]), null);
});

test('partitions may become more', (t) => {
  const known = withSighting([seen(1, 5)], seen(2, 6, 2), [5, 0]);
  t.is(storedUntil(known, [5, 0]), 1);
  t.is(storedUntil(known, [6, 2]), 2);
});

test('never later than the truth, never back, and soon exact when the sink has caught up, in bounded memory', (t) => {
  const step = fc.record({
    appended: fc.tuple(fc.nat(20), fc.nat(20)),
    committed: fc.tuple(fc.nat(30), fc.nat(30)),
    looks: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600, size: 'max' }), (steps) => {
      const appendedAt: number[][] = [[], []];
      const stored = [0, 0];
      let known: readonly Sighting[] = [];
      let before: number | null = null;
      for (const [i, { appended, committed, looks }] of steps.entries()) {
        const nowMs = (i + 1) * 10;
        if (looks) known = withSighting(known, { atMs: nowMs, ends: appendedAt.map((p) => p.length) }, stored);
        for (const [p, n] of appended.entries()) for (let k = 0; k < n; k++) appendedAt[p]?.push(nowMs + 1);
        for (const [p, n] of committed.entries())
          stored[p] = Math.min(appendedAt[p]?.length ?? 0, (stored[p] ?? 0) + n);
        const until = storedUntil(known, stored);
        // Everything that was appended before `until` is stored.
        if (
          until !== null &&
          appendedAt.some((times, p) => (times[stored[p] ?? 0] ?? Number.POSITIVE_INFINITY) < until)
        )
          return false;
        if (before !== null && (until === null || until < before)) return false;
        before = until;
        if (known.length > 121) return false;
      }
      const ends = appendedAt.map((p) => p.length);
      return storedUntil(withSighting(known, { atMs: 1e9, ends }, ends), ends) === 1e9;
    }),
    { numRuns: 60 },
  );
  t.pass();
});
