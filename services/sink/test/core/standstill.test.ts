import test from 'ava';
import { type Writers, whyNoStandstill } from '../../src/core/standstill.ts';

const NOBODY: Writers = { members: [], planned: [], inserts: [] };

/** The answers one after the other, the last for ever; a clock that moves when somebody sleeps. */
async function asking(...answers: Writers[]) {
  let nowMs = 1_000;
  let asked = 0;
  const told: string[] = [];
  const why = await whyNoStandstill(async () => answers[Math.min(asked++, answers.length - 1)] as Writers, {
    monotonicMs: () => nowMs,
    sleep: async (ms) => {
      nowMs += ms;
    },
    onWait: (reason) => told.push(reason),
  });
  return { why, asked, told, waitedMs: nowMs - 1_000 };
}

test('where nobody writes nobody is waited for', async (t) => {
  t.deepEqual(await asking(NOBODY), { why: undefined, asked: 1, told: [], waitedMs: 0 });
});

const passing: [string, Partial<Writers>, RegExp][] = [
  ['a sink in its group', { members: ['volley-sink-0'] }, /group of the sinks \(volley-sink-0\): stop every sink/],
  ['an insert', { inserts: ['q1', 'q2'] }, /query ids q1, q2/],
  ['a sink that has a plan', { members: ['volley-sink-0'], planned: [3] }, /stop every sink/],
];
for (const [what, writers, sentence] of passing) {
  test(`${what} is waited for, longer than a session, and then told`, async (t) => {
    const there = { ...NOBODY, ...writers };
    t.is((await asking(there, there, there, NOBODY)).why, undefined);
    const { why, told, waitedMs } = await asking(there);
    t.regex(why ?? '', sentence);
    t.deepEqual(told, [why]);
    t.true(waitedMs > 10_000 && waitedMs < 20_000, `${waitedMs}`);
  });
}

test('an insert that is planned and that nobody makes is told at once: no time ends it', async (t) => {
  const { why, told, waitedMs } = await asking({ ...NOBODY, planned: [0, 7] });
  t.regex(why ?? '', /planned for partitions 0, 7: start the sink/);
  t.deepEqual(told, []);
  t.is(waitedMs, 0);
});

test('what a killed sink had planned is told when it is out of its group', async (t) => {
  const killed = { ...NOBODY, members: ['volley-sink-0'], planned: [2] };
  t.regex((await asking(killed, killed, { ...killed, members: [] })).why ?? '', /planned for partitions 2/);
});
