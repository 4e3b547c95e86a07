import { directMessageIdOf, messageIdOf } from '@volley/contract';
import test from 'ava';
import fc from 'fast-check';
import { createLedger, type LedgerEvent, standingOf } from '../../src/core/ledger.ts';
import { createLedgerTable, LEDGER_WINDOW } from '../../src/core/ledger-table.ts';

const CAMPAIGN = '0198c0de-1234-7abc-8def-012300000000';
const id = (n: number) => messageIdOf(CAMPAIGN, n);
const sent = { ended: true, attempt: 1, deferrals: -1, movedDeferrals: -1 };

const event = (message_id: string, more: Partial<LedgerEvent> = {}): LedgerEvent => ({
  message_id,
  run: 0,
  kind: 'sent',
  attempt: 1,
  deferrals: 0,
  tier: '',
  ...more,
});

/** One number, open, of which nothing is kept for hints. */
function openLedger(window?: number) {
  const ledger = createLedger(window);
  ledger.assigned([3]);
  ledger.reading(3, 0, 0);
  ledger.open(3, 0);
  return ledger;
}

test('an event says what is known of its message, and a later one adds to it', (t) => {
  const ledger = openLedger();
  const known = () => ledger.look(3, id(1), 0);
  t.is(known(), undefined);
  ledger.note(3, event(id(1), { kind: 'deferred', attempt: 1, deferrals: 0, tier: 'memory' }), 0);
  t.deepEqual(known(), { ended: false, attempts: 1, deferrals: 1, movedDeferrals: -1 });
  ledger.note(3, event(id(1), { kind: 'deferred', attempt: 2, deferrals: 1, tier: '5s' }), 1);
  t.deepEqual(known(), { ended: false, attempts: 2, deferrals: 2, movedDeferrals: 1 });
  ledger.note(3, event(id(1), { kind: 'deferred', attempt: 2, deferrals: 2, tier: 'held' }), 2);
  t.deepEqual(known(), { ended: false, attempts: 2, deferrals: 3, movedDeferrals: 2 });
  ledger.note(3, event(id(1), { kind: 'sent', attempt: 3, deferrals: 3 }), 3);
  t.deepEqual(known(), { ended: true, attempts: 3, deferrals: 3, movedDeferrals: 2 });
  // A late repeat of something earlier takes nothing away.
  ledger.note(3, event(id(1), { kind: 'deferred', attempt: 1, deferrals: 0, tier: 'memory' }), 4);
  t.deepEqual(known(), { ended: true, attempts: 3, deferrals: 3, movedDeferrals: 2 });
  t.is(ledger.look(3, id(2), 0), undefined);
  t.is(ledger.look(3, id(1), 1), undefined);
  t.is(ledger.end(3), 5);
});

test('what says nothing that a record could be skipped for is not kept', (t) => {
  const ledger = openLedger();
  for (const [i, kind] of (['redriven', 'delivered', 'bounced', 'opened', 'unknown'] as const).entries()) {
    ledger.note(3, event(id(1), { kind }), i);
  }
  t.is(ledger.look(3, id(1), 0), undefined);
  t.is(ledger.state().events, 0);
  t.is(ledger.end(3), 5);
});

const own = (attempts: number, deferrals: number) => ({ attempts, deferrals });
const known = (attempts: number, deferrals: number, movedDeferrals: number, ended = false) => ({
  ended,
  attempts,
  deferrals,
  movedDeferrals,
});

for (const [title, what, of, expected] of [
  ['a new message starts with nothing', undefined, own(0, 0), { go: 'on', attempts: 0, deferrals: 0 }],
  [
    'a tier record of which nothing is known has its own past',
    undefined,
    own(4, 5),
    { go: 'on', attempts: 4, deferrals: 5 },
  ],
  ['an ended message is skipped', known(1, 0, -1, true), own(0, 0), { go: 'skip', because: 'ended' }],
  [
    'a copy of an ended message in a tier is skipped',
    known(5, 4, 3, true),
    own(4, 4),
    { go: 'skip', because: 'ended' },
  ],
  [
    'a deferral in memory moves nothing: the next attempt follows',
    known(2, 2, -1),
    own(0, 0),
    { go: 'on', attempts: 2, deferrals: 2 },
  ],
  ['a lane record whose message was moved is skipped', known(4, 4, 3), own(0, 0), { go: 'skip', because: 'moved' }],
  ['the record that the move wrote goes on', known(4, 4, 3), own(4, 4), { go: 'on', attempts: 4, deferrals: 4 }],
  ['a tier record that was moved on is skipped', known(5, 5, 4), own(4, 4), { go: 'skip', because: 'moved' }],
  ['an earlier tier record is skipped too', known(5, 7, 6), own(4, 4), { go: 'skip', because: 'moved' }],
  [
    'a tier record with attempts in memory since goes on after them',
    known(5, 5, 3),
    own(4, 4),
    { go: 'on', attempts: 5, deferrals: 5 },
  ],
  [
    'a move whose event is not there yet leaves the record its own past',
    known(3, 3, -1),
    own(4, 4),
    { go: 'on', attempts: 4, deferrals: 4 },
  ],
] as const) {
  test(`standing: ${title}`, (t) => t.deepEqual(standingOf(what, of), expected));
}

