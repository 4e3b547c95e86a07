/**
 * Many short waits on one timer: 1 ms slots in a map, one setTimeout while anything waits, and one callback for all that
 * is due in a tick, so that what has to be done once a batch (the journal) can be.
 */
export interface TickTimers<T> {
  /** `item` is due at the first tick at or after `delayMs` from now; those of one tick in the order of their adding. */
  add(delayMs: number, item: T): void;
  size(): number;
  /** Everything is due now. */
  flush(): void;
}

export function createTickTimers<T>(monotonicMs: () => number, onDue: (items: readonly T[]) => void): TickTimers<T> {
  const slots = new Map<number, T[]>();
  let doneTick = Math.floor(monotonicMs());
  let timer: NodeJS.Timeout | undefined;
  let size = 0;

  const take = (tick: number, into: T[]) => {
    const slot = slots.get(tick);
    if (slot === undefined) return;
    slots.delete(tick);
    for (const item of slot) into.push(item);
  };

  const runUpTo = (nowTick: number) => {
    const due: T[] = [];
    if (nowTick - doneTick > slots.size) {
      // After a stall fewer slots exist than milliseconds have passed.
      for (const tick of [...slots.keys()].sort((a, b) => a - b)) if (tick <= nowTick) take(tick, due);
    } else {
      for (let tick = doneTick + 1; tick <= nowTick; tick++) take(tick, due);
    }
    doneTick = Math.max(doneTick, nowTick);
    size -= due.length;
    if (due.length > 0) onDue(due);
  };

  const arm = () => {
    if (size === 0 || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      runUpTo(Math.floor(monotonicMs()));
      arm();
    }, 1);
  };

  return {
    add(delayMs, item) {
      const tick = Math.max(doneTick + 1, Math.ceil(monotonicMs() + delayMs));
      const slot = slots.get(tick);
      if (slot === undefined) slots.set(tick, [item]);
      else slot.push(item);
      size += 1;
      arm();
    },
    size: () => size,
    flush() {
      runUpTo(Number.MAX_SAFE_INTEGER);
      doneTick = Math.floor(monotonicMs());
    },
  };
}
