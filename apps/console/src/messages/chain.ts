/**
 * The pages of a keyset list as far as they were read: only where each begins and how many rows it has, not the rows. So a
 * list of a million messages costs some hundred kilobytes, and any page of it can be asked for again.
 */
export interface Link {
  /** undefined: the first page. */
  readonly cursor: string | undefined;
  /** Of its first row in the whole list. */
  readonly start: number;
  readonly count: number;
}
export interface Chain {
  readonly links: readonly Link[];
  /** Begin of the page that was not read yet; null: there is none. */
  readonly next: string | null | undefined;
  /** Pages without a row at the end of what was read: a filter that few messages match. */
  readonly emptyRun: number;
}
export const EMPTY_CHAIN: Chain = { links: [], next: undefined, emptyRun: 0 };

export interface ReadPage {
  readonly at: number;
  readonly cursor: string | undefined;
  readonly count: number;
  readonly next: string | null;
}

export const rowsOf = ({ links }: Chain): number => {
  const last = links.at(-1);
  return last ? last.start + last.count : 0;
};
export const cursorAt = (chain: Chain, at: number): string | undefined =>
  at < chain.links.length ? chain.links[at]?.cursor : (chain.next ?? undefined);

/** A page that was read again and has changed its end takes what came after it with it: that is read anew. */
export function withPage(chain: Chain, page: ReadPage): Chain {
  const { links } = chain;
  if (page.at > links.length || cursorAt(chain, page.at) !== page.cursor) return chain;
  const known = links[page.at];
  const nextKnown = page.at + 1 < links.length ? links[page.at + 1]?.cursor : chain.next;
  if (known && known.count === page.count && nextKnown === page.next) return chain;
  const before = links.slice(0, page.at);
  const start = rowsOf({ ...chain, links: before });
  const kept = [...before, { cursor: page.cursor, start, count: page.count }];
  let emptyRun = 0;
  while (kept[kept.length - 1 - emptyRun]?.count === 0) emptyRun++;
  return { links: kept, next: page.next, emptyRun };
}

/** The page that has this row of the whole list. */
export function pageOfRow({ links }: Chain, row: number): number {
  let [low, high] = [0, links.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const { start, count } = links[middle] as Link;
    if (start + count <= row) low = middle + 1;
    else high = middle;
  }
  return low;
}
