import test from 'ava';
import { boundOf, type History } from '../history.ts';
import { ALWAYS, check } from './check.ts';
import { INVARIANTS } from './facts.ts';
import { goodHistory, id } from './good-history.ts';
import { MUTANTS } from './mutants.ts';
import { MUTANTS_OF_ORDER } from './mutants-of-order.ts';

const ALL = [...MUTANTS, ...MUTANTS_OF_ORDER];

test('a good history has no problem, under any invariant', (t) => {
  const verdict = check(goodHistory(), {}, INVARIANTS);
  t.deepEqual(verdict.problems, []);
  t.deepEqual(new Set(Object.values(verdict.outcomes)), new Set(['held']));
  t.like(verdict.states, { sent: 12, failed: 1, dead: 1, expired: 1, cancelled: 0, suppressed: 0 });
  t.is(verdict.lost, 0);
  t.is(verdict.accepted, 15);
  t.true(Object.values(verdict.doubled).every((count) => count === 0));
});

for (const mutant of ALL) {
  test(`${mutant.by}: the checker sees that ${mutant.name}`, (t) => {
    const history = goodHistory();
    const { problems, outcomes } = check({ ...history, ...mutant.of(history) }, {}, INVARIANTS);
    const seen = problems.filter((problem) => problem.startsWith(`${mutant.by} `) && mutant.says.test(problem));
    t.true(seen.length > 0, problems.join('\n') || 'no problem was seen');
    t.true(seen.join('\n').includes(mutant.names), seen.join('\n'));
    t.is(outcomes[mutant.by], 'broken');
  });
}

test('every invariant has mutants', (t) => {
  for (const name of INVARIANTS) t.true(ALL.filter((mutant) => mutant.by === name).length >= 3, name);
});

test('an empty history proves nothing: every invariant is unknown, and that is a problem', (t) => {
  const { calls: _, positions: __, snapshots: ___, ...rest } = goodHistory();
  const nothing = { messages: [], moved: [], events: [], deadLetters: [], rows: [], receipts: [] };
  const empty: History = { ...rest, ...nothing, direct: [], expected: 0, stats: { ...rest.stats, total: 0 } };
  const { problems, outcomes } = check(empty, {}, INVARIANTS);
  t.deepEqual(new Set(Object.values(outcomes)), new Set(['unknown']));
  t.is(problems.length, INVARIANTS.length);
  t.is(check(empty).problems.length, ALWAYS.length);
});

test('a history without the journal of a caller or the places of the groups is judged by the rest', (t) => {
  const { calls: _, positions: __, snapshots: ___, ...rest } = goodHistory();
  t.deepEqual(check(rest).problems, []);
  t.like(check(rest).outcomes, { I3: 'unknown', I8: 'unknown' });
});

test('what a death may double is counted and allowed up to its bound', (t) => {
  const history = goodHistory();
  const [first, second] = history.receipts as [History['receipts'][number], History['receipts'][number]];
  const doubled = { ...history, receipts: [...history.receipts, first] };
  const verdict = check(doubled, boundOf({ deaths: 1, slots: 8 }));
  t.deepEqual(verdict.problems, []);
  t.like(verdict.doubled, { duplicateSends: 1, duplicatesOfOne: 1 });
  // One death repeats each message at most once, however many slots there are.
  const often = { ...history, receipts: [...history.receipts, first, first] };
  t.regex(check(often, boundOf({ deaths: 1, slots: 8 })).problems.join('\n'), /I5 taken more often than 1 deaths/);
  t.deepEqual(check(often, boundOf({ deaths: 2, slots: 8 })).problems, []);
  const many = { ...history, receipts: [...history.receipts, first, second] };
  t.regex(check(many, boundOf({ deaths: 1, slots: 1 })).problems.join('\n'), /duplicateSends: 2, at most 1/);
});

test('loss is never allowed, whatever is', (t) => {
  const history = goodHistory();
  const everything = { ...boundOf({ deaths: 99, slots: 99 }), doubledMessages: 99, doubledRows: 99 };
  const gone = (list: readonly { messageId: string }[]) => list.filter((item) => item.messageId !== id(1)) as never;
  const lost = check({ ...history, events: gone(history.events), rows: gone(history.rows) }, everything);
  t.regex(lost.problems.join('\n'), /I1 messages without an end: 1/);
  t.is(lost.lost, 1);
  const unread = check({ ...history, messages: gone(history.messages) }, everything);
  t.regex(unread.problems.join('\n'), /I4 messages never written to the lane: 1/);
});

test('of two records of one move that a death has left the first that is due may run', (t) => {
  const history = goodHistory();
  const record = history.moved.find((m) => m.messageId === id(11)) as History['moved'][number];
  const problems = (...more: History['moved']) =>
    check({ ...history, moved: [...history.moved, ...more] }, boundOf({ deaths: 1, slots: 8 })).problems.join('\n');
  t.is(problems({ ...record, offset: 99, notBeforeMs: record.notBeforeMs + 60_000 }), '');
  const late = history.moved.map((m) => (m === record ? { ...m, notBeforeMs: m.notBeforeMs + 60_000 } : m));
  t.regex(check({ ...history, moved: late }).problems.join('\n'), /I9 tried before their time/);
});

test('after a death between a record in a tier and its event, the record tells of the attempt', (t) => {
  const history = goodHistory();
  const moved = history.events.find((e) => e.messageId === id(12) && e.tier === '5s');
  const rest = {
    events: history.events.filter((e) => e !== moved),
    rows: history.rows.filter((row) => row.partition !== moved?.partition || row.offset !== moved.offset),
  };
  const problems = (h: History) => check(h, boundOf({ deaths: 1, slots: 8 })).problems.join('\n');
  t.notRegex(problems({ ...history, ...rest }), /gap/);
  const untold = history.moved.filter((m) => m.messageId !== id(12) || m.tier !== '5s');
  t.regex(problems({ ...history, ...rest, moved: untold }), /I7 .*gap/);
  t.regex(check({ ...history, ...rest }).problems.join('\n'), /I7 .*gap/);
});

test('after a death the same attempt may be said twice, but none is skipped', (t) => {
  const history = goodHistory();
  const sent = history.events.find((e) => e.messageId === id(3) && e.kind === 'sent');
  const skipped = history.events.map((e) => (e === sent ? { ...e, attempt: 3 } : e));
  t.regex(check({ ...history, events: skipped }, boundOf({ deaths: 1, slots: 8 })).problems.join('\n'), /I7 .*gap/);
  const again = history.events.map((e) => (e === sent ? { ...e, attempt: 1 } : e));
  t.deepEqual(check({ ...history, events: again }, boundOf({ deaths: 1, slots: 8 })).problems, []);
});
