import { type DeliveryEvent, isTerminal } from '@volley/contract';
import { createLedgerTable, type Known, type LedgerTable } from './ledger-table.ts';

export type { Known } from './ledger-table.ts';

/** What the ledger needs of a delivery event. */
export type LedgerEvent = Pick<DeliveryEvent, 'message_id' | 'run' | 'kind' | 'attempt' | 'deferrals' | 'tier'>;

/**
 * What the partitions numbered p have done, of every number that is ours: it tells a record that was handled from one
 * that was not, because the group's offset alone does not. Filled from `volley.deliveries` when a number is assigned
 * (adapters/ledger-reader.ts), and by every event of our own once it is acknowledged.
 */
export interface Ledger {
  /** These numbers are ours, nothing of them may start yet. All others are forgotten, and notes of them ignored. */
  assigned(numbers: readonly number[]): void;
  /**
   * Its deliveries are about to be read from `from`, for the sake of hints down to `hint`. Answers from where it is
   * enough to read: a number that was ours just before, such as in a rebalance that only moved others, is known still.
   */
  reading(number: number, hint: number, from: number): number;
  /** Its deliveries were read up to `end` (the log end as of then): its records may start. */
  open(number: number, end: number): void;
  isOpen(number: number): boolean;
  /** The assignment is over: no number is open. What is known is kept, and goes on being noted, until the next one. */
  revoked(): void;
  /** An event that the log has, at this offset of deliveries[number]. Any event, any number of times, also while reading. */
  note(number: number, event: LedgerEvent, offset: number): void;
  look(number: number, messageId: string, run: number): Known | undefined;
  /** The smallest hint of the number's topic partitions (hints.ts): nothing at or above it is let go. */
  keepFrom(number: number, offset: number): void;
  /** One past the newest event known, or the end that was read to. Every event that is yet to be acknowledged lies at or after it. */
  end(number: number): number;
  /** For metrics, over all numbers. */
  state(): { readonly numbers: number; readonly reading: number; readonly events: number; readonly bytes: number };
}

/** What to do with a record, by what is known of its message. */
export type Standing =
  | { readonly go: 'skip'; readonly because: 'ended' | 'moved' }
  | { readonly go: 'on'; readonly attempts: number; readonly deferrals: number };

/**
 * `own`: what the record itself says of its past (v-attempt, v-deferrals; a record of a lane: 0 and 0).
 * A move with a number not below the record's own was made from this record or a later one: the copy that it wrote goes on
 * in its place. A deferral in memory moves nothing: the record is still the only copy, and goes on with the next attempt.
 */
export function standingOf(
  known: Known | undefined,
  own: { readonly attempts: number; readonly deferrals: number },
): Standing {
  if (known === undefined) return { go: 'on', attempts: own.attempts, deferrals: own.deferrals };
  if (known.ended) return { go: 'skip', because: 'ended' };
  if (known.movedDeferrals >= own.deferrals) return { go: 'skip', because: 'moved' };
  return {
    go: 'on',
    attempts: Math.max(own.attempts, known.attempts),
    deferrals: Math.max(own.deferrals, known.deferrals),
  };
}

interface OfNumber {
  table: LedgerTable;
  isOpen: boolean;
  end: number;
  /** Every event before it was noted, as far as the table goes back. */
  knownTo: number;
  /** The table goes back to here, or further. */
  keptFrom: number;
}

export function createLedger(window?: number): Ledger {
  const numbers = new Map<number, OfNumber>();
  const create = () => createLedgerTable(window);
  const saying = { ended: false, attempt: 0, deferrals: -1, movedDeferrals: -1 };

  return {
    assigned(ours) {
      const before = new Map(numbers);
      numbers.clear();
      for (const number of ours) {
        numbers.set(number, before.get(number) ?? { table: create(), isOpen: false, end: 0, knownTo: 0, keptFrom: 0 });
      }
    },
    reading(number, hint, from) {
      const of = numbers.get(number);
      if (of === undefined) return from;
      if (hint < of.keptFrom || of.knownTo === 0) {
        of.table = create();
        of.knownTo = from;
      }
      of.keptFrom = hint;
      of.table.keepFrom(hint);
      return Math.max(from, of.knownTo);
    },
    open(number, end) {
      const of = numbers.get(number);
      if (of === undefined) return;
      of.isOpen = true;
      of.end = Math.max(of.end, end);
      of.knownTo = Math.max(of.knownTo, end);
    },
    isOpen: (number) => numbers.get(number)?.isOpen === true,
    revoked() {
      for (const of of numbers.values()) of.isOpen = false;
    },
    note(number, event, offset) {
      const of = numbers.get(number);
      if (of === undefined) return;
      of.end = Math.max(of.end, offset + 1);
      if (offset === of.knownTo) of.knownTo += 1;
      const deferred = event.kind === 'deferred';
      saying.ended = isTerminal(event.kind);
      // Provider callbacks and redrives say nothing that a record could be skipped for.
      if (!deferred && !saying.ended) return;
      saying.attempt = event.attempt;
      saying.deferrals = deferred ? event.deferrals : -1;
      saying.movedDeferrals = deferred && event.tier !== 'memory' ? event.deferrals : -1;
      of.table.note(event.message_id, event.run, saying, offset);
    },
    look: (number, messageId, run) => numbers.get(number)?.table.look(messageId, run),
    keepFrom(number, offset) {
      const of = numbers.get(number);
      if (of === undefined) return;
      of.keptFrom = Math.max(of.keptFrom, offset);
      of.table.keepFrom(of.keptFrom);
    },
    end: (number) => numbers.get(number)?.end ?? 0,
    state() {
      let [reading, events, bytes] = [0, 0, 0];
      for (const { table, isOpen } of numbers.values()) {
        if (!isOpen) reading += 1;
        events += table.size();
        bytes += table.bytes();
      }
      return { numbers: numbers.size, reading, events, bytes };
    },
  };
}
