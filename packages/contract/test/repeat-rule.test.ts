import test from 'ava';
import fc from 'fast-check';
import { campaignIdFrom, messageIdOf } from '../src/ids.ts';
import { isTerminal } from '../src/kinds.ts';
import { createRepeatRule, REPEAT_WINDOW, type RuledEvent } from '../src/repeat-rule.ts';

const CAMPAIGN = campaignIdFrom(1_795_000_000_000, new Uint8Array(6).fill(7));
type Kind = RuledEvent['kind'];
type Short = readonly [kind: Kind, run?: number, deferrals?: number, message?: number];
const event = ([kind, run = 0, deferrals = 0, message = 1]: Short): RuledEvent => ({
  message_id: messageIdOf(CAMPAIGN, message),
  run,
  kind,
  deferrals,
});
const answers = (events: readonly Short[], window?: number) => {
  const rule = createRepeatRule(window);
  return events.map((e, offset) => rule.offer(offset, event(e)));
};

const CASES: [title: string, events: Short[], last: 'counts' | 'repeat'][] = [
  ['an end', [['sent']], 'counts'],
  ['a second end', [['sent'], ['sent']], 'repeat'],
  ['another end after the first', [['sent'], ['failed']], 'repeat'],
  ['an end of another message', [['sent'], ['sent', 0, 0, 2]], 'counts'],
  ['a first deferral', [['deferred']], 'counts'],
  ['a first deferral twice', [['deferred'], ['deferred']], 'repeat'],
  ['a later deferral', [['deferred'], ['deferred', 0, 1]], 'counts'],
  [
    'a later deferral twice: it is counted nowhere',
    [
      ['deferred', 0, 1],
      ['deferred', 0, 1],
    ],
    'counts',
  ],
  ['an end after a deferral', [['deferred'], ['sent', 0, 1]], 'counts'],
  ['a deferral after the end', [['sent'], ['deferred']], 'repeat'],
  ['a later deferral after the end', [['sent'], ['deferred', 0, 3]], 'repeat'],
  ['a redrive', [['dead'], ['redriven', 1]], 'counts'],
  ['a redrive without its end: that lies further back', [['redriven', 1]], 'counts'],
  ['a redrive twice', [['dead'], ['redriven', 1], ['redriven', 1]], 'repeat'],
  [
    'a redrive after what it brought',
    [
      ['sent', 1],
      ['redriven', 1],
    ],
    'repeat',
  ],
  [
    'a redrive after the deferral of what it brought',
    [
      ['deferred', 1],
      ['redriven', 1],
    ],
    'repeat',
  ],
  [
    'a redrive after the next one',
    [
      ['redriven', 2],
      ['redriven', 1],
    ],
    'repeat',
  ],
  ['the end of the new run', [['dead'], ['redriven', 1], ['sent', 1]], 'counts'],
  ['the first deferral of the new run', [['deferred'], ['dead', 0, 1], ['redriven', 1], ['deferred', 1]], 'counts'],
  ['a late end of the old run, whose own is out of sight', [['redriven', 1], ['dead']], 'repeat'],
  ['a late deferral of the old run', [['redriven', 1], ['deferred']], 'repeat'],
  [
    'a late further deferral of the old run',
    [
      ['redriven', 1],
      ['deferred', 0, 2],
    ],
    'repeat',
  ],
  ['the second redrive', [['dead'], ['redriven', 1], ['dead', 1], ['redriven', 2]], 'counts'],
  ['what a provider says later', [['sent'], ['delivered'], ['delivered']], 'counts'],
  ['a kind of a later version', [['sent'], ['unknown']], 'counts'],
];
for (const [title, events, last] of CASES)
  test(`${title}: ${last}`, (t) => {
    t.is(answers(events).at(-1), last);
  });

test('the window is the records before, by offset: the last of it is seen, the one before that is not', (t) => {
  for (const [distance, answer] of [
    [1, 'repeat'],
    [REPEAT_WINDOW - 1, 'repeat'],
    [REPEAT_WINDOW, 'repeat'],
    [REPEAT_WINDOW + 1, 'counts'],
    [2 * REPEAT_WINDOW, 'counts'],
    [9 * REPEAT_WINDOW + 5, 'counts'],
  ] as const) {
    const rule = createRepeatRule();
    rule.offer(7, event(['sent']));
    t.is(rule.offer(7 + distance, event(['sent'])), answer, `${distance} records later`);
  }
});

test('a repeat keeps the message in sight', (t) => {
  const rule = createRepeatRule(4);
  t.deepEqual(
    [0, 3, 6, 9, 14].map((offset) => rule.offer(offset, event(['sent']))),
    ['counts', 'repeat', 'repeat', 'repeat', 'counts'],
  );
});

