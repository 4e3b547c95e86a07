import type { History, LogEvent, LogMessage, MovedMessage } from '../history.ts';
import { id } from './good-history.ts';
import type { Mutant } from './mutants.ts';

const LANE = 'volley.messages.bulk';
const FIVE_SECONDS = 'volley.messages.retry.5s';
const last = { partition: 3, offset: 9_000 };

/** The history with one event changed (or gone), and the rows that follow from the events. */
function events(h: History, change: (e: LogEvent) => LogEvent | undefined): Partial<History> {
  const list = h.events.map(change).filter((e) => e !== undefined);
  return {
    events: list,
    rows: list.map(({ partition, offset, messageId, kind }) => ({ partition, offset, messageId, kind })),
  };
}
const eventOf = (h: History, n: number, kind: string, nth = 0): LogEvent =>
  h.events.filter((e) => e.messageId === id(n) && e.kind === kind)[nth] as LogEvent;
const change = (h: History, of: LogEvent, to: Partial<LogEvent>) => events(h, (e) => (e === of ? { ...e, ...to } : e));
const messageOf = (h: History, n: number): LogMessage => h.messages.find((m) => m.messageId === id(n)) as LogMessage;
const moved = (h: History, n: number, to: Partial<MovedMessage> | undefined, tier = '5s'): Partial<History> => ({
  moved: h.moved.flatMap((m) => (m.messageId === id(n) && m.tier === tier ? (to ? [{ ...m, ...to }] : []) : [m])),
});
const letters = (h: History, n: number, to: Partial<History['deadLetters'][number]> | undefined) => ({
  deadLetters: h.deadLetters.flatMap((d) => (d.messageId === id(n) ? (to ? [{ ...d, ...to }] : []) : [d])),
});
const position = (h: History, topic: string, committed: number) => ({
  positions: (h.positions ?? []).map((p) => (p.topic === topic ? { ...p, committed } : p)),
});
const snapshot = (commits: { topic: string; committed: number }[], end: number): Partial<History> => ({
  snapshots: [
    { when: 'at a kill', commits: commits.map((c) => ({ ...c, partition: 3 })), deliveriesEnds: [0, 0, 0, end] },
  ],
});

