import { type EventEffect, type HowItWent, type KeptEffect, moved } from './effect.ts';
import type { Job } from './job.ts';
import type { Sources } from './sources.ts';
import { notBefore } from './waiting-room.ts';

/** To a tier for `waitMs`, at most its delay and no longer than until `deadlineMs` (epoch); or to held, without a time. */
export function moveTo(
  job: Job,
  to: number | 'held',
  waitMs: number,
  how: HowItWent,
  sources: Sources,
  deadlineMs: number,
  random: number,
): EventEffect & KeptEffect {
  if (to === 'held') return moved(job, sources.held, how, 0);
  const tier = sources.tier(to);
  return moved(job, tier, how, notBefore(how.nowMs, waitMs, tier.delayMs, deadlineMs, random));
}
