import { createLatencies, type Latencies, latenciesOf } from './latencies.ts';

/** Answers are counted by when they came, in steps of so many milliseconds. */
export const BIN_MS = 100;

/** What came of a request. */
export interface Answer {
  /**
   * `accepted`: a 2xx. `refused`: a clear no, nothing was taken. `unknown`: begun, and nobody knows. `not_sent`: it never left.
   */
  readonly outcome: 'accepted' | 'refused' | 'unknown' | 'not_sent';
  /** For the table of errors: `429`, `503 unavailable`, `timeout`, `ECONNRESET`. Empty when accepted. */
  readonly error: string;
  /** Messages that were taken; of an NDJSON body that failed midway, those before. */
  readonly messages: number;
}

/** What one interval of one stage has seen; times are those for which arrivals were meant. */
export interface Interval {
  readonly stage: number;
  readonly index: number;
  /** Arrivals that were fired. */
  arrivals: number;
  accepted: number;
  messages: number;
  /** Messages of requests of which nobody knows. */
  unknown: number;
  readonly errors: Record<string, number>;
  readonly latencies: Partial<Record<'http' | 'late' | 'reads', Latencies>>;
}

/** An interval as it travels between processes. */
export type Sample = Omit<Interval, 'latencies'> & {
  readonly latencies: Readonly<Record<string, string>>;
};
export interface Sent {
  readonly intervals: readonly Sample[];
  /** Requests that were not accepted, and what came of them. */
  readonly failed: readonly (readonly [arrival: number, outcome: Answer['outcome']])[];
  /** Messages that were accepted, by bin of the time of the answer; and requests that left, by bin of when they did. */
  readonly answered: readonly (readonly [bin: number, messages: number])[];
  readonly started: readonly (readonly [bin: number, messages: number])[];
}

export interface Recorder {
  interval(stage: number, index: number): Interval;
  started(atMs: number, messages: number): void;
  answered(atMs: number, messages: number): void;
  failed(arrival: number, outcome: Answer['outcome']): void;
  /** Everything since the last call. */
  take(): Sent;
}

const emptyInterval = (stage: number, index: number): Interval => ({
  ...{ stage, index, arrivals: 0, accepted: 0, messages: 0, unknown: 0 },
  errors: {},
  latencies: {},
});

export function recordLatency(interval: Interval, name: 'http' | 'late' | 'reads', ms: number): void {
  let latencies = interval.latencies[name];
  if (latencies === undefined) {
    latencies = createLatencies();
    interval.latencies[name] = latencies;
  }
  latencies.record(ms);
}

export const countError = (errors: Record<string, number>, kind: string, by = 1): void => {
  errors[kind] = (errors[kind] ?? 0) + by;
};

const count = (bins: Map<number, number>, atMs: number, messages: number) => {
  const bin = Math.floor(atMs / BIN_MS);
  bins.set(bin, (bins.get(bin) ?? 0) + messages);
};

export function createRecorder(): Recorder {
  let intervals = new Map<string, Interval>();
  let answered = new Map<number, number>();
  let started = new Map<number, number>();
  let failed: [number, Answer['outcome']][] = [];
  return {
    interval(stage, index) {
      const key = `${stage}/${index}`;
      let found = intervals.get(key);
      if (found === undefined) {
        found = emptyInterval(stage, index);
        intervals.set(key, found);
      }
      return found;
    },
    started: (atMs, messages) => count(started, atMs, messages),
    answered: (atMs, messages) => count(answered, atMs, messages),
    failed: (arrival, outcome) => void failed.push([arrival, outcome]),
    take() {
      const sent: Sent = {
        intervals: [...intervals.values()].map(({ latencies, ...rest }) => ({
          ...rest,
          latencies: Object.fromEntries(Object.entries(latencies).map(([name, l]) => [name, l.encoded()])),
        })),
        failed,
        answered: [...answered],
        started: [...started],
      };
      failed = [];
      intervals = new Map();
      answered = new Map();
      started = new Map();
      return sent;
    },
  };
}

/** What all generators have seen, together. */
export interface Recording {
  readonly intervals: ReadonlyMap<string, Interval>;
  readonly answered: ReadonlyMap<number, number>;
  readonly started: ReadonlyMap<number, number>;
  readonly failed: ReadonlyMap<number, Answer['outcome']>;
  add(sent: Sent): void;
}

export function createRecording(): Recording {
  const intervals = new Map<string, Interval>();
  const answered = new Map<number, number>();
  const started = new Map<number, number>();
  const failed = new Map<number, Answer['outcome']>();
  const addAll = (to: Map<number, number>, list: Sent['answered']) => {
    for (const [bin, messages] of list) to.set(bin, (to.get(bin) ?? 0) + messages);
  };
  return {
    intervals,
    answered,
    started,
    failed,
    add(sent) {
      for (const [arrival, outcome] of sent.failed) failed.set(arrival, outcome);
      for (const one of sent.intervals) {
        const key = `${one.stage}/${one.index}`;
        const into = intervals.get(key) ?? emptyInterval(one.stage, one.index);
        intervals.set(key, into);
        into.arrivals += one.arrivals;
        into.accepted += one.accepted;
        into.messages += one.messages;
        into.unknown += one.unknown;
        for (const [kind, times] of Object.entries(one.errors)) countError(into.errors, kind, times);
        for (const name of ['http', 'late', 'reads'] as const) {
          const encoded = one.latencies[name];
          if (encoded === undefined) continue;
          const more = latenciesOf(encoded);
          const known = into.latencies[name];
          if (known === undefined) into.latencies[name] = more;
          else known.add(more);
        }
      }
      addAll(answered, sent.answered);
      addAll(started, sent.started);
    },
  };
}