test('an offset that does not rise is a mistake of the caller', (t) => {
  const rule = createRepeatRule(4);
  rule.offer(5, event(['sent']));
  t.throws(() => rule.offer(5, event(['sent'])), { instanceOf: RangeError });
  t.throws(() => rule.offer(4, event(['sent'])), { instanceOf: RangeError });
  t.throws(() => createRepeatRule(100), { instanceOf: RangeError });
});

const KINDS = ['sent', 'failed', 'dead', 'expired', 'deferred', 'deferred', 'redriven', 'delivered'] as const;
const anyLog = (length: number, messages: number) =>
  fc.array(
    fc.record({
      skipped: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 40 }) }),
      kind: fc.constantFrom(...KINDS),
      run: fc.nat({ max: 2 }),
      deferrals: fc.nat({ max: 1 }),
      message: fc.integer({ min: 1, max: messages }),
    }),
    { maxLength: length, size: 'max' },
  );
const placed = (log: readonly { skipped: number; kind: Kind; run: number; deferrals: number; message: number }[]) => {
  let offset = -1;
  return log.map(({ skipped, kind, run, deferrals, message }) => {
    offset += 1 + skipped;
    return { offset, event: event([kind, run, deferrals, message]) };
  });
};

/** The table as it stands in the docstring, by looking through the records before. */
function asWritten(log: ReturnType<typeof placed>, at: number, window: number): 'counts' | 'repeat' {
  const { offset, event: e } = log[at] as (typeof log)[number];
  const before = log
    .slice(0, at)
    .filter((r) => r.offset >= offset - window && r.event.message_id === e.message_id)
    .map((r) => r.event);
  const ended = before.some((b) => isTerminal(b.kind) && b.run === e.run);
  const next = before.some((b) => b.kind === 'redriven' && b.run === e.run + 1);
  const deferred = before.some((b) => b.kind === 'deferred' && b.deferrals === 0 && b.run === e.run);
  const redriven = before.some((b) => b.kind === 'redriven' && b.run === e.run);
  const repeat = {
    deferred: ended || next || (e.deferrals === 0 && deferred),
    redriven: ended || next || deferred || redriven,
  };
  if (isTerminal(e.kind)) return ended || next ? 'repeat' : 'counts';
  if (e.kind === 'deferred' || e.kind === 'redriven') return repeat[e.kind] ? 'repeat' : 'counts';
  return 'counts';
}

const ruled = (log: ReturnType<typeof placed>, window: number) => {
  const rule = createRepeatRule(window);
  return log.map((r) => rule.offer(r.offset, r.event));
};

test('whatever the log holds, the answers are those of the table', (t) => {
  fc.assert(
    fc.property(anyLog(200, 12), fc.constantFrom(1, 2, 8, 32, 128), (events, window) => {
      const log = placed(events);
      t.deepEqual(
        ruled(log, window),
        log.map((_, at) => asWritten(log, at, window)),
      );
    }),
    { numRuns: 400 },
  );
});

test('a rule that is built from any place a window back, or further, gives the same answers', (t) => {
  fc.assert(
    fc.property(anyLog(200, 8), fc.constantFrom(4, 16, 64), fc.nat(), fc.nat(), (events, window, a, b) => {
      const log = placed(events);
      const end = (log.at(-1)?.offset ?? 0) + 1;
      const from = a % end;
      const start = Math.max(0, from - window - (b % 50));
      const whole = ruled(log, window);
      const built = ruled(
        log.filter((r) => r.offset >= start),
        window,
      );
      const compared = log.filter((r) => r.offset >= from).length;
      t.deepEqual(built.slice(built.length - compared), whole.slice(whole.length - compared));
    }),
    { numRuns: 400 },
  );
});

test('a full window of different messages is told apart, each of them', (t) => {
  const rule = createRepeatRule();
  let wrong = 0;
  for (let n = 1; n <= REPEAT_WINDOW; n++) if (rule.offer(n, event(['sent', 0, 0, n])) !== 'counts') wrong += 1;
  for (let n = 1; n <= REPEAT_WINDOW; n++)
    if (rule.offer(REPEAT_WINDOW + n, event(['dead', 0, 0, n])) !== 'repeat') wrong += 1;
  for (let n = 1; n <= REPEAT_WINDOW; n++)
    if (rule.offer(2 * REPEAT_WINDOW + n, event(['dead', 0, 0, REPEAT_WINDOW + n])) !== 'counts') wrong += 1;
  t.is(wrong, 0);
});
