/**
 * How many calls at once a provider bears, found by trying (additive increase, multiplicative decrease): all that is
 * allowed until calls run into timeouts, throttling or dead connections, then less, then more again step by step.
 *
 * A round is as many calls as may run at once. Up to a tenth of a round may meet congestion without consequence: one
 * recipient in a hundred that never answers says nothing about the provider. Of calls that started before the last
 * decrease no further one follows: they are the answer to what has been corrected already.
 */
export interface Concurrency {
  /** At least 1, at most `ceiling`. */
  limit(ceiling: number): number;
  /** A call starts: its number, for `landed`. */
  started(): number;
  /** It is over, with `inUse` calls under way, itself included. */
  landed(call: number, congested: boolean, inUse: number, ceiling: number): void;
  /** Begins from one call at a time: its breaker has opened. */
  collapse(): void;
}

const DECREASE = 0.7;
const TOLERATED = 0.1;
/** Rounds from one call to the ceiling, at most: a step of 1 would take minutes to a ceiling of 1,000. */
const ROUNDS_TO_CEILING = 64;

export function createConcurrency(): Concurrency {
  /** Infinity: nothing speaks against the ceiling. */
  let found = Number.POSITIVE_INFINITY;
  let calls = 0;
  let ignoredUpTo = 0;
  let landedInRound = 0;
  let congestedInRound = 0;
  let peakInRound = 0;

  const limit = (ceiling: number) => Math.max(1, Math.floor(Math.min(found, ceiling)));
  const newRound = () => {
    landedInRound = 0;
    congestedInRound = 0;
    peakInRound = 0;
  };

  return {
    limit,
    started() {
      calls += 1;
      return calls;
    },
    landed(call, congested, inUse, ceiling) {
      if (call <= ignoredUpTo || (found === Number.POSITIVE_INFINITY && !congested && congestedInRound === 0)) return;
      const now = limit(ceiling);
      landedInRound += 1;
      peakInRound = Math.max(peakInRound, inUse);
      if (congested) {
        congestedInRound += 1;
        if (congestedInRound > TOLERATED * now) {
          // From what was in use: a limit that nobody came near is no finding.
          found = Math.max(1, Math.min(now, peakInRound) * DECREASE);
          ignoredUpTo = calls;
          newRound();
          return;
        }
      } else if (found !== Number.POSITIVE_INFINITY && peakInRound * 2 > now) {
        found += Math.max(1, ceiling / ROUNDS_TO_CEILING) / now;
        if (found >= ceiling) found = Number.POSITIVE_INFINITY;
      }
      if (landedInRound >= now) newRound();
    },
    collapse() {
      found = 1;
      ignoredUpTo = calls;
      newRound();
    },
  };
}
