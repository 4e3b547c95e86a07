import type { SchemaStore } from '@volley/contract';
import type { OutgoingRecord, SettledRange, StreamRecord } from '@volley/stream';
import type { RowText } from './core/row-text.ts';
import type { Generation } from './core/token.ts';

/** Rows of one range of one partition, in the order of the log. */
export interface RowRange {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  /** One JSON array a row, in the order of COLUMNS. Never empty. */
  readonly rows: RowText;
  /** Names the range. The same token always comes with the same rows. */
  readonly token: string;
}

/** An effect that did not happen, or may have happened unseen, is a value: it is tried again. A throw is a bug. */
export type Answer = { readonly ok: true } | Unanswered;
export interface Unanswered {
  readonly ok: false;
  readonly error: string;
}

/** Offsets [from, to) of one partition. */
export interface Places {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  /** Of the log's append time, in days since 1970, when all of them are of one: the rest of the table is not read. */
  readonly day?: number;
}

export interface RowStore {
  /**
   * All rows or none, as one block. Under a token that the store has taken before, it stores nothing and says ok.
   * ok: the rows are readable and survive a kill. Not ok: they may be there or not; call again with the same range.
   * Never throws for what the store does; always answers, within the adapter's own deadline.
   * Calls for different partitions may overlap; for one partition the caller waits for the answer.
   */
  insert(range: RowRange): Promise<Answer>;
  /** The offset after the last one of this partition that was ever stored; 0: none was. Never throws, as insert. */
  endOf(partition: number): Promise<{ readonly ok: true; readonly end: number } | Unanswered>;
  /**
   * Which tables these are. Not ok also while they are being exchanged for others: nothing may be planned then. Never
   * throws, as insert.
   */
  generation(): Promise<{ readonly ok: true; readonly generation: Generation } | Unanswered>;
  /** Rows that are stored of these places. Never throws, as insert. */
  count(places: Places): Promise<{ readonly ok: true; readonly rows: number } | Unanswered>;
  /** Does it answer now? Within 2 s, never throws. */
  ping(): Promise<Answer>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** What an event becomes that no row can be made of. */
export interface DeadLetter extends OutgoingRecord {
  /** The same with key and value of at most so many bytes together, and headers that say so. */
  cutTo(maxBytes: number): OutgoingRecord;
}

export interface DeadLetters {
  /** ok: the log has all of them, one that it never takes whole in part. Not ok: some may be there; send the same again. */
  send(letters: readonly DeadLetter[]): Promise<Answer>;
}

/** Writer schemas by id. */
export interface Schemas extends Pick<SchemaStore, 'get'> {
  /** ok: `get` has an answer for this id. Not ok: the registry could not be asked, nothing is known. */
  load(id: number): Promise<Answer>;
}

/** The log beside the group that reads it. */
export interface Log {
  /** First offset that it still has. */
  startOf(partition: number): Promise<{ readonly ok: true; readonly start: number } | Unanswered>;
  /** Hands over [from, to) in order. Not ok: some of it may have been handed over. */
  read(partition: number, from: number, to: number, onRecord: (record: StreamRecord) => void): Promise<Answer>;
}

/** What the consumer loop is told. All do nothing for an epoch that is over. */
export interface Progress {
  settleTo(range: Omit<SettledRange, 'topic'>): void;
  /** 'committed': watermarks and metadata as they are now, of all partitions. */
  commitNow(): Promise<'committed' | 'stale' | 'failed'>;
  /** Is the group's coordinator known to take this process for a member? */
  isMember(): boolean;
  /** What of it is in memory will not be settled in this assignment. */
  release(partition: number): void;
  /** The same, and readiness says why. */
  stopPartition(partition: number, why: string): void;
}
