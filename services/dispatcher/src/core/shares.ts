/**
 * Which part of a limit (provider or campaign, by key) this process may use while others use the rest.
 *
 * Every dispatcher writes a row: its backlog under each limited key that it has work for (weight), and the part that it
 * uses or is about to use (claim). A claim is written before it is used, and raised only into what the claims of all living
 * rows leave free; a part that is too large is given up at once. So at no moment the parts in use add up to more than one,
 * but for the floor, and for a process that uses a key for the first time, for the second until it has written so.
 */
export interface ShareRow {
  readonly id: string;
  readonly weights: Readonly<Record<string, number>>;
  readonly claims: Readonly<Record<string, number>>;
}

export interface Shares {
  /** Above 0, at most 1. */
  of(key: string): number;
  /** The claims to write now: one for each key of `weights`. Keys that are not among them are given up. */
  propose(weights: Readonly<Record<string, number>>): Readonly<Record<string, number>>;
  /** They are written; these rows of other living processes were read with it, none written since. */
  settle(others: readonly ShareRow[]): void;
  /**
   * Until rows could be read for the first time: the part of the partitions that this process owns. These parts add up to
   * one over the group, whatever else is unreachable.
   */
  assume(part: number): void;
}

/** Nobody with work gets less: the first second of a newcomer, before the others have made room. */
export const SHARE_FLOOR = 0.01;
/** Handed out in equal parts whatever the backlogs: they are counted in what has been read ahead, which is not all. */
const SMOOTHING = 0.1;

/** What falls to a process with `weight` beside these others that have work under the key. */
export function shareOf(weight: number, others: readonly number[]): number {
  const all = others.reduce((sum, w) => sum + w, weight);
  const equal = 1 / (others.length + 1);
  return all > 0 ? (1 - SMOOTHING) * (weight / all) + SMOOTHING * equal : equal;
}

export function createShares(): Shares {
  const used = new Map<string, number>();
  let others: readonly ShareRow[] | undefined;
  let assumed = SHARE_FLOOR;
  let proposed: { weights: Readonly<Record<string, number>>; claims: Record<string, number> } | undefined;

  const target = (key: string, weight: number): number =>
    shareOf(
      weight,
      (others ?? []).flatMap((row) => (key in row.weights ? [row.weights[key] as number] : [])),
    );
  const free = (key: string): number => 1 - (others ?? []).reduce((sum, row) => sum + (row.claims[key] ?? 0), 0);

  /** A key that nobody knows this process to use: an equal part of all that live, or what they have left. */
  const initial = (key: string): number =>
    others === undefined ? assumed : Math.max(SHARE_FLOOR, Math.min(1 / (others.length + 1), free(key)));

  return {
    of: (key) => used.get(key) ?? initial(key),

    propose(weights) {
      const claims: Record<string, number> = {};
      for (const key of used.keys()) if (!(key in weights)) used.delete(key);
      for (const [key, weight] of Object.entries(weights)) {
        // Nothing changes yet: while the rows cannot be reached, the last part is kept.
        claims[key] = Math.max(used.get(key) ?? 0, others === undefined ? assumed : target(key, weight));
      }
      proposed = { weights, claims };
      return claims;
    },

    settle(rows) {
      others = rows;
      if (proposed === undefined) return;
      const { weights, claims } = proposed;
      for (const [key, weight] of Object.entries(weights)) {
        const wanted = Math.min(target(key, weight), claims[key] as number);
        const now = used.get(key) ?? 0;
        const part = wanted <= now ? wanted : Math.max(now, Math.min(wanted, free(key)));
        used.set(key, Math.max(SHARE_FLOOR, part));
      }
    },

    assume(part) {
      assumed = Math.max(SHARE_FLOOR, Math.min(1, part));
    },
  };
}
