/** What is due when: a binary heap by time. Equal times leave in any order; whoever needs order among them keeps its own. */
export interface DueHeap<T> {
  push(atMs: number, item: T): void;
  /** Infinity when empty. */
  firstMs(): number;
  /** The item that is due first, if it is due by `nowMs`. */
  popDue(nowMs: number): T | undefined;
  clear(): void;
  size(): number;
}

interface Entry<T> {
  readonly atMs: number;
  readonly item: T;
}

export function createDueHeap<T>(): DueHeap<T> {
  let heap: Entry<T>[] = [];

  return {
    push(atMs, item) {
      const entry = { atMs, item };
      let i = heap.length;
      heap.push(entry);
      while (i > 0) {
        const parent = (i - 1) >> 1;
        const above = heap[parent] as Entry<T>;
        if (above.atMs <= atMs) break;
        heap[i] = above;
        i = parent;
      }
      heap[i] = entry;
    },
    firstMs: () => heap[0]?.atMs ?? Number.POSITIVE_INFINITY,
    popDue(nowMs) {
      const first = heap[0];
      if (first === undefined || first.atMs > nowMs) return undefined;
      const last = heap.pop() as Entry<T>;
      if (heap.length === 0) return first.item;
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= heap.length) break;
        const right = heap[child + 1];
        if (right !== undefined && right.atMs < (heap[child] as Entry<T>).atMs) child += 1;
        const below = heap[child] as Entry<T>;
        if (below.atMs >= last.atMs) break;
        heap[i] = below;
        i = child;
      }
      heap[i] = last;
      return first.item;
    },
    clear() {
      heap = [];
    },
    size: () => heap.length,
  };
}
