import type { StreamRecord, TopicPartition } from './port.ts';

export interface Held extends TopicPartition {
  bytes: number;
  paused: boolean;
}

export interface ReadAhead<P extends Held> {
  /** A new assignment: nothing held, nothing paused. */
  reset(assigned: number): void;
  grew(partition: P, bytes: number): void;
  pauseIfFull(partition: P): void;
  shrank(partition: P, bytes: number): void;
  /** What it held counts for nothing any more. */
  cleared(partition: P): void;
}

const SMALLEST_SHARE_BYTES = 64 * 1024;
/** Objects, headers and queue entries around the bytes themselves. */
const RECORD_OVERHEAD_BYTES = 200;

export function bytesOf(record: StreamRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const name in record.headers) bytes += name.length + (record.headers[name]?.length ?? 0);
  return bytes;
}

/**
 * Bounds the bytes that wait in memory. A partition may hold its share: the bound divided by the partitions that hold
 * anything. Below half of an equal part it is never paused, whatever the others hold: one partition that is full and
 * rate-limited must not stop the rest. So the real bound is `maxBytes` and a half, and one fetch per partition.
 */
export function createReadAhead<P extends Held>(
  maxBytes: number,
  fetching: { pause(partition: P): void; resume(partition: P): void },
): ReadAhead<P> {
  let total = 0;
  let holding = 0;
  let granted = SMALLEST_SHARE_BYTES;

  const share = () => Math.max(granted, maxBytes / Math.max(1, holding));

  return {
    reset(assigned) {
      total = 0;
      holding = 0;
      granted = Math.max(SMALLEST_SHARE_BYTES, maxBytes / 2 / Math.max(1, assigned));
    },
    grew(partition, bytes) {
      if (partition.bytes === 0) holding += 1;
      partition.bytes += bytes;
      total += bytes;
    },
    pauseIfFull(partition) {
      if (partition.paused) return;
      if (partition.bytes <= share() && (total <= maxBytes || partition.bytes <= granted)) return;
      partition.paused = true;
      fetching.pause(partition);
    },
    shrank(partition, bytes) {
      partition.bytes -= bytes;
      total -= bytes;
      if (partition.bytes === 0) holding -= 1;
      if (!partition.paused) return;
      const low = partition.bytes < granted / 2 || (partition.bytes < share() / 2 && total < maxBytes * 0.75);
      if (!low) return;
      partition.paused = false;
      fetching.resume(partition);
    },
    cleared(partition) {
      total -= partition.bytes;
      if (partition.bytes > 0) holding -= 1;
      partition.bytes = 0;
    },
  };
}
