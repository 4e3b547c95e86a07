/**
 * Things to write, one write at a time: what is added while a write is under way goes with the next one. So batches
 * grow by themselves with the round trip, order is kept, and there is one promise a batch, not one a message.
 */
export interface Collector<T> {
  add(item: T): void;
  /** Added and not yet acknowledged. */
  size(): number;
}

export function createCollector<T>(options: {
  readonly maxItems: number;
  /** Runs its argument after the current burst of work, so that the burst becomes one batch. */
  readonly soon: (run: () => void) => void;
  /** Resolves when all are acknowledged. A rejection is a bug: it goes to `onBug` and nothing more is written. */
  readonly write: (items: readonly T[]) => Promise<void>;
  readonly onBug: (error: Error) => void;
}): Collector<T> {
  let waiting: T[] = [];
  let writing = 0;
  let scheduled = false;
  let broken = false;

  const flush = () => {
    scheduled = false;
    if (writing > 0 || waiting.length === 0 || broken) return;
    const items = waiting.length <= options.maxItems ? waiting : waiting.slice(0, options.maxItems);
    waiting = items === waiting ? [] : waiting.slice(options.maxItems);
    writing = items.length;
    options.write(items).then(
      () => {
        writing = 0;
        if (waiting.length > 0) flush();
      },
      (error: Error) => {
        broken = true;
        options.onBug(error);
      },
    );
  };

  return {
    add(item) {
      waiting.push(item);
      if (scheduled || writing > 0) return;
      scheduled = true;
      options.soon(flush);
    },
    size: () => waiting.length + writing,
  };
}
