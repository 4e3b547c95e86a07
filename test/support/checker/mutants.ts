import type { History, LogEvent, Place, RollupCell } from '../history.ts';
import type { Invariant } from './facts.ts';
import { CAMPAIGN, DIRECT, id, REFUSED } from './good-history.ts';

/** One damage, of a kind that a broken pipeline could do; the checker must see it under this invariant and name this id. */
export interface Mutant {
  readonly name: string;
  readonly by: Invariant;
  readonly says: RegExp;
  readonly names: string;
  readonly of: (h: History) => Partial<History>;
}

type Lists = 'messages' | 'moved' | 'events' | 'deadLetters' | 'rows' | 'receipts';
type Item<L extends Lists> = History[L][number];
type Match<L extends Lists> = (item: Item<L>, i: number) => boolean;

const found = <L extends Lists>(h: History, list: L, match: Match<L>): Item<L> => {
  const item = (h[list] as readonly Item<L>[]).find(match);
  if (item === undefined) throw new Error(`the good history has no such ${list}`);
  return item;
};
const without = <L extends Lists>(h: History, list: L, match: Match<L>) => {
  const gone = found(h, list, match);
  return { [list]: (h[list] as readonly Item<L>[]).filter((item) => item !== gone) };
};
const changed = <L extends Lists>(h: History, list: L, match: Match<L>, change: Partial<Item<L>>) => {
  const item = found(h, list, match);
  return { [list]: (h[list] as readonly Item<L>[]).map((x) => (x === item ? { ...x, ...change } : x)) };
};
const added = <L extends Lists>(h: History, list: L, match: Match<L>, change: Partial<Item<L>> = {}) => ({
  [list]: [...(h[list] as readonly Item<L>[]), { ...found(h, list, match), ...change }],
});
const of = (n: number) => (item: { messageId: string }) => item.messageId === id(n);
const last: Place = { partition: 3, offset: 9_000 };
const event = (n: number, kind: string) => (e: LogEvent) => e.messageId === id(n) && e.kind === kind;
/** An event and the row that was made of it. */
const alsoRow = (h: History, events: Partial<History>): Partial<History> => ({
  ...events,
  rows: (events.events ?? h.events).map(({ partition, offset, messageId, kind }) => ({
    partition,
    offset,
    messageId,
    kind,
  })),
});
/** Other cells of one unit. */
const rollups = (
  h: History,
  unit: RollupCell['unit'],
  change: (cells: readonly RollupCell[]) => readonly (Partial<RollupCell> | undefined)[],
) => {
  const of = (wanted: boolean) => (h.rollups ?? []).filter((cell) => (cell.unit === unit) === wanted);
  return { rollups: [...of(false), ...(change(of(true)) as readonly RollupCell[])] };
};
const stats = (h: History, change: Partial<History['stats']>) => ({ stats: { ...h.stats, ...change } });
/** Of a message that ended as sent, everywhere but where the mutant says. */
const asFailed = { kind: 'failed', reason: 'recipient_refused', dlqPartition: 3, dlqOffset: 60 };
const letter = { offset: 60, messageId: id(1), reason: 'recipient_refused' };
const fewerSent = (h: History) => ({
  ...stats(h, { sent: 11, failed: 2 }),
  analytics: { ...h.analytics, sent: 11, failed: 2 },
});