test('a number is open only between the end of its reading and the end of the assignment', (t) => {
  const ledger = createLedger();
  ledger.assigned([1, 2]);
  t.false(ledger.isOpen(1));
  ledger.reading(1, 0, 0);
  t.false(ledger.isOpen(1));
  ledger.open(1, 17);
  t.true(ledger.isOpen(1));
  t.false(ledger.isOpen(2));
  t.is(ledger.end(1), 17);
  ledger.revoked();
  t.false(ledger.isOpen(1));
});

test('a number that stays ours is read only from where it is not known yet', (t) => {
  const ledger = createLedger();
  ledger.assigned([1, 2]);
  for (const number of [1, 2]) {
    t.is(ledger.reading(number, 50, 0), 0);
    for (let offset = 0; offset < 100; offset++) ledger.note(number, event(id(offset + 1)), offset);
    ledger.open(number, 100);
  }
  // Ours go on being noted; one after a gap, in which somebody else may have written, is not enough to skip the gap.
  ledger.note(1, event(id(201)), 100);
  ledger.revoked();
  ledger.note(1, event(id(202)), 101);
  ledger.note(1, event(id(203)), 105);
  ledger.assigned([1]);
  t.is(ledger.reading(1, 60, 10), 102);
  t.is(ledger.look(1, id(100), 0)?.ended, true);
  // Given up and got back: what happened meanwhile is unknown, and so is all that went before.
  ledger.assigned([1, 2]);
  t.is(ledger.reading(2, 60, 10), 10);
  t.is(ledger.look(2, id(100), 0), undefined);
});

test('hints that go further back than what was kept make it be read anew', (t) => {
  const ledger = createLedger();
  ledger.assigned([1]);
  t.is(ledger.reading(1, 500, 400), 400);
  ledger.note(1, event(id(1)), 400);
  ledger.open(1, 600);
  ledger.revoked();
  ledger.assigned([1]);
  t.is(ledger.reading(1, 300, 200), 200);
  t.is(ledger.look(1, id(1), 0), undefined);
});

test('a reading that was broken off goes on where it was', (t) => {
  const ledger = createLedger();
  ledger.assigned([1]);
  t.is(ledger.reading(1, 500, 400), 400);
  for (let offset = 400; offset < 450; offset++) ledger.note(1, event(id(offset)), offset);
  ledger.revoked();
  ledger.assigned([1]);
  t.is(ledger.reading(1, 500, 400), 450);
  t.is(ledger.look(1, id(449), 0)?.ended, true);
});

test('notes of a number that is not ours are ignored', (t) => {
  const ledger = openLedger();
  ledger.note(4, event(id(1)), 0);
  t.is(ledger.look(4, id(1), 0), undefined);
});

test('it forgets what lies behind the window and before the smallest hint, and nothing else', (t) => {
  const window = 64;
  t.notThrows(() =>
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            message: fc.integer({ min: 1, max: 60 }),
            run: fc.integer({ min: 0, max: 1 }),
            step: fc.oneof({ weight: 20, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 40 })),
            keepFrom: fc.option(fc.integer({ min: 0, max: 300 }), { nil: undefined, freq: 4 }),
            ended: fc.boolean(),
            attempt: fc.integer({ min: 0, max: 8 }),
            deferrals: fc.integer({ min: -1, max: 9 }),
            moved: fc.boolean(),
          }),
          { maxLength: 250, size: 'max' },
        ),
        (steps) => {
          const table = createLedgerTable(window);
          const model: {
            key: string;
            offset: number;
            ended: boolean;
            attempt: number;
            deferrals: number;
            moved: number;
          }[] = [];
          let offset = 0;
          let keepFrom = 0;
          for (const { message, run, step, ended, attempt, deferrals, moved, keepFrom: raised } of steps) {
            offset += step;
            if (raised !== undefined) {
              keepFrom = Math.max(keepFrom, raised);
              table.keepFrom(keepFrom);
            }
            const movedDeferrals = moved ? deferrals : -1;
            table.note(id(message), run, { ended, attempt, deferrals, movedDeferrals }, offset);
            model.push({ key: `${message} ${run}`, offset, ended, attempt, deferrals, moved: movedDeferrals });
            const mustKeep = (at: number) => offset - at <= window || at >= keepFrom;
            for (const m of [message, 1, 30]) {
              const all = model.filter(({ key }) => key === `${m} ${run}`);
              const kept = all.filter((e) => mustKeep(e.offset));
              const found = table.look(id(m), run);
              // A message is known by its latest event, which carries what the earlier ones said.
              if (kept.length > 0) {
                if (found === undefined) return false;
                const least = (of: typeof all) => ({
                  ended: of.some((e) => e.ended),
                  attempts: Math.max(...of.map((e) => e.attempt)),
                  deferrals: Math.max(...of.map((e) => e.deferrals)) + 1,
                  movedDeferrals: Math.max(...of.map((e) => e.moved)),
                });
                const [low, high] = [least(kept), least(all)];
                const between = (name: 'attempts' | 'deferrals' | 'movedDeferrals') =>
                  low[name] <= found[name] && found[name] <= high[name];
                if (!between('attempts') || !between('deferrals') || !between('movedDeferrals')) return false;
                if (low.ended ? !found.ended : found.ended && !high.ended) return false;
              } else if (found !== undefined && all.length === 0) return false;
            }
          }
          // All that may go is gone after a few more, none of which is about these messages.
          table.keepFrom(Number.POSITIVE_INFINITY);
          for (let n = 0; n < 2 * window + steps.length; n++) table.note(id(1_000 + n), 0, sent, ++offset);
          return (
            table.size() <= window + 1 &&
            Array.from({ length: 60 }, (_, i) => id(i + 1)).every((m) => table.look(m, 0) === undefined)
          );
        },
      ),
      { numRuns: 100 },
    ),
  );
});

