import { FIRST_GENERATION, type Generation } from '../token.ts';
import { type Stamp, stampOf } from './register.ts';

/** A table or view of the database, as the engine describes it. */
export interface FoundTable {
  readonly name: string;
  readonly engine: string;
  readonly comment: string;
}

/** The raw table and all that views keep from it: the live ones, or those of a replay beside them. */
export interface TableSet {
  /** What its names end with; '' for the live ones. */
  readonly suffix: string;
  readonly raw: string;
  /** Without the raw table, in the order of their names. */
  readonly derived: readonly string[];
  /** By name; a table that only a migration or a rebuild has made has none. */
  readonly stamps: ReadonlyMap<string, Stamp | undefined>;
}

const RAW = 'delivery_raw';
const MARK = '__replay_';

/** Of the id of a replay its last digits, which differ most: what its tables are called by, and their generation. */
export const shortIdOf = (replayId: string): string => replayId.replaceAll('-', '').slice(-12);
export const suffixOf = (shortId: string): string => `${MARK}${shortId}`;
export const nameIn = (suffix: string, name: string): string => `${name}${suffix}`;
export const isBeside = (name: string): boolean => name.includes(MARK);
export const viewOf = (table: string): string => `${table}_mv`;

/** undefined: there is no such raw table. */
export function tableSetOf(found: readonly FoundTable[], suffix: string): TableSet | undefined {
  const views = new Set(found.filter(({ engine }) => engine === 'MaterializedView').map(({ name }) => name));
  const mine = found.filter(({ name }) => (suffix === '' ? !isBeside(name) : name.endsWith(suffix)));
  const raw = nameIn(suffix, RAW);
  if (!mine.some(({ name }) => name === raw)) return undefined;
  const derived = mine.filter(({ name }) => views.has(viewOf(name))).map(({ name }) => name);
  const stamps = mine
    .filter(({ name }) => name === raw || derived.includes(name))
    .map(({ name, comment }) => [name, stampOf(comment)] as const);
  return { suffix, raw, derived: derived.sort(), stamps: new Map(stamps) };
}

/** A table of no rows, whose name an exchange cannot do without. */
const TICKET = 'replay_ticket_';
export const ticketTable = (ticket: string): string => `${TICKET}${ticket}`;

/** Short ids of the replays that have anything here. */
export function besideIn(found: readonly Pick<FoundTable, 'name'>[]): string[] {
  const ids = found.flatMap(({ name }) => {
    const id = name.startsWith(TICKET) ? name.slice(TICKET.length).split('_')[0] : name.split(MARK)[1];
    return id === undefined ? [] : [id.replace(/_mv$/, '')];
  });
  return [...new Set(ids)];
}

export type KnownGeneration =
  | { readonly ok: true; readonly generation: Generation }
  | { readonly ok: false; readonly error: string };

/**
 * What whoever is about to plan an insert asks. One that is not stamped was made since, by somebody who had stopped all
 * sinks: it goes with the others.
 */
export function generationOf(set: TableSet | undefined): KnownGeneration {
  // Its insert will say so.
  if (set === undefined) return { ok: true, generation: FIRST_GENERATION };
  const stamp = set.stamps.get(set.raw);
  if (stamp?.register !== undefined && stamp.register.state !== 'open')
    return { ok: false, error: `${set.raw} is ${stamp.register.state}: a replay exchanges the tables` };
  const generation = stamp?.generation ?? FIRST_GENERATION;
  const other = set.derived.find((name) => (set.stamps.get(name)?.generation ?? generation) !== generation);
  return other === undefined
    ? { ok: true, generation }
    : { ok: false, error: `${other} is not of the generation of ${set.raw}: a replay exchanges the tables` };
}
