/** Resident memory of a service at a moment of a run. */
export interface MemorySample {
  readonly service: string;
  readonly atMs: number;
  readonly mib: number;
}

export interface MemoryGrowth {
  readonly service: string;
  /** Medians of the first and of the last quarter of the run. */
  readonly firstMib: number;
  readonly lastMib: number;
  readonly grown: boolean;
}

/**
 * A service is killed every few minutes, and a young process is smaller than an old one: both quarters have some of each, and a
 * median does not see a single collection that came late. Beyond that a heap of 60 MiB may be one size larger or not.
 */
const MOST_TIMES = 1.25;
const SLACK_MIB = 32;

const medianOf = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** What holds more and more of what is gone would show here: the same load, and more memory than at first. */
export function memoryGrowth(samples: readonly MemorySample[], runMs: number): MemoryGrowth[] {
  return [...new Set(samples.map(({ service }) => service))].map((service) => {
    const of = (fromMs: number, toMs: number) =>
      samples.filter((s) => s.service === service && s.atMs >= fromMs && s.atMs < toMs).map(({ mib }) => mib);
    const firstMib = medianOf(of(0, runMs / 4));
    const lastMib = medianOf(of((runMs * 3) / 4, runMs));
    // Without a sample there is nothing that would show that it did not grow.
    return { service, firstMib, lastMib, grown: !(lastMib <= firstMib * MOST_TIMES + SLACK_MIB) };
  });
}

export const growthText = ({ service, firstMib, lastMib }: MemoryGrowth): string =>
  `${service} ${firstMib.toFixed(0)} to ${lastMib.toFixed(0)} MiB`;
