/**
 * Bounds of the latency buckets, as the sink's view has them: 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100 … up to 11.5 days.
 * A bucket is named by its upper bound.
 */
const PER_DECADE = [1, 1.5, 2, 3, 5, 7];
const LAST = 1_000_000_000;
export const LATENCY_BOUNDS_MS: readonly number[] = Array.from({ length: 10 }, (_, power) => 10 ** power)
  .flatMap((unit) => PER_DECADE.map((n) => n * unit))
  .filter((ms) => Number.isInteger(ms) && ms <= LAST);

/** The bound below a bucket; 0 below the first. */
export function bucketBelow(boundMs: number): number {
  let below = 0;
  for (const bound of LATENCY_BOUNDS_MS) if (bound < boundMs) below = bound;
  return below;
}
