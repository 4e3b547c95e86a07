import type { Held, ReadAhead } from './read-ahead.ts';

/** Read at once while there is more than fits. */
const TURNS = 2;

export interface TurnsFetching<P> {
  pause(partition: P): void;
  resume(partition: P): void;
  /** The log has more of it than was read. */
  lags(partition: P): boolean;
  /** Nothing that it holds can be done for now. */
  standsStill(partition: P): boolean;
}

/**
 * The same bound for a reader whose work is cheaper in large pieces of one partition. While a quarter of it is used, two
 * partitions are read at a time, each up to a third; once something of one is done, its turn is over and the one that
 * has waited longest begins. Below a quarter everything is read. Beside those two a partition holds what one fetch brought.
 * One that stands still has no turn and is no crowd: it is read up to an equal part of half the bound, and the others go on.
 */
export function createReadInTurns<P extends Held>(maxBytes: number, fetching: TurnsFetching<P>): ReadAhead<P> {
  let total = 0;
  let reading: P[] = [];
  /** Paused, the longest first. */
  let waiting: P[] = [];
  const standing = new Set<P>();
  let granted = maxBytes / 2;

  function isCrowded(): boolean {
    let moving = total;
    for (const { bytes } of standing) moving -= bytes;
    return moving >= maxBytes / 4;
  }
  const part = maxBytes / (TURNS + 1);

  function pause(partition: P): void {
    if (partition.paused) return;
    partition.paused = true;
    fetching.pause(partition);
  }

  function resume(partition: P): void {
    if (!partition.paused) return;
    partition.paused = false;
    fetching.resume(partition);
  }

  const drop = (partition: P) => {
    reading = reading.filter((p) => p !== partition);
    waiting = waiting.filter((p) => p !== partition);
  };

  function beginNext(): void {
    if (!isCrowded()) {
      const all = [...reading, ...waiting];
      [reading, waiting] = [[], []];
      for (const partition of all) resume(partition);
      return;
    }
    while (reading.length < TURNS) {
      const next = waiting.shift();
      if (next === undefined) return;
      resume(next);
      if (fetching.lags(next)) reading.push(next);
    }
  }

  return {
    reset(assigned) {
      total = 0;
      [reading, waiting] = [[], []];
      standing.clear();
      granted = maxBytes / 2 / Math.max(1, assigned);
    },
    grew(partition, bytes) {
      partition.bytes += bytes;
      total += bytes;
    },
    pauseIfFull(partition) {
      if (partition.paused) return;
      if (fetching.standsStill(partition)) {
        standing.add(partition);
        if (partition.bytes >= granted) pause(partition);
        drop(partition);
        beginNext();
        return;
      }
      standing.delete(partition);
      if (!isCrowded()) return;
      if (!fetching.lags(partition)) {
        drop(partition);
        beginNext();
      } else if (reading.includes(partition)) {
        if (partition.bytes >= part || total > maxBytes) pause(partition);
      } else if (reading.length < TURNS) {
        reading.push(partition);
      } else {
        waiting.push(partition);
        pause(partition);
      }
    },
    shrank(partition, bytes) {
      partition.bytes -= bytes;
      total -= bytes;
      const stood = standing.has(partition) && !fetching.standsStill(partition);
      if (stood) standing.delete(partition);
      if (reading.includes(partition) || (stood && partition.paused)) {
        drop(partition);
        waiting.push(partition);
        pause(partition);
      }
      beginNext();
    },
    cleared(partition) {
      total -= partition.bytes;
      partition.bytes = 0;
      standing.delete(partition);
      drop(partition);
      beginNext();
    },
  };
}
