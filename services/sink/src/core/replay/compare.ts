/** What is known of one key (an hour, a campaign) in one table of one set: two that are equal hold the same rows. */
export interface Digest {
  /** Epoch seconds of the hour, or the campaign's id. */
  readonly key: string;
  readonly rows: number;
  /** Of every column of every row, states by their bytes; of raw rows also where they lie in the log. */
  readonly hash: string;
  /** Of raw rows: different places in the log. */
  readonly places?: number;
  /** Of raw rows: of e2e_ms of what was sent, as its state says it, and of that state's bytes. */
  readonly percentiles?: readonly (number | null)[];
  readonly state?: string;
  /** Of derived tables that count them. */
  readonly events?: number;
}

/** One table, live and beside, by key. */
export interface TableDigests {
  /** The name of the live one. */
  readonly table: string;
  readonly by: 'hour' | 'campaign';
  readonly live: readonly Digest[];
  readonly beside: readonly Digest[];
}

export interface Difference {
  readonly table: string;
  /** One of the two: ISO time of the hour, or the campaign. */
  readonly hour?: string;
  readonly campaign_id?: string;
  /** null: it has nothing there. */
  readonly live: Said | null;
  readonly rebuilt: Said | null;
}

interface Said {
  readonly rows: number;
  readonly places?: number;
  readonly events?: number;
  readonly p50_ms?: number | null;
  readonly p95_ms?: number | null;
  readonly p99_ms?: number | null;
  readonly hash: string;
}

export interface Comparison {
  readonly equal: boolean;
  /** Raw rows alone: what lies in the ranges does not change while live goes on. */
  readonly rawEqual: boolean;
  readonly hours: number;
  readonly rows: number;
  /** Compared table by table: keys that all events of theirs were selected of. */
  readonly keys: number;
  readonly differing: number;
  /** The first ones. */
  readonly differences: readonly Difference[];
}

const MOST_SAID = 50;
export const RAW_TABLE = 'delivery_raw';

const isSame = (a: Digest | undefined, b: Digest | undefined): boolean =>
  a !== undefined &&
  b !== undefined &&
  a.rows === b.rows &&
  a.hash === b.hash &&
  a.places === b.places &&
  a.state === b.state;

function said(d: Digest | undefined): Said | null {
  if (d === undefined) return null;
  const { rows, places, events, hash, percentiles } = d;
  const [, p50_ms = null, p95_ms = null, p99_ms = null] = percentiles ?? [];
  return {
    rows,
    ...(places === undefined ? {} : { places }),
    ...(events === undefined ? {} : { events }),
    ...(percentiles === undefined ? {} : { p50_ms, p95_ms, p99_ms }),
    hash,
  };
}

const placeOf = (by: TableDigests['by'], key: string) =>
  by === 'hour' ? { hour: new Date(Number(key) * 1_000).toISOString() } : { campaign_id: key };

/** `mayCompare`: of derived tables, keys of which nothing but the selection is in the live one. */
export function comparisonOf(
  tables: readonly TableDigests[],
  mayCompare: (by: TableDigests['by'], key: string) => boolean,
): Comparison {
  const differences: Difference[] = [];
  let differing = 0;
  let keys = 0;
  let rawEqual = true;
  for (const { table, by, live, beside } of tables) {
    const [ours, theirs] = [live, beside].map((of) => new Map(of.map((digest) => [digest.key, digest])));
    const both = new Set([...(ours?.keys() ?? []), ...(theirs?.keys() ?? [])]);
    for (const key of [...both].sort()) {
      if (table !== RAW_TABLE && !mayCompare(by, key)) continue;
      keys += 1;
      const [a, b] = [ours?.get(key), theirs?.get(key)];
      if (isSame(a, b)) continue;
      differing += 1;
      if (table === RAW_TABLE) rawEqual = false;
      if (differences.length < MOST_SAID)
        differences.push({ table, ...placeOf(by, key), live: said(a), rebuilt: said(b) });
    }
  }
  const raw = tables.find(({ table }) => table === RAW_TABLE)?.beside ?? [];
  return {
    equal: differing === 0,
    rawEqual,
    hours: raw.length,
    rows: raw.reduce((sum, { rows }) => sum + rows, 0),
    keys,
    differing,
    differences,
  };
}
