import { createRepeatRule, messageIdOf, TERMINAL_KINDS } from '@volley/contract';
import test from 'ava';
import fc from 'fast-check';
import {
  type CampaignPart,
  type CountedEvent,
  campaignPart,
  changedParts,
  count,
  emptyTally,
  endedOf,
  hasFailures,
  hasSurplus,
  isComplete,
  markSaved,
  newestSum,
  partitionBook,
  sumTallies,
  type Tally,
} from '../../src/core/progress.ts';
import { statsView } from '../../src/core/stats.ts';

const part = (audience: number): CampaignPart => campaignPart(audience, emptyTally());
const event = (kind: string, change: Partial<CountedEvent> = {}): CountedEvent => ({
  ordinal: 1,
  kind,
  previousKind: null,
  deferrals: 0,
  occurredAtMs: 1,
  repeat: false,
  ...change,
});
const tallyOf = (change: Partial<Tally>): Tally => ({ ...emptyTally(), ...change });

const COUNTS: [title: string, events: CountedEvent[], last: string, tally: object][] = [
  ['an end', [event('sent')], 'ended', { sent: 1, retrying: 0 }],
  ['a repeat of it', [event('sent'), event('sent', { repeat: true })], 'repeat', { sent: 1 }],
  ['a first deferral', [event('deferred')], 'deferred', { retrying: 1 }],
  ['a later deferral', [event('deferred'), event('deferred', { deferrals: 1 })], 'deferred', { retrying: 1 }],
  ['an end after deferrals', [event('deferred'), event('dead', { deferrals: 2 })], 'ended', { retrying: 0, dead: 1 }],
  [
    'a redrive takes the message out of its state',
    [event('failed'), event('redriven', { previousKind: 'failed' })],
    'redriven',
    { failed: 0, redriven: 1 },
  ],
  [
    'and it counts where it ends then',
    [event('failed'), event('redriven', { previousKind: 'failed' }), event('sent')],
    'ended',
    { failed: 0, sent: 1, redriven: 1 },
  ],
  [
    'a redrive that was told twice',
    [event('dead'), event('redriven', { previousKind: 'dead', repeat: true })],
    'repeat',
    { dead: 1, redriven: 0 },
  ],
  ['a redrive out of no state', [event('redriven')], 'surplus', { redriven: 0, surplus: 1 }],
  [
    'a redrive out of a state that is none',
    [event('redriven', { previousKind: '__proto__' })],
    'surplus',
    { surplus: 1 },
  ],
  ['a direct message', [event('sent', { ordinal: 0 })], 'ended', { sent: 1 }],
  ['an ordinal beyond the audience', [event('sent', { ordinal: 11 })], 'surplus', { sent: 0, surplus: 1 }],
  ['no number', [event('sent', { ordinal: Number.NaN })], 'surplus', { surplus: 1 }],
  ['what a provider says later', [event('delivered')], 'ignored', { sent: 0, surplus: 0 }],
  ['an unknown kind', [event('unknown')], 'ignored', { surplus: 0 }],
];
for (const [title, events, last, tally] of COUNTS) {
  test(`${title}: ${last}`, (t) => {
    const p = part(10);
    let outcome = '';
    for (const e of events) outcome = count(p, e);
    t.is(outcome, last);
    t.like(p.tally, tally);
  });
}

const statsOf = (total: number, tally: Tally, growing = false) =>
  statsView({
    campaignId: 'c',
    status: 'running',
    total,
    growing,
    tally,
    percentiles: { p50_ms: null, p95_ms: null, p99_ms: null, asOfMs: null, stale: false },
    asOfMs: 0,
    nowMs: 0,
  });
const sumOf = (s: ReturnType<typeof statsOf>) =>
  s.queued + s.retrying + TERMINAL_KINDS.reduce((sum, kind) => sum + s[kind], 0);

/** What becomes of a message in the log: its runs, each with its deferrals, and how often each event is told. */
const anyMessage = fc.array(
  fc.record({
    deferrals: fc.nat({ max: 3 }),
    end: fc.constantFrom(...TERMINAL_KINDS),
    ended: fc.boolean(),
    told: fc.integer({ min: 1, max: 3 }),
  }),
  { minLength: 1, maxLength: 3, size: 'max' },
);

test('however often it is told, each message counts once under its latest run, and the states add up all the time', (t) => {
  fc.assert(
    fc.property(
      fc.array(anyMessage, { minLength: 1, maxLength: 12, size: 'max' }),
      fc.infiniteStream(fc.nat()),
      (messages, dice) => {
        const total = messages.length;
        const id = '01a1fdc2-e2c6-780b-84ec-2fe500000000';
        // Of each message a story; the stories are mixed as a partition mixes them.
        const stories = messages.map((runs, i) => {
          const story: { run: number; kind: string; deferrals: number; previous: string | null }[] = [];
          for (const [run, { deferrals, end, ended, told }] of runs.entries()) {
            const previous = runs[run - 1];
            const steps = [];
            if (previous) steps.push({ run, kind: 'redriven', deferrals: 0, previous: previous.end });
            for (let n = 0; n < deferrals; n++) steps.push({ run, kind: 'deferred', deferrals: n, previous: null });
            if (ended) steps.push({ run, kind: end, deferrals, previous: null });
            for (const step of steps) for (let n = 0; n < told; n++) story.push(step);
            if (!ended) break;
          }
          return { ordinal: i + 1, story, told: 0 };
        });
        const rule = createRepeatRule();
        const p = part(total);
        const dices = dice[Symbol.iterator]();
        for (let offset = 0; ; offset++) {
          const open = stories.filter((s) => s.told < s.story.length);
          const next = open[(dices.next().value as number) % open.length];
          if (!next) break;
          const { run, kind, deferrals, previous } = next.story[next.told++] as (typeof next.story)[number];
          const message_id = messageIdOf(id, next.ordinal);
          const repeat = rule.offer(offset, { message_id, run, kind: kind as 'sent', deferrals }) === 'repeat';
          count(p, event(kind, { ordinal: next.ordinal, previousKind: previous, deferrals, repeat }));
          const stats = statsOf(total, p.tally);
          if (sumOf(stats) !== total || p.tally.retrying < 0 || TERMINAL_KINDS.some((k) => p.tally[k] < 0))
            return false;
        }
        const lastRuns = messages.map((runs) => runs.find((r) => !r.ended) ?? runs.at(-1));
        const ends = lastRuns.filter((r) => r?.ended);
        const retrying = lastRuns.filter((r) => r && !r.ended && r.deferrals > 0).length;
        return (
          p.tally.retrying === retrying &&
          TERMINAL_KINDS.every((kind) => p.tally[kind] === ends.filter((r) => r?.end === kind).length) &&
          isComplete({ expected: total, accepted: 0, open: false }, p.tally) === (ends.length === total)
        );
      },
    ),
  );
  t.pass();
});