export const MUTANTS_OF_ORDER: readonly Mutant[] = [
  // I7
  {
    name: 'an attempt was never reported',
    by: 'I7',
    says: /gap in their attempts/,
    names: `${id(3)} run 0`,
    of: (h) => {
      const gone = eventOf(h, 3, 'deferred');
      return events(h, (e) => (e === gone ? undefined : e));
    },
  },
  {
    name: 'attempts began again after a tier',
    by: 'I7',
    says: /gap in their attempts/,
    names: `${id(12)} run 0`,
    of: (h) => change(h, eventOf(h, 12, 'sent'), { attempt: 1 }),
  },
  {
    name: 'a pause cost an attempt',
    by: 'I7',
    says: /gap in their attempts/,
    names: `${id(14)} run 0`,
    of: (h) => change(h, eventOf(h, 14, 'deferred'), { attempt: 1 }),
  },
  {
    name: 'deferrals began again after a tier',
    by: 'I7',
    says: /deferrals were miscounted/,
    names: `${id(12)} run 0`,
    of: (h) => change(h, eventOf(h, 12, 'sent'), { deferrals: 0 }),
  },
  {
    name: 'events of a message lie in two partitions',
    by: 'I7',
    says: /two partitions/,
    names: id(3),
    of: (h) => change(h, eventOf(h, 3, 'deferred'), { partition: 4 }),
  },
  {
    name: 'a message was deferred after its end',
    by: 'I7',
    says: /doubledDeferrals: 1/,
    names: id(1),
    of: (h) => {
      const late = {
        ...eventOf(h, 3, 'deferred'),
        ...last,
        messageId: id(1),
        recipient: eventOf(h, 1, 'sent').recipient,
      };
      return events({ ...h, events: [...h.events, late] }, (e) => e);
    },
  },
  {
    name: 'a message was redriven before it had ended',
    by: 'I7',
    says: /redriven before they had ended/,
    names: `${id(13)} run 1`,
    of: (h) => change(h, eventOf(h, 13, 'redriven'), { offset: 1 }),
  },
  {
    name: 'a message bounced that was never sent',
    by: 'I7',
    says: /may not follow/,
    names: `${id(10)} run 0: bounced before sent`,
    of: (h) =>
      events({ ...h, events: [...h.events, { ...eventOf(h, 10, 'expired'), ...last, kind: 'bounced' }] }, (e) => e),
  },
  {
    name: 'the lane has two messages in another order than they were frozen',
    by: 'I7',
    says: /another order than they were frozen/,
    names: id(2),
    of: (h) => ({
      messages: h.messages
        .map((m) =>
          m.ordinal === 2 && m.run === 0 ? { ...m, offset: 9_000 } : m.ordinal === 3 ? { ...m, offset: 9_001 } : m,
        )
        .map((m) => (m.ordinal === 14 ? { ...m, offset: 8_000 } : m)),
    }),
  },
  {
    name: 'the second attempt reached the provider before the first',
    by: 'I7',
    says: /reached the provider in another order/,
    names: id(12),
    of: (h) => ({ receipts: h.receipts.toReversed() }),
  },
  // I8
  {
    name: 'a row says another state than its event',
    by: 'I8',
    says: /differ from their event/,
    names: id(1),
    of: (h) => ({ rows: h.rows.map((r) => (r.messageId === id(1) ? { ...r, kind: 'failed' } : r)) }),
  },
  {
    name: 'a row belongs to another message than its event',
    by: 'I8',
    says: /differ from their event/,
    names: id(2),
    of: (h) => ({ rows: h.rows.map((r) => (r.messageId === id(1) ? { ...r, messageId: id(2) } : r)) }),
  },
  {
    name: 'an offset was committed that does not exist',
    by: 'I8',
    says: /past the end of the log/,
    names: `${LANE} 3: 99 of 16`,
    of: (h) => position(h, LANE, 99),
  },
  {
    name: 'a lane was drained and not committed',
    by: 'I8',
    says: /not committed to the end/,
    names: `${LANE} 3: 15 of 16`,
    of: (h) => position(h, LANE, 15),
  },
  {
    name: 'a tier was drained and not committed',
    by: 'I8',
    says: /not committed to the end/,
    names: `${FIVE_SECONDS} 3: -1 of 2`,
    of: (h) => position(h, FIVE_SECONDS, -1),
  },
  {
    name: 'a watermark passed a message that had not ended',
    by: 'I8',
    says: /past a record that was not finished/,
    names: `${id(4)} (at a kill)`,
    of: () => snapshot([{ topic: LANE, committed: 4 }], 104),
  },
  {
    name: 'a watermark passed a message that was only tried in memory',
    by: 'I8',
    says: /past a record that was not finished/,
    names: `${id(3)} (at a kill)`,
    of: () => snapshot([{ topic: LANE, committed: 3 }], 103),
  },
  {
    name: 'a watermark of a tier passed a record that had neither ended nor moved on',
    by: 'I8',
    says: /past a record that was not finished/,
    names: `${id(12)} (at a kill)`,
    of: (h) => snapshot([{ topic: FIVE_SECONDS, committed: 2 }], eventOf(h, 12, 'deferred').offset + 1),
  },
  // I9
  {
    name: 'a tier delivered early',
    by: 'I9',
    says: /tried before their time/,
    names: `${id(11)} (5s)`,
    of: (h) => moved(h, 11, { notBeforeMs: eventOf(h, 11, 'sent').occurredAtMs + 100 }),
  },
  {
    name: 'a provider got an attempt early, whatever the event says',
    by: 'I9',
    says: /tried before their time/,
    names: `${id(11)} (5s)`,
    of: (h) => ({
      receipts: h.receipts.map((r) =>
        r.messageId === id(11) && r.accepted ? { ...r, atMs: (r.atMs ?? 0) - 4_000 } : r,
      ),
    }),
  },
  {
    name: 'a message was tried more often than allowed',
    by: 'I9',
    says: /more often than allowed/,
    names: id(12),
    of: () => ({ maxAttempts: 2 }),
  },
  {
    name: 'a dead letter is missing',
    by: 'I9',
    says: /without the dead letter/,
    names: `${id(9)} run 0`,
    of: (h) => letters(h, 9, undefined),
  },
  {
    name: 'an event names the dead letter of another message',
    by: 'I9',
    says: /without the dead letter/,
    names: `${id(8)} run 0`,
    of: (h) => change(h, eventOf(h, 8, 'failed'), { dlqOffset: 41 }),
  },
  {
    name: 'a dead letter of a sent message',
    by: 'I9',
    says: /did not fail/,
    names: `${id(1)} run 0`,
    of: (h) => ({
      deadLetters: [
        ...h.deadLetters,
        { ...(h.deadLetters[0] as History['deadLetters'][number]), offset: 60, messageId: id(1) },
      ],
    }),
  },
  {
    name: 'a dead letter is there twice',
    by: 'I9',
    says: /doubledDeadLetters: 1/,
    names: `${id(8)} run 0`,
    of: (h) => ({
      deadLetters: [...h.deadLetters, { ...(h.deadLetters[0] as History['deadLetters'][number]), offset: 60 }],
    }),
  },
  {
    name: 'a dead letter gives another reason than its event',
    by: 'I9',
    says: /another reason/,
    names: `${id(8)} run 0`,
    of: (h) => letters(h, 8, { reason: 'undecodable' }),
  },
  {
    name: 'a dead letter lost a byte',
    by: 'I9',
    says: /dead letters that are not their source/,
    names: id(8),
    of: (h) => letters(h, 8, { digest: 'other bytes' }),
  },
  {
    name: 'a dead letter names another origin',
    by: 'I9',
    says: /dead letters that are not their source/,
    names: id(8),
    of: (h) => letters(h, 8, { origin: `${LANE}/3/${messageOf(h, 9).offset}/900` }),
  },
  {
    name: 'a tier changed the bytes of a record',
    by: 'I9',
    says: /moved records that are not their source/,
    names: id(11),
    of: (h) => moved(h, 11, { digest: 'other bytes' }),
  },
  {
    name: 'a second tier forgot where the record came from',
    by: 'I9',
    says: /moved records that are not their source/,
    names: id(12),
    of: (h) => moved(h, 12, { origin: `${FIVE_SECONDS}/3/1/900` }, '1m'),
  },
  {
    name: 'a deferral names a tier in which no record is',
    by: 'I9',
    says: /not in that tier/,
    names: `${id(11)} run 0 (5s)`,
    of: (h) => moved(h, 11, undefined),
  },
  {
    name: 'a record was moved to a tier twice',
    by: 'I9',
    says: /doubledMoves: 1/,
    names: `${id(11)} run 0 move 1`,
    of: (h) => ({ moved: [...h.moved, { ...(h.moved[0] as MovedMessage), offset: 60 }] }),
  },
];
