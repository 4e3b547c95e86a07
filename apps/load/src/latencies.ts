import {
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  Int32Histogram,
  type JsHistogram,
} from 'hdr-histogram-js';

/** Microseconds; what is longer counts as an hour. */
const LONGEST = 3_600_000_000;
const DIGITS = 3;

/** Latencies in an HDR histogram: three significant digits from a microsecond to an hour, 93 KiB, merged without loss. */
export interface Latencies {
  record(ms: number, count?: number): void;
  add(other: Latencies): void;
  /** HdrHistogram's own format (V2, deflated, base64), so that other tools read it too. */
  encoded(): string;
  count(): number;
  /** `share` from 0 to 1; 0 ms when nothing was recorded. */
  quantileMs(share: number): number;
  meanMs(): number;
  maxMs(): number;
  /** How many values are above the bound before and at most this one; the last also has what is above it. */
  buckets(boundsMs: readonly number[]): number[];
  readonly raw: JsHistogram;
}

function wrapped(raw: JsHistogram): Latencies {
  return {
    raw,
    record(ms, count = 1) {
      raw.recordValueWithCount(Math.min(LONGEST, Math.max(1, Math.round(ms * 1_000))), count);
    },
    add: (other) => raw.add(other.raw),
    encoded: () => encodeIntoCompressedBase64(raw),
    count: () => raw.totalCount,
    quantileMs: (share) => (raw.totalCount === 0 ? 0 : raw.getValueAtPercentile(share * 100) / 1_000),
    meanMs: () => (raw.totalCount === 0 ? 0 : raw.mean / 1_000),
    // As a percentile, because what came from another process is known to three digits only.
    maxMs: () => (raw.totalCount === 0 ? 0 : raw.getValueAtPercentile(100) / 1_000),
    buckets(boundsMs) {
      const counts = boundsMs.map(() => 0);
      const values = raw.recordedValuesIterator;
      values.reset();
      let at = 0;
      while (values.hasNext()) {
        const { valueIteratedTo, countAtValueIteratedTo } = values.next();
        // The lower end of what this step stands for: a value at a bound belongs below it.
        const ms = raw.lowestEquivalentValue(valueIteratedTo) / 1_000;
        while (at < boundsMs.length - 1 && ms > (boundsMs[at] as number)) at += 1;
        counts[at] = (counts[at] ?? 0) + countAtValueIteratedTo;
      }
      return counts;
    },
  };
}

export const createLatencies = (): Latencies => wrapped(new Int32Histogram(1, LONGEST, DIGITS));

/** Throws on anything that is no such histogram. */
export const latenciesOf = (encoded: string): Latencies => {
  const latencies = createLatencies();
  latencies.raw.add(decodeFromCompressedBase64(encoded, 32) as JsHistogram);
  return latencies;
};

export interface Summary {
  readonly count: number;
  readonly mean_ms: number;
  readonly p50_ms: number;
  readonly p90_ms: number;
  readonly p95_ms: number;
  readonly p99_ms: number;
  readonly p999_ms: number;
  readonly max_ms: number;
}

export const summaryOf = (of: Latencies): Summary => ({
  count: of.count(),
  mean_ms: of.meanMs(),
  p50_ms: of.quantileMs(0.5),
  p90_ms: of.quantileMs(0.9),
  p95_ms: of.quantileMs(0.95),
  p99_ms: of.quantileMs(0.99),
  p999_ms: of.quantileMs(0.999),
  max_ms: of.maxMs(),
});
