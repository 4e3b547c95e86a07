import type { Job } from './job.ts';
import { type Known, standingOf } from './ledger.ts';

/** Whether a message that is about to start, end or move has already ended or gone on elsewhere. If not, it goes on from what is known. */
export function isDone(job: Job, known: Known | undefined): boolean {
  if (known === undefined) return false;
  const standing = standingOf(known, { attempts: job.attempts, deferrals: job.ownDeferrals });
  if (standing.go === 'skip') return true;
  job.attempts = standing.attempts;
  job.deferrals = standing.deferrals;
  return false;
}
