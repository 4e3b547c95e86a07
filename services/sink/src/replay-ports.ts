import type { Comparison } from './core/replay/compare.ts';
import type { Register, Stamp } from './core/replay/register.ts';
import type { Selection } from './core/replay/selection.ts';
import type { TableSet } from './core/replay/tables.ts';
import type { Generation } from './core/token.ts';

/** A table of the one set and the table of the other that takes its place. */
export interface Pair {
  readonly live: string;
  readonly beside: string;
}

export interface TableSets {
  readonly live: TableSet;
  /** undefined: there is no raw table of this replay. */
  readonly beside: TableSet | undefined;
}

export type Registered = Stamp & { readonly register: Register };

/**
 * The tables of one replay, beside the live ones. Everything rejects when the store did not say that it was done, which it
 * may have been all the same: whoever repeats a step looks first. Nothing here is repeated by itself.
 */
export interface ReplayTables {
  look(): Promise<TableSets>;
  /** Tables like the live ones, views between them; the raw table is the last table. What is there already stays. */
  make(stamp: Registered): Promise<void>;
  /** Takes one register away and puts another in its place, at once; rejects when the one is not there. */
  register(table: string, from: Stamp | undefined, to: Registered): Promise<void>;
  /** Rejects when it is stamped already. */
  stamp(table: string, generation: Generation): Promise<void>;
  /** INSERTs into this table that have begun and not ended. */
  insertsInto(table: string): Promise<number>;
  /** By partition: the first offset that the live raw table holds, of what both sets must still have. */
  firstOffsets(): Promise<Map<number, number>>;
  /**
   * How far each partition was ever stored goes over to the tables beside: rows may have been forgotten since. Never further
   * than these offsets, by partition number, to which both are filled: when a process asks this late, the tables may have
   * taken each other's places.
   */
  bringEnds(offsets: readonly number[]): Promise<void>;
  /** What is different in their definitions; undefined: nothing is. */
  differentShape(): Promise<string | undefined>;
  /** A name of which only this exchange knows. It fails once the ticket is gone, whoever asks for it, and however late. */
  makeTicket(ticket: string): Promise<void>;
  /** All tickets of this replay. Resolves when no exchange of theirs runs any more. */
  dropTickets(): Promise<void>;
  /** One after the other; a death of the store in the middle leaves some done. */
  exchange(ticket: string, pairs: readonly Pair[]): Promise<void>;
  /** Views and tables beside, the raw table last. As `exchange`, nothing happens without the ticket. */
  drop(ticket: string): Promise<void>;
}

export interface Comparing {
  /** Of the events of the selection, live against beside; `since`: only where something lies at these offsets or behind. */
  compare(selection: Selection, more?: { readonly since?: readonly number[] }): Promise<Comparison>;
}
