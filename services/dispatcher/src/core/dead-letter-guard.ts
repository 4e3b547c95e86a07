/**
 * Records that are no messages, told apart from single bad ones: when a partition carries nothing else, a schema was
 * broken or somebody writes to the wrong topic, and a million dead letters help nobody. Refused and exhausted messages, and
 * templates that fail, do not count: they are messages.
 */
export interface DeadLetterGuard {
  /** What one topic partition has carried; ask once a batch. */
  of(topic: string, partition: number): Tally;
  clear(): void;
}

export interface Tally {
  /** Why the partition must stop; undefined while it may go on. */
  readonly tripped: string | undefined;
  message(): void;
  noMessage(): void;
}

export interface GuardLimits {
  /** In a row. */
  readonly run: number;
  /** Part of the last `window`, once there have been `from`. */
  readonly ratio: number;
  readonly window: number;
  readonly from: number;
}

export const DEFAULT_GUARD: GuardLimits = { run: 1_000, ratio: 0.2, window: 10_000, from: 2_000 };
/** The window moves on by a hundredth of itself. */
const STEPS = 100;

export function createDeadLetterGuard(limits: GuardLimits = DEFAULT_GUARD): DeadLetterGuard {
  let tallies = new Map<string, Tally>();
  return {
    of(topic, partition) {
      const key = `${topic}/${partition}`;
      let tally = tallies.get(key);
      if (tally === undefined) {
        tally = createTally(limits);
        tallies.set(key, tally);
      }
      return tally;
    },
    clear() {
      tallies = new Map();
    },
  };
}

function createTally(limits: GuardLimits): Tally {
  const stepSize = Math.max(1, Math.floor(limits.window / STEPS));
  const badInStep = new Uint32Array(STEPS);
  let step = 0;
  let inStep = 0;
  let seen = 0;
  let bad = 0;
  let run = 0;
  let tripped: string | undefined;

  const count = () => {
    inStep += 1;
    seen = Math.min(limits.window, seen + 1);
    if (inStep < stepSize) return;
    inStep = 0;
    step = (step + 1) % STEPS;
    bad -= badInStep[step] as number;
    badInStep[step] = 0;
  };

  return {
    get tripped() {
      return tripped;
    },
    message() {
      run = 0;
      count();
    },
    noMessage() {
      run += 1;
      bad += 1;
      badInStep[step] = (badInStep[step] as number) + 1;
      count();
      if (run >= limits.run) tripped = `${run} records in a row are no messages`;
      else if (seen >= limits.from && bad > limits.ratio * seen)
        tripped = `${bad} of the last ${seen} records are no messages`;
    },
  };
}
