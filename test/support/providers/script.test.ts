import test from 'ava';
import { createJournal } from './journal.ts';
import { type Answer, stepOf } from './script.ts';

/** What the first three calls meet. */
const SCRIPTS: readonly [recipient: string, answers: readonly Answer[]][] = [
  ['p1.tag@example.org', ['accept', 'accept', 'accept']],
  ['p1.tag+refuse@example.org', ['refuse', 'refuse', 'refuse']],
  ['p1.tag+transient2@example.org', ['transient', 'transient', 'accept']],
  ['p1.tag+always-transient@example.org', ['transient', 'transient', 'transient']],
  ['p1.tag+throttle@example.org', ['throttle', 'accept', 'accept']],
  ['p1.tag+throttle-date@example.org', ['throttle-date', 'accept', 'accept']],
  ['p1.tag+always-throttle@example.org', ['throttle', 'throttle', 'throttle']],
  ['p1.tag+timeout@example.org', ['hang', 'hang', 'hang']],
  ['p1.tag+hang1@example.org', ['hang', 'accept', 'accept']],
  ['p1.tag+drip@example.org', ['drip', 'drip', 'drip']],
  ['p1.tag+lost@example.org', ['lost', 'accept', 'accept']],
  ['p1.tag+reset2@example.org', ['reset', 'reset', 'accept']],
  ['p1.tag+slow500@example.org', ['accept', 'accept', 'accept']],
  ['http://127.0.0.1:1/hooks/p1+lost', ['lost', 'accept', 'accept']],
  ['p1+unheard-of@example.org', ['accept', 'accept', 'accept']],
];
for (const [recipient, answers] of SCRIPTS) {
  test(`${recipient} meets ${answers.join(', ')}`, (t) => {
    t.deepEqual(
      answers.map((_, i) => stepOf(recipient, i + 1).answer),
      answers,
    );
  });
}

test('slow answers come when they were asked to', (t) => {
  t.is(stepOf('p1+slow500@example.org', 1).afterMs, 500);
});

test('a journal counts the calls of each message, and says which were taken', (t) => {
  const journal = createJournal(() => 7);
  for (const recipient of ['a+lost@x', 'a+lost@x', 'b+refuse@x']) journal.take(recipient.slice(0, 1), recipient);
  t.deepEqual(journal.receipts(), [
    { messageId: 'a', attempt: 1, accepted: true, recipient: 'a+lost@x', atMs: 7 },
    { messageId: 'a', attempt: 2, accepted: true, recipient: 'a+lost@x', atMs: 7 },
    { messageId: 'b', attempt: 1, accepted: false, recipient: 'b+refuse@x', atMs: 7 },
  ]);
});

test('a burst meets its share of the calls, the same ones each time, and leaves scripts alone', (t) => {
  const run = () => {
    const journal = createJournal(() => 0);
    journal.setMood({ share: 0.5 });
    for (let n = 0; n < 1_000; n++) journal.take(`m${n}`, `p${n}@example.org`);
    journal.take('refused', 'p+refuse@example.org');
    return journal.entries.map((entry) => entry.answer);
  };
  const first = run();
  t.deepEqual(first, run());
  const failed = first.filter((answer) => answer === 'transient').length;
  t.true(failed > 450 && failed < 550, `${failed} of 1000`);
  t.is(first.at(-1), 'refuse');
});