test('a deferral whose event was lost in a crash takes nothing from the sum', (t) => {
  // The record is in its tier, the process died before it told of that: the message ends with a deferral nobody counted.
  const p = part(2);
  count(p, event('sent', { deferrals: 1 }));
  t.is(p.tally.retrying, -1);
  t.like(statsOf(2, p.tally), { sent: 1, retrying: 0, queued: 1 });
  t.is(sumOf(statsOf(2, tallyOf({ sent: 2, retrying: 1 }))), 2);
});

test('a total that grows is never less than what has ended', (t) => {
  t.like(statsOf(3, tallyOf({ sent: 5 }), true), { total: 5, sent: 5, queued: 0, retrying: 0 });
  t.like(statsOf(3, tallyOf({ sent: 5 })), { total: 3, sent: 5 }, 'a frozen audience does not grow: this is an alarm');
});

test('only what changed is saved, and what nothing touches any more leaves memory', (t) => {
  const book = partitionBook(3, 100, createRepeatRule());
  const one = part(10);
  book.parts.set('a', one);
  book.parts.set('b', part(10));
  book.parts.set('c', null);
  count(one, event('sent'));
  book.next = 102;
  t.deepEqual(
    changedParts(book).map((c) => c.campaignId),
    ['a'],
  );
  markSaved(book);
  t.is(book.saved, 102);
  t.deepEqual([...book.parts.keys()], ['a']);
  t.deepEqual(changedParts(book), []);
  markSaved(book);
  t.is(book.parts.size, 0);
});

const TOTALS: [title: string, totals: object, tally: Partial<Tally>, complete: boolean, surplus: boolean][] = [
  ['some are left', {}, { sent: 2 }, false, false],
  ['all have ended', {}, { sent: 1, failed: 1, expired: 1 }, true, false],
  ['one of them was redriven', {}, { sent: 2, redriven: 1 }, false, false],
  ['and has ended again', {}, { sent: 3, redriven: 1 }, true, false],
  ['more than there are', {}, { sent: 4 }, false, true],
  ['one that it cannot have', {}, { sent: 3, surplus: 1 }, false, true],
  ['direct messages, and it is open', { expected: 0, accepted: 3, open: true }, { sent: 3 }, false, false],
  ['direct messages, and it is closed', { expected: 0, accepted: 3 }, { sent: 3 }, true, false],
  ['closed with some on their way', { expected: 0, accepted: 4 }, { sent: 3 }, false, false],
  ['closed, and none was ever taken', { expected: 0 }, {}, true, false],
  ['open, and more were taken since', { expected: 0, accepted: 3, open: true }, { sent: 4 }, false, false],
];
for (const [title, totals, tally, complete, surplus] of TOTALS)
  test(`${title}: ${complete ? '' : 'not '}complete${surplus ? ', an alarm' : ''}`, (t) => {
    const c = { expected: 3, accepted: 0, open: false, ...totals };
    t.is(isComplete(c, tallyOf(tally)), complete);
    t.is(hasSurplus(c, tallyOf(tally)), surplus);
  });

test('partitions add up, and of each the newer of store and memory counts', (t) => {
  const sum = sumTallies([
    tallyOf({ sent: 1, firstAtMs: 10, lastAtMs: 10, retrying: 1 }),
    tallyOf({ failed: 1, redriven: 1, surplus: 1, firstAtMs: 5, lastAtMs: 5, retrying: -1 }),
  ]);
  t.like(sum, { sent: 1, failed: 1, redriven: 1, surplus: 1, retrying: 0, firstAtMs: 5, lastAtMs: 10 });
  t.true(hasFailures(sum));
  t.false(hasFailures(tallyOf({ sent: 1, cancelled: 1, suppressed: 1 })));
  const newest = (saved: Partial<Tally>, live: Partial<Tally>) =>
    newestSum(
      new Map([
        [1, tallyOf(saved)],
        [2, tallyOf({ dead: 1 })],
      ]),
      new Map([[1, tallyOf(live)]]),
    );
  t.like(newest({ sent: 1 }, { sent: 2 }), { sent: 2, dead: 1 }, 'memory is ahead');
  t.like(newest({ sent: 3 }, { sent: 2 }), { sent: 3, dead: 1 }, 'another process counts this partition now');
  t.like(newest({ failed: 2 }, { failed: 1, redriven: 1 }), { failed: 1, redriven: 1 }, 'a redrive makes it fewer');
  t.like(newest({ sent: 1 }, { sent: 1, retrying: 1 }), { retrying: 1 });
  t.is(endedOf(newestSum(new Map(), new Map())), 0);
});
