import { planOf } from './plan.ts';

/** A table that a materialized view keeps: everything in it is a function of the rows of delivery_raw. */
export interface DerivedTable {
  readonly name: string;
  readonly columns: readonly string[];
  /** What its view selects, as the engine keeps it. */
  readonly select: string;
}

/** A partition of delivery_raw. */
export interface RawDay {
  /** YYYYMMDD, of the log's append time. */
  readonly day: string;
  readonly rows: number;
}

/** Partitions of delivery_raw with their rows, in their order. */
export const RAW_DAYS = `SELECT partition_id AS day, toUInt32(sum(rows)) AS rows FROM system.parts
  WHERE database = currentDatabase() AND table = 'delivery_raw' AND active GROUP BY day ORDER BY day`;

export interface LostHours {
  readonly hours: number;
  /** As text, for people. */
  readonly first: string;
  readonly last: string;
}

/** The database whose derived tables are made again. */
export interface RebuildTarget {
  derivedTables(): Promise<readonly DerivedTable[]>;
  /** In their order. */
  rawDays(): Promise<readonly RawDay[]>;
  /** Hours within retention that a table has rows of and the one beside it has not; `time` is the column that says when. */
  lostHours(table: string, beside: string, time: string): Promise<LostHours>;
  /** One statement. */
  run(statement: string): Promise<void>;
}

export type Rebuilt =
  | { readonly ok: true; readonly tables: readonly string[]; readonly days: number; readonly rows: number }
  | { readonly ok: false; readonly error: string };

/** A grouping of a large day goes over the disk: memory is bounded by this and by the block that is read. */
const FILLING =
  'insert_deduplicate = 0, max_execution_time = 0, max_threads = 2, max_bytes_before_external_group_by = 268435456';

/**
 * Partitions with a range that was planned and not committed. Its insert will be repeated, and only the tables that were
 * there when it was stored know its token: a table that is made anew meanwhile would count it twice.
 */
export function plannedPartitions(committed: readonly { offset: number; metadata: string }[]): number[] {
  return committed.flatMap(({ offset, metadata }, partition) =>
    planOf(metadata, offset) === undefined ? [] : [partition],
  );
}

/** The rows of one day for a table; undefined when its view does not read delivery_raw in the one way that is known. */
export function fillStatement(table: DerivedTable, into: string, day: string): string | undefined {
  const source = /\bFROM (\S*\bdelivery_raw`?)(?![\w.])/g;
  if ([...table.select.matchAll(source)].length !== 1 || !/^\d{8}$/.test(day)) return undefined;
  const select = table.select.replace(source, `FROM (SELECT * FROM $1 WHERE _partition_id = '${day}')`);
  const columns = table.columns.join(', ');
  return `INSERT INTO ${into} (${columns}) SELECT ${columns} FROM (${select}) SETTINGS ${FILLING}`;
}

export const sameDays = (a: readonly RawDay[], b: readonly RawDay[]) =>
  a.length === b.length && a.every(({ day, rows }, i) => day === b[i]?.day && rows === b[i]?.rows);

/** Of the tables that count by time: what happened when. */
const timeOf = ({ columns }: DerivedTable): string | undefined =>
  columns.find((column) => column === 'minute' || column === 'hour');

/**
 * Makes every derived table again from delivery_raw, one day of it at a time, while no sink writes.
 *
 * 1 A table beside each is filled. A death here leaves them behind, and the next run begins with dropping them.
 * 2 What has been lost from raw, a day that is missing in the middle, is seen where tables that count by time have hours and
 *   the ones beside them have not. Nothing is replaced then. What is older than the retention is not looked at: tables drop
 *   it by months, raw rows by days.
 * 3 Each takes the place of the old one, at once for readers; views follow the name. A death here leaves some done.
 * 4 The old one is dropped. A death between 3 and 4 leaves old ones beside, dropped by the next run.
 *
 * The raw rows are counted before each of the last steps and after them: if any came in meanwhile, the tables may lack them.
 */
export async function rebuild(target: RebuildTarget, o: { readonly discardOlder: boolean }): Promise<Rebuilt> {
  const tables = await target.derivedTables();
  if (tables.length === 0)
    return { ok: false, error: 'there is no derived table: the schema has to be migrated first' };
  const days = await target.rawDays();
  const fillings = tables.map((table) => days.map(({ day }) => fillStatement(table, besideOf(table), day)));
  const unknown = tables.find((_, i) => fillings[i]?.includes(undefined));
  if (unknown !== undefined) return { ok: false, error: `the view of ${unknown.name} is none that can be repeated` };

  for (const [i, table] of tables.entries()) {
    await target.run(`DROP TABLE IF EXISTS ${besideOf(table)} SYNC`);
    await target.run(`CREATE TABLE ${besideOf(table)} AS ${table.name}`);
    for (const filling of fillings[i] ?? []) await target.run(filling as string);
  }
  const lost = o.discardOlder ? undefined : await firstLoss(target, tables);
  const why = lost ?? (sameDays(days, await target.rawDays()) ? undefined : CAME_IN);
  if (why !== undefined) {
    for (const table of tables) await target.run(`DROP TABLE ${besideOf(table)} SYNC`);
    return { ok: false, error: why };
  }
  for (const table of tables) await target.run(`EXCHANGE TABLES ${table.name} AND ${besideOf(table)}`);
  for (const table of tables) await target.run(`DROP TABLE ${besideOf(table)} SYNC`);
  if (!sameDays(days, await target.rawDays())) return { ok: false, error: CAME_IN };
  return {
    ok: true,
    tables: tables.map(({ name }) => name),
    days: days.length,
    rows: days.reduce((sum, { rows }) => sum + rows, 0),
  };
}

const CAME_IN = 'raw rows came or went meanwhile: stop every sink, and run it again';
const besideOf = ({ name }: DerivedTable): string => `${name}_rebuilt`;

async function firstLoss(target: RebuildTarget, tables: readonly DerivedTable[]): Promise<string | undefined> {
  for (const table of tables) {
    const time = timeOf(table);
    if (time === undefined) continue;
    const { hours, first, last } = await target.lostHours(table.name, besideOf(table), time);
    if (hours > 0)
      return `${table.name} has ${hours} hours from ${first} to ${last} of which no raw row is left, and would lose them; --discard-older does it all the same`;
  }
  return undefined;
}
