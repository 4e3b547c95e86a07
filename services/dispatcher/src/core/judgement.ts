import type { CampaignState } from './campaign-book.ts';
import type { Judgement } from './classify.ts';
import { type Decision, decide, type RetryPolicy, tierAfter } from './decide.ts';
import type { Job } from './job.ts';
import type { Sources } from './sources.ts';

/** What a failed attempt was told, and when it was over. */
export interface FailedAttempt extends Judgement {
  readonly retryAfterMs: number | undefined;
  /** Backoff before the next attempt, were it the `n`-th that failed. */
  readonly backoffMs: (n: number) => number;
  readonly nowMs: number;
  readonly monotonicMs: number;
}

/** Counts a failed attempt and says what comes of it. */
export function countFailure(
  job: Job,
  campaign: CampaignState,
  failure: FailedAttempt,
  sources: Sources,
  policy: RetryPolicy,
): Decision {
  job.firstFailedAtMs ||= failure.nowMs;
  if (job.triesHere === 0) job.firstFailedHereMs = failure.monotonicMs;
  job.triesHere += 1;
  const attempt = job.attempts + 1;
  const from = job.source.kind === 'tier' ? job.source.tier : -1;
  const decision = decide(
    {
      class: failure.class,
      reason: failure.reason,
      attempt,
      maxAttempts: campaign.maxAttempts,
      backoffMs: failure.backoffMs(attempt),
      retryAfterMs: failure.retryAfterMs,
      mayRetryHere: job.mayRetryHere,
      spentHereMs: failure.monotonicMs - job.firstFailedHereMs,
      triedForMs: failure.nowMs - job.firstFailedAtMs,
      nextTier: tierAfter(from, attempt, policy.memoryAttempts),
      tierDelayMs: (tier) => sources.tier(tier).delayMs,
      tierFor: sources.tierFor,
    },
    policy,
  );
  if (!('costsAttempt' in decision) || decision.costsAttempt) job.attempts = attempt;
  return decision;
}
