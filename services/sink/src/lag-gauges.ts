import type { PartitionLag } from '@volley/stream';
import type { SinkMetrics } from './metrics.ts';

/**
 * Tells the lag of the partitions that are this process's now. Those given up since the last time end: their last value
 * would stand beside that of the new owner for as long as this process lives.
 */
export function createLagGauges(m: SinkMetrics) {
  let told = new Set<number>();
  return (lags: readonly PartitionLag[], ageSeconds: (partition: number) => number) => {
    const now = new Set(lags.map(({ partition }) => partition));
    for (const partition of told) {
      if (now.has(partition)) continue;
      m.lagRecords.remove({ partition });
      m.lagSeconds.remove({ partition });
    }
    told = now;
    for (const { partition, logEnd, watermark } of lags) {
      m.lagRecords.set(Math.max(0, logEnd - watermark), { partition });
      m.lagSeconds.set(ageSeconds(partition), { partition });
    }
    m.assignedPartitions.set(now.size);
    m.memoryBytes.set(lags.reduce((sum, { inMemoryBytes }) => sum + inMemoryBytes, 0));
  };
}