test('a hint that stands far back lets it grow, and what it took is given back', (t) => {
  const table = createLedgerTable(1_000);
  table.keepFrom(0);
  for (let n = 1; n <= 50_000; n++) table.note(id(n), 0, sent, n);
  t.is(table.size(), 50_000);
  t.true(table.look(id(1), 0)?.ended);
  const grown = table.bytes();
  table.keepFrom(49_000);
  for (let n = 50_001; n <= 60_000; n++) table.note(id(n), 0, sent, n);
  t.is(table.look(id(1), 0), undefined);
  t.true(table.look(id(59_001), 0)?.ended);
  t.is(table.size(), 11_001);
  table.keepFrom(70_000);
  for (let n = 60_001; n <= 70_000; n++) table.note(id(n), 0, sent, n);
  t.is(table.size(), 1_001);
  t.true(table.bytes() < grown / 10, `${grown} -> ${table.bytes()}`);
  t.true(table.look(id(69_500), 0)?.ended);
});

test('a full window takes less than 4 MiB', (t) => {
  const table = createLedgerTable();
  table.keepFrom(Number.POSITIVE_INFINITY);
  for (let n = 1; n <= LEDGER_WINDOW * 1.5; n++) table.note(id(n), 0, sent, n);
  t.is(table.size(), LEDGER_WINDOW + 1);
  t.true(table.bytes() < 4 * 1024 * 1024, `${table.bytes()} bytes`);
});

test('offsets beyond 32 bits are told apart', (t) => {
  const table = createLedgerTable(1_000);
  table.keepFrom(Number.POSITIVE_INFINITY);
  const from = 2 ** 32 - 500;
  for (let n = 0; n < 2_000; n++) table.note(id(n + 1), 0, sent, from + n);
  t.is(table.size(), 1_001);
  t.is(table.look(id(999), 0), undefined);
  t.true(table.look(id(1_000), 0)?.ended);
});

// Ids of one campaign differ in few bits, those of direct messages in 61, and a hash that is no good shows with either.
for (const [title, idOf] of [
  ['messages of one campaign', id],
  ['direct messages of one campaign', (n: number) => directMessageIdOf(CAMPAIGN, `order-${n}`)],
  [
    'the same place in many campaigns',
    (n: number) =>
      messageIdOf(
        `0198c0de-${(n >>> 16).toString(16).padStart(4, '0')}-7abc-8def-${(n & 0xffff).toString(16).padStart(4, '0')}00000000`,
        7,
      ),
  ],
] as const) {
  test(`no two are taken for one another: ${title}`, (t) => {
    const count = 50_000;
    const table = createLedgerTable(4 * count);
    for (let n = 1; n <= count; n++) {
      table.note(idOf(n), 0, sent, n);
      table.note(idOf(n), 1, { ...sent, ended: false, attempt: n % 200 }, n);
    }
    let wrong = 0;
    for (let n = 1; n <= count; n++) {
      if (table.look(idOf(n), 1)?.attempts !== n % 200 || table.look(idOf(n), 0)?.ended !== true) wrong += 1;
      if (table.look(idOf(n), 2) !== undefined) wrong += 1;
    }
    t.is(wrong, 0);
  });
}

test('any text is an id: other teams write to the topic too', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: 'binary', maxLength: 60 }), { maxLength: 50 }), (ids) => {
        const table = createLedgerTable();
        for (const [i, text] of ids.entries()) table.note(text, 0, { ...sent, attempt: i }, i);
        return ids.every((text, i) => table.look(text, 0)?.attempts === i);
      }),
    ),
  );
});