export const MUTANTS: readonly Mutant[] = [
  // I1
  {
    name: 'an end is lost in the log and in ClickHouse',
    by: 'I1',
    says: /without an end/,
    names: id(1),
    of: (h) => alsoRow(h, without(h, 'events', event(1, 'sent'))),
  },
  {
    name: 'an acknowledged direct message never ended',
    by: 'I1',
    says: /without an end/,
    names: DIRECT,
    of: (h) =>
      alsoRow(
        h,
        without(h, 'events', (e) => e.messageId === DIRECT),
      ),
  },
  {
    name: 'a message ended twice',
    by: 'I1',
    says: /doubledEvents: 1/,
    names: id(1),
    of: (h) => alsoRow(h, added(h, 'events', event(1, 'sent'), last)),
  },
  {
    name: 'a message ended in two different states',
    by: 'I1',
    says: /doubledEvents: 1/,
    names: id(1),
    of: (h) => alsoRow(h, added(h, 'events', event(1, 'sent'), { ...last, kind: 'expired' })),
  },
  {
    name: 'a redriven run never ended',
    by: 'I1',
    says: /without an end/,
    names: id(13),
    of: (h) => alsoRow(h, without(h, 'events', event(13, 'sent'))),
  },
  {
    name: 'a message that was sent was run again',
    by: 'I1',
    says: /did not fail, and were run again/,
    names: `${id(13)} run 0`,
    of: (h) => alsoRow(h, changed(h, 'events', event(13, 'failed'), { kind: 'sent' })),
  },
  {
    name: 'a run began without saying so',
    by: 'I1',
    says: /without the event that began them/,
    names: `${id(13)} run 1`,
    of: (h) => alsoRow(h, without(h, 'events', event(13, 'redriven'))),
  },
  // I2
  {
    name: 'a message of nobody is in the lane',
    by: 'I2',
    says: /^I2 messages of nobody/,
    names: id(99),
    of: (h) => added(h, 'messages', of(14), { ...last, messageId: id(99), ordinal: 99 }),
  },
  {
    name: 'an event of nobody is in the log',
    by: 'I2',
    says: /events of nobody/,
    names: id(99),
    of: (h) => alsoRow(h, added(h, 'events', event(1, 'sent'), { ...last, messageId: id(99) })),
  },
  {
    name: 'the provider got a message of nobody',
    by: 'I2',
    says: /receipts of nobody/,
    names: id(99),
    of: (h) => added(h, 'receipts', of(1), { messageId: id(99) }),
  },
  {
    name: 'a dead letter of nobody',
    by: 'I2',
    says: /dead letters of nobody/,
    names: id(99),
    of: (h) => added(h, 'deadLetters', of(8), { ...last, messageId: id(99) }),
  },
  // I3
  {
    name: 'a refused call left a message',
    by: 'I3',
    says: /refused, but there/,
    names: REFUSED,
    of: (h) => added(h, 'messages', (m) => m.messageId === DIRECT, { ...last, messageId: REFUSED }),
  },
  {
    name: 'an acknowledged call left nothing',
    by: 'I3',
    says: /acknowledged, but not in the log/,
    names: DIRECT,
    of: (h) => without(h, 'messages', (m) => m.messageId === DIRECT),
  },
  {
    name: 'the same key got two answers',
    by: 'I3',
    says: /two different answers/,
    names: 'a',
    of: (h) => ({ calls: [...(h.calls ?? []), { outcome: 'ok', key: 'a', ids: [id(1)] }] }),
  },
  // I4
  {
    name: 'a message is missing in the lane',
    by: 'I4',
    says: /never written/,
    names: id(5),
    of: (h) => without(h, 'messages', of(5)),
  },
  {
    name: 'a message is twice in the lane',
    by: 'I4',
    says: /doubledMessages: 1/,
    names: `${id(5)} run 0`,
    of: (h) => added(h, 'messages', of(5), last),
  },
  {
    name: 'a redriven message never came to the lane',
    by: 'I4',
    says: /runs never written/,
    names: `${id(13)} run 1`,
    of: (h) => without(h, 'messages', (m) => m.run === 1),
  },
  {
    name: 'a redriven message does not say by which redrive',
    by: 'I4',
    says: /by which redrive/,
    names: id(13),
    of: (h) => changed(h, 'messages', (m) => m.run === 1, { redrive: '' }),
  },
  // I5
  {
    name: 'the provider never got a sent message',
    by: 'I5',
    says: /never took it/,
    names: id(1),
    of: (h) => without(h, 'receipts', of(1)),
  },
  {
    name: 'a failed message became sent everywhere but at the provider',
    by: 'I5',
    says: /never took it/,
    names: id(8),
    of: (h) => alsoRow(h, changed(h, 'events', event(8, 'failed'), { kind: 'sent' })),
  },
  {
    name: 'a sent message became failed everywhere but at the provider',
    by: 'I5',
    says: /taken by the provider, but not sent/,
    names: id(1),
    of: (h) => ({
      ...alsoRow(h, changed(h, 'events', event(1, 'sent'), asFailed)),
      ...added(h, 'deadLetters', of(8), letter),
      ...fewerSent(h),
    }),
  },
  {
    name: 'the provider took an expired message',
    by: 'I5',
    says: /but not sent/,
    names: id(10),
    of: (h) => added(h, 'receipts', of(1), { messageId: id(10), recipient: '000a@example.org' }),
  },
  {
    name: 'the provider took a message twice',
    by: 'I5',
    says: /duplicateSends: 1/,
    names: id(1),
    of: (h) => added(h, 'receipts', of(1)),
  },
  {
    name: 'the second time was under another id',
    by: 'I5',
    says: /more than one message id/,
    names: `${id(1)} and ${id(2)}`,
    of: (h) => added(h, 'receipts', of(1), { messageId: id(2) }),
  },
  {
    name: 'a message went to somebody else',
    by: 'I5',
    says: /somebody else/,
    names: id(1),
    of: (h) => changed(h, 'receipts', of(1), { recipient: 'who@example.org' }),
  },
  // I6
  {
    name: 'a row is missing in ClickHouse',
    by: 'I6',
    says: /not in ClickHouse/,
    names: id(5),
    of: (h) => without(h, 'rows', of(5)),
  },
  {
    name: 'a row is there twice',
    by: 'I6',
    says: /doubledRows: 1/,
    names: id(5),
    of: (h) => added(h, 'rows', of(5)),
  },
  {
    name: 'a row has no event',
    by: 'I6',
    says: /without an event/,
    names: id(5),
    of: (h) => added(h, 'rows', of(5), last),
  },
  {
    name: 'a minute counts an event twice',
    by: 'I6',
    says: /rollups that differ/,
    names: 'sent in the minute of 1970-01-01T00:16',
    of: (h) => rollups(h, 'minute', (cells) => [...cells, cells.find(({ kind }) => kind === 'sent')]),
  },
  {
    name: 'an hour lost an event',
    by: 'I6',
    says: /rollups that differ/,
    names: 'in the hour of 1970-01-01T00:00',
    of: (h) => rollups(h, 'hour', ([_, ...rest]) => rest),
  },
  {
    name: 'an hour has what no minute has',
    by: 'I6',
    says: /rollups that differ/,
    names: '1 opened in the hour of',
    of: (h) => rollups(h, 'hour', (cells) => [...cells, { ...cells[0], kind: 'opened' }]),
  },
  {
    name: 'an event that counts is marked as a repeat',
    by: 'I6',
    says: /wrong mark/,
    names: id(5),
    of: (h) => changed(h, 'rows', of(5), { isRepeat: true }),
  },
  {
    name: 'a repeat is not marked',
    by: 'I6',
    says: /wrong mark/,
    names: id(1),
    of: (h) => ({ ...added(h, 'events', event(1, 'sent'), last), ...added(h, 'rows', of(1), last) }),
  },
  {
    name: 'a repeat is marked, and counted all the same',
    by: 'I6',
    says: /rollups that differ/,
    names: 'sent in the minute of',
    of: (h) => ({
      ...added(h, 'events', event(1, 'sent'), last),
      ...added(h, 'rows', of(1), { ...last, isRepeat: true }),
      ...rollups(h, 'minute', (cells) => [...cells, cells.find(({ kind }) => kind === 'sent')]),
    }),
  },
  {
    name: 'the stats moved one message to another state',
    by: 'I6',
    says: /stats\.sent is 11/,
    names: CAMPAIGN,
    of: (h) => stats(h, { sent: 11, failed: 2 }),
  },
  { name: 'the stats lost one', by: 'I6', says: /sent is 11/, names: CAMPAIGN, of: (h) => stats(h, { sent: 11 }) },
  {
    name: 'the stats count messages that nobody sent',
    by: 'I6',
    says: /stats\.total is 16/,
    names: CAMPAIGN,
    of: (h) => stats(h, { total: 16 }),
  },
  {
    name: 'a message is still retrying',
    by: 'I6',
    says: /not final/,
    names: CAMPAIGN,
    of: (h) => stats(h, { retrying: 1 }),
  },
  {
    name: 'ClickHouse counts another state',
    by: 'I6',
    says: /ClickHouse counts 11 sent/,
    names: CAMPAIGN,
    of: (h) => ({ analytics: { ...h.analytics, sent: 11, expired: 2 } }),
  },
  {
    name: 'Postgres froze one more',
    by: 'I6',
    says: /15 frozen recipients/,
    names: CAMPAIGN,
    of: () => ({ frozen: 15 }),
  },
  {
    name: 'the campaign says completed although messages failed',
    by: 'I6',
    says: /not completed_with_failures/,
    names: CAMPAIGN,
    of: () => ({ status: 'completed' }),
  },
  {
    name: 'the campaign never ended',
    by: 'I6',
    says: /is running/,
    names: CAMPAIGN,
    of: () => ({ status: 'running' }),
  },
];
