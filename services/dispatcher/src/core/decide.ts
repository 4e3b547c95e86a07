import type { ErrorClass, Reason } from '@volley/contract';

/** How often and how long a message is tried. Times in milliseconds. */
export interface RetryPolicy {
  /** Attempts of a message whose campaign does not say. */
  readonly maxAttempts: number;
  /** Attempts of one error class, where they are fewer. */
  readonly classAttempts: Readonly<Partial<Record<ErrorClass, number>>>;
  /** Attempts in memory, and how long after the first failure there the last of them may begin. */
  readonly memoryAttempts: number;
  readonly memoryMs: number;
  /** From the first failed attempt on, tiers included. */
  readonly patienceMs: number;
}

/** What is known after a failed attempt. */
export interface AttemptFacts {
  readonly class: ErrorClass;
  readonly reason: Reason;
  /** Attempts made, this one included. */
  readonly attempt: number;
  /** What the campaign allows. */
  readonly maxAttempts: number | undefined;
  /** Backoff before the next attempt in memory, jitter included. */
  readonly backoffMs: number;
  /** What the provider asked for. */
  readonly retryAfterMs: number | undefined;
  /** A record of a tier has one attempt. */
  readonly mayRetryHere: boolean;
  /** Since the first failure of this stay in memory. */
  readonly spentHereMs: number;
  /** Since the first failure of all. */
  readonly triedForMs: number;
  /** Where it goes if it leaves memory, and how long that tier waits. */
  readonly nextTier: number;
  readonly tierDelayMs: (tier: number) => number;
  readonly tierFor: (waitMs: number) => number;
}

export type Decision =
  /** In memory. */
  | { readonly next: 'retry'; readonly afterMs: number; readonly costsAttempt: boolean; readonly reason: Reason }
  /** Through a tier, which the message shares with others: this one is not in memory meanwhile. */
  | {
      readonly next: 'move';
      readonly tier: number;
      readonly afterMs: number;
      readonly costsAttempt: boolean;
      readonly reason: Reason;
    }
  | { readonly next: 'failed' | 'dead' | 'expired'; readonly reason: Reason };

/** A provider that says "slow down" without a time is asked again after this long. */
const THROTTLE_DEFAULT_MS = 1_000;
/** A Retry-After beyond an hour is a mistake more often than a wish. */
export const THROTTLE_MAX_MS = 3_600_000;

/** How long a provider that says "slow down" is to be left alone. What becomes of the message is another matter: a tier may be longer. */
export const throttleMs = (retryAfterMs: number | undefined): number =>
  Math.min(retryAfterMs ?? THROTTLE_DEFAULT_MS, THROTTLE_MAX_MS);

/** The whole retry policy of one attempt. */
export function decide(facts: AttemptFacts, policy: RetryPolicy): Decision {
  switch (facts.class) {
    case 'permanent':
      return { next: 'failed', reason: facts.reason };
    case 'poison':
      return { next: 'dead', reason: facts.reason };
    case 'expired':
      return { next: 'expired', reason: 'expired' };
    case 'throttled':
      return inPatience(facts, policy, throttled(facts, policy));
    case 'transient':
    case 'timeout': {
      const ofClass = policy.classAttempts[facts.class] ?? Number.POSITIVE_INFINITY;
      if (facts.attempt >= Math.min(facts.maxAttempts ?? policy.maxAttempts, ofClass))
        return { next: 'dead', reason: 'attempts_exhausted' };
      return inPatience(facts, policy, failed(facts, policy));
    }
  }
}

type Another = Extract<Decision, { afterMs: number }>;

const fitsMemory = (facts: AttemptFacts, policy: RetryPolicy, afterMs: number) =>
  facts.spentHereMs + afterMs <= policy.memoryMs;

function throttled(facts: AttemptFacts, policy: RetryPolicy): Another {
  const afterMs = Math.max(facts.backoffMs, throttleMs(facts.retryAfterMs));
  const how = { costsAttempt: false, reason: facts.reason } as const;
  if (fitsMemory(facts, policy, afterMs)) return { next: 'retry', afterMs, ...how };
  const tier = facts.tierFor(afterMs);
  return { next: 'move', tier, afterMs: Math.max(afterMs, facts.tierDelayMs(0)), ...how };
}

function failed(facts: AttemptFacts, policy: RetryPolicy): Another {
  const how = { costsAttempt: true, reason: facts.reason } as const;
  const afterMs = facts.backoffMs;
  if (facts.mayRetryHere && facts.attempt < policy.memoryAttempts && fitsMemory(facts, policy, afterMs))
    return { next: 'retry', afterMs, ...how };
  return { next: 'move', tier: facts.nextTier, afterMs: facts.tierDelayMs(facts.nextTier), ...how };
}

/** What would come after the patience is over does not come. */
const inPatience = (facts: AttemptFacts, policy: RetryPolicy, another: Another): Decision =>
  facts.triedForMs + another.afterMs > policy.patienceMs ? { next: 'dead', reason: 'patience_exhausted' } : another;

/**
 * The tier after a failed attempt: one attempt each, in their order, the last repeats. A record that was moved on for
 * another reason than a failure (a limit, a pause) is not further than its attempts say. `from` is -1 where it was no tier.
 */
export const tierAfter = (from: number, attempts: number, memoryAttempts: number): number =>
  from < 0 ? Math.max(0, attempts - memoryAttempts) : Math.min(from + 1, Math.max(0, attempts - 1));
