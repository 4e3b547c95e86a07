import test from 'ava';
import fc from 'fast-check';
import {
  addTo,
  type Batch,
  chooseNext,
  endsBefore,
  isFull,
  msUntilChosen,
  msUntilDue,
  openBatch,
  type Waiting,
} from '../../src/core/batch.ts';

const limits = { maxRows: 3, maxBytes: 100 };
const NOON = Date.UTC(2026, 10, 21, 12);
const open = (offset = 10, timestampMs = NOON): Batch<string> =>
  openBatch({ partition: 1, epoch: 7, offset, timestampMs, nowMs: 5 });

test('a batch spans its records, and a dead letter leaves a gap in its rows only', (t) => {
  const batch = open();
  addTo(batch, 10, 100, { line: 'a' });
  addTo(batch, 11, 100, { deadLetter: 'x' });
  addTo(batch, 12, 100, { line: 'b' });
  t.like(batch, { from: 10, to: 13, deadLetters: ['x'], records: 3, recordBytes: 300, epoch: 7, appendedAtMs: NOON });
  t.deepEqual([batch.rows.lines(), batch.rows.size], [['a', 'b'], 4]);
});

test('a record of which nothing is wanted is in the range all the same', (t) => {
  const batch = open();
  addTo(batch, 10, 100, {});
  addTo(batch, 11, 100, { line: 'b' });
  t.like(batch, { from: 10, to: 12, deadLetters: [], records: 2 });
  t.deepEqual(batch.rows.lines(), ['b']);
});

test('it is full at its number of records, dead letters included, or at its bytes', (t) => {
  const byRecords = open();
  addTo(byRecords, 10, 100, { line: 'a' });
  addTo(byRecords, 11, 100, { deadLetter: 'x' });
  t.false(isFull(byRecords, limits));
  addTo(byRecords, 12, 100, { deadLetter: 'y' });
  t.true(isFull(byRecords, limits));
  const byBytes = open();
  addTo(byBytes, 10, 100, { line: 'x'.repeat(99) });
  t.true(isFull(byBytes, limits));
});

test('it ends where the day of the log changes, in either direction', (t) => {
  const midnight = Date.UTC(2026, 10, 22);
  const batch = open(0, midnight - 1);
  t.false(endsBefore(batch, midnight - 1));
  t.true(endsBefore(batch, midnight));
  t.true(endsBefore(open(0, midnight), midnight - 1));
});

const LINGER = 500;
/** Records come all the time. */
const waits = (w: Partial<Waiting>): Waiting => ({
  bytes: 1,
  waitedMs: 0,
  quietMs: 0,
  restedMs: 1e6,
  sealed: false,
  ...w,
});
const choices: [string, Waiting[], number][] = [
  ['nothing waits', [], -1],
  ['nobody is due', [waits({ waitedMs: 499 })], -1],
  ['the linger is over', [waits({ waitedMs: 500 })], 0],
  ['a sealed one need not wait', [waits({ sealed: true })], 0],
  [
    'the fullest of those that are due',
    [
      waits({ bytes: 99, waitedMs: 10 }),
      waits({ bytes: 5, waitedMs: 600 }),
      waits({ bytes: 50, waitedMs: 10, sealed: true }),
    ],
    2,
  ],
  [
    'whoever has waited four lingers goes ahead of the fullest',
    [waits({ bytes: 1e9, waitedMs: 10, sealed: true }), waits({ waitedMs: 2_000 })],
    1,
  ],
  ['a batch of dead letters only has no bytes and is due all the same', [waits({ bytes: 0, waitedMs: 500 })], 0],
  ['no more come', [waits({ waitedMs: 210, quietMs: 200 })], 0],
  ['no more come, and there was an insert a moment ago', [waits({ waitedMs: 210, quietMs: 200, restedMs: 249 })], -1],
];
for (const [what, waiting, expected] of choices) {
  test(`what is inserted next: ${what}`, (t) => t.is(chooseNext(waiting, LINGER, false), expected));
}

test('without a linger everything is due', (t) => {
  t.is(chooseNext([waits({ restedMs: 0 })], 0, false), 0);
});

test('with much of the memory in use nobody lingers: the fullest goes, unless another has waited four lingers', (t) => {
  const waiting = [waits({ bytes: 5, waitedMs: 400 }), waits({ bytes: 90 })];
  t.is(chooseNext(waiting, LINGER, 'idle'), 1);
  t.is(chooseNext([...waiting, waits({ waitedMs: 2_000 })], LINGER, 'idle'), 2);
});

test('beside an insert, what is not full may grow, however long it has waited; four lingers are enough', (t) => {
  const waiting = [waits({ bytes: 5, waitedMs: 1_900 }), waits({ bytes: 90 })];
  t.is(chooseNext(waiting, LINGER, 'busy'), -1);
  t.is(chooseNext([...waiting, waits({ bytes: 7, sealed: true })], LINGER, 'busy'), 2);
  t.is(chooseNext([...waiting, waits({ bytes: 7, sealed: true }), waits({ waitedMs: 2_000 })], LINGER, 'busy'), 3);
});

test('what is not chosen says when it may be, and that is not now', (t) => {
  const ms = fc.nat(20_000);
  const waiting = fc.record({ bytes: fc.nat(1e9), waitedMs: ms, quietMs: ms, restedMs: ms, sealed: fc.boolean() });
  const pressed = fc.constantFrom(false as const, 'idle' as const, 'busy' as const);
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(waiting), fc.nat(2_000), pressed, (all, lingerMs, how) => {
        const soonestMs = Math.min(...all.map((w) => msUntilChosen(w, lingerMs, how)));
        return chooseNext(all, lingerMs, how) === -1 ? soonestMs > 0 : soonestMs === 0;
      }),
    ),
  );
});

const untilDue: [string, Partial<Waiting>, number][] = [
  ['records come: looked at again when they may have stopped', { waitedMs: 100, quietMs: 0 }, 200],
  ['they have just stopped: until it is certain', { waitedMs: 100, quietMs: 50 }, 150],
  ['an insert a moment ago: half a linger after it', { waitedMs: 100, quietMs: 50, restedMs: 60 }, 190],
  ['never longer than the linger', { waitedMs: 450, quietMs: 50, restedMs: 60 }, 50],
  ['it is due', { waitedMs: 900 }, 0],
  ['it is full', { sealed: true }, 0],
];
for (const [what, w, ms] of untilDue) test(`until it is due: ${what}`, (t) => t.is(msUntilDue(waits(w), LINGER), ms));

test('what is chosen is due, and something is chosen when anything is due', (t) => {
  const ms = fc.nat(20_000);
  const waiting = fc.record({ bytes: fc.nat(1e9), waitedMs: ms, quietMs: ms, restedMs: ms, sealed: fc.boolean() });
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(waiting), (all) => {
        const due = all.map((w) => w.sealed || w.waitedMs >= LINGER || (w.quietMs >= 200 && w.restedMs >= LINGER / 2));
        const chosen = chooseNext(all, LINGER, false);
        return chosen === -1 ? !due.includes(true) : due[chosen] === true;
      }),
    ),
  );
});
