import test from 'ava';
import { createHints, inheritedOf } from '../../src/core/hints.ts';
import type { Tracked } from '../../src/core/job.ts';
import { createMark, type Mark, NO_MARK } from '../../src/core/marks.ts';
import { CRASHES, createTrials } from '../../src/core/trials.ts';

const TOPIC = 'bulk';
const recordsOf = (partition: number, ...offsets: number[]) =>
  offsets.map((offset) => ({ record: { topic: TOPIC, partition, offset }, epoch: 1 }) as unknown as Tracked);
const places = (of: readonly Tracked[]) => of.map(({ record }) => `${record.partition}/${record.offset}`);

/** Trials over two partitions with these marks, on a clock of their own; commits are acknowledged by hand. */
function bench(marks: readonly Mark[] = [NO_MARK, NO_MARK], ended: readonly string[] = []) {
  const of = marks.map((mark) => createMark(mark, 0));
  const state = { nowMs: 0, idle: true, handled: [] as string[], aside: [] as string[], resumed: 0 };
  const commits: (() => void)[] = [];
  const trials = createTrials({
    markOf: (_topic, partition) => of[partition],
    commit: () => new Promise((resolve) => commits.push(resolve)),
    handle: (records) => void state.handled.push(...places(records)),
    quarantine: (tracked, crashes) => void state.aside.push(`${places([tracked])[0]} ${crashes}`),
    isEnded: (tracked) => ended.includes(places([tracked])[0] as string),
    isIdle: () => state.idle,
    monotonicMs: () => state.nowMs,
    resumed: () => void state.resumed++,
    onBug: (error) => {
      throw error;
    },
  });
  trials.assigned(marks.map((_, partition) => ({ topic: TOPIC, partition })));
  const acknowledge = async () => {
    for (const done of commits.splice(0)) done();
    await new Promise((resolve) => setImmediate(resolve));
    while (trials.goOn());
  };
  return { trials, state, commits, of, acknowledge };
}

test('the first records of a partition wait until it is committed that somebody begins, later ones do not', async (t) => {
  const { trials, state, commits, of, acknowledge } = bench();
  trials.offer(recordsOf(0, 0, 1));
  trials.offer(recordsOf(0, 2));
  t.deepEqual(state.handled, []);
  t.is(of[0]?.at(0, false).starts, 1);
  await acknowledge();
  t.deepEqual(state.handled, ['0/0', '0/1', '0/2']);
  trials.offer(recordsOf(0, 3));
  t.deepEqual(state.handled.slice(3), ['0/3']);
  t.is(commits.length, 0);
  trials.offer(recordsOf(1, 0));
  t.is(commits.length, 1, 'each partition for itself');
});

test('an assignment that ends before the commit drops what waited, and its answer starts nothing', async (t) => {
  const { trials, state, acknowledge } = bench();
  trials.offer(recordsOf(0, 0));
  trials.clear();
  await acknowledge();
  t.deepEqual(state.handled, []);
  t.is(trials.waiting(), 0);
});

test('after two deaths at a beginning: one by one, each named first, the next one when nothing runs', async (t) => {
  const { trials, state, of, acknowledge } = bench([{ starts: 2, suspect: -1, tries: 0 }, NO_MARK]);
  trials.offer(recordsOf(0, 5, 6));
  await acknowledge();
  t.deepEqual(state.handled, []);
  t.like(of[0]?.at(0, false), { suspect: 5, tries: 1 });
  state.idle = false;
  await acknowledge();
  t.deepEqual(state.handled, ['0/5']);
  await acknowledge();
  t.deepEqual(state.handled, ['0/5'], 'it is under way');
  state.idle = true;
  await acknowledge();
  t.like(of[0]?.at(0, false), { suspect: 6, tries: 1 });
  await acknowledge();
  t.deepEqual(state.handled, ['0/5', '0/6']);
  await acknowledge();
  t.like(of[0]?.at(0, false), { suspect: -1, tries: 0 });
});

test('the caution is over after ten seconds, also beside a call that hangs', async (t) => {
  const { trials, state, acknowledge } = bench([{ starts: 2, suspect: -1, tries: 0 }, NO_MARK]);
  trials.offer(recordsOf(0, 5, 6, 7));
  await acknowledge();
  state.idle = false;
  await acknowledge();
  state.nowMs = 9_999;
  trials.goOn();
  t.deepEqual(state.handled, ['0/5']);
  state.nowMs = 10_000;
  trials.goOn();
  t.deepEqual(state.handled, ['0/5', '0/6', '0/7']);
});

test('what so many have died of alone is put aside, once, and what has ended needs no trial', async (t) => {
  const died = { starts: 0, suspect: 6, tries: CRASHES };
  const { trials, state, of, acknowledge } = bench([died, NO_MARK], ['0/5']);
  trials.offer(recordsOf(0, 5, 6, 7));
  await acknowledge();
  t.deepEqual(state.aside, [`0/6 ${CRASHES}`]);
  t.deepEqual(state.handled, ['0/5']);
  t.like(of[0]?.at(0, false), { suspect: 7, tries: 1 }, 'the death before was not of this one');
});

test('a mark: rises with each death, falls when something was done, is not of those that left in order', (t) => {
  const mark = createMark({ starts: 1, suspect: 4, tries: 2 }, 3);
  t.deepEqual(mark.at(3, false), { starts: 1, suspect: 4, tries: 2 }, 'who did nothing changes nothing');
  mark.begin();
  t.is(mark.at(3, false).starts, 2);
  t.is(mark.at(3, true).starts, 1);
  t.is(mark.at(4, false).starts, 0, 'the watermark has moved');
  t.is(mark.try(4), 2);
  t.like(mark.at(3, false), { suspect: 4, tries: 3 });
  t.like(mark.at(3, true), { suspect: 4, tries: 2 });
  t.like(mark.at(5, false), { suspect: -1, tries: 0 }, 'it is through');
  t.is(mark.try(7), 0);
  t.like(mark.at(3, true), { suspect: -1, tries: 0 });
  mark.progressed();
  t.is(mark.at(3, false).starts, 0);
});

test('marks go through the metadata beside the offset, and an event of the partition is progress', (t) => {
  const hints = createHints({ isOpen: () => true, end: () => 0, keepFrom() {} });
  hints.assigned(TOPIC, 0, { hint: 0, reach: 9, mark: NO_MARK, from: 3 });
  hints.mark(TOPIC, 0)?.begin();
  hints.mark(TOPIC, 0)?.try(4);
  const markOf = (isLast: boolean) =>
    inheritedOf({ committed: 3, logEnd: 9, metadata: hints.metadata(TOPIC, 0, 3, isLast) ?? '' })?.mark;
  t.deepEqual(markOf(false), { starts: 1, suspect: 4, tries: 1 });
  t.deepEqual(markOf(true), NO_MARK);
  hints.note(TOPIC, 0, 3, 0);
  t.is(markOf(false)?.starts, 0);
  for (const metadata of ['"starts":-1', '"starts":"x"', '"tries":1e400', '"suspect":{}'])
    t.deepEqual(
      inheritedOf({ committed: 3, logEnd: 9, metadata: `{"v":1,"hint":0,"reach":0,${metadata}}` })?.mark,
      NO_MARK,
      metadata,
    );
});

test('a process that lives for half a minute does not die of how it began', async (t) => {
  const { trials, state, of, acknowledge } = bench();
  trials.offer(recordsOf(0, 0));
  await acknowledge();
  t.is(of[0]?.at(0, false).starts, 1);
  state.nowMs = 30_000;
  trials.goOn();
  t.is(of[0]?.at(0, false).starts, 0);
});
