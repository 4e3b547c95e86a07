/**
 * What may be committed: the lowest offset that was handed over and is not settled yet, or the next one to come.
 * Records settle in any order and at 100,000 a second, so the tracker is two rings (9 bytes a record, no object, no
 * Set): offsets in the order they were handed over, and whether each is settled.
 */
export interface OffsetTracker {
  /** In rising order. Offsets that are left out (compaction, markers) count as settled. */
  handOver(offset: number): void;
  /** True the first time for an offset that was handed over, else false. */
  settle(offset: number): boolean;
  /** Whatever was handed over below this offset; says how many of them were not settled before. */
  settleBelow(offset: number): number;
  /** The offset to commit: everything below it is settled. */
  watermark(): number;
  /** Handed over and not settled. */
  unsettled(): number;
}

const SMALLEST_RING = 1024;

export function createOffsetTracker(start: number): OffsetTracker {
  let offsets = new Float64Array(SMALLEST_RING);
  let settled = new Uint8Array(SMALLEST_RING);
  let mask = SMALLEST_RING - 1;
  let head = 0;
  let size = 0;
  let next = start;
  let open = 0;

  function resize(capacity: number): void {
    const newOffsets = new Float64Array(capacity);
    const newSettled = new Uint8Array(capacity);
    for (let i = 0; i < size; i++) {
      const from = (head + i) & mask;
      newOffsets[i] = offsets[from] as number;
      newSettled[i] = settled[from] as number;
    }
    offsets = newOffsets;
    settled = newSettled;
    mask = capacity - 1;
    head = 0;
  }

  /** Position from the head, or -1. Without holes the first guess is right; a hole only makes the position lower. */
  function find(offset: number): number {
    if (size === 0) return -1;
    const guess = offset - (offsets[head] as number);
    if (guess < 0) return -1;
    if (guess < size && offsets[(head + guess) & mask] === offset) return guess;
    let low = 0;
    let high = Math.min(guess, size - 1);
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = offsets[(head + middle) & mask] as number;
      if (found === offset) return middle;
      if (found < offset) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  function dropSettled(): void {
    while (size > 0 && settled[head] === 1) {
      head = (head + 1) & mask;
      size -= 1;
    }
    // A partition that was held for long gives its memory back when it is through.
    if (size === 0 && mask + 1 > SMALLEST_RING * 64) resize(SMALLEST_RING);
  }

  return {
    handOver(offset) {
      if (offset < next) throw new RangeError(`offset ${offset} was handed over after ${next - 1}`);
      if (size === mask + 1) resize(size * 2);
      const at = (head + size) & mask;
      offsets[at] = offset;
      settled[at] = 0;
      size += 1;
      open += 1;
      next = offset + 1;
    },
    settle(offset) {
      const position = find(offset);
      if (position < 0) return false;
      const at = (head + position) & mask;
      if (settled[at] === 1) return false;
      settled[at] = 1;
      open -= 1;
      dropSettled();
      return true;
    },
    settleBelow(offset) {
      const before = open;
      for (let i = 0; i < size; i++) {
        const at = (head + i) & mask;
        if ((offsets[at] as number) >= offset) break;
        if (settled[at] === 0) open -= 1;
        settled[at] = 1;
      }
      dropSettled();
      return before - open;
    },
    watermark: () => (size > 0 ? (offsets[head] as number) : next),
    unsettled: () => open,
  };
}
