import { type Breakers, breakerKey } from './breakers.ts';
import { type Concurrency, createConcurrency } from './concurrency.ts';
import type { Health } from './health.ts';

/** Where calls go: a provider, or one destination host of it. */
export interface Place {
  readonly key: string;
  /** `Hold.on` of whoever waits for a call to it to end. */
  readonly on: string;
  readonly concurrency: Concurrency;
  calls: number;
  /** Somebody was told to wait for a call to end: limits move meanwhile, so being full is no sign of that. */
  isAwaited: boolean;
  blockedUntilMs: number;
}

export const createPlace = (key: string, on: string): Place => ({
  key,
  on,
  concurrency: createConcurrency(),
  calls: 0,
  isAwaited: false,
  blockedUntilMs: 0,
});

/** Why no call may go there, whatever else there is room for. */
export interface Shut {
  readonly reason: 'throttled' | 'breaker';
  readonly on: string;
  readonly untilMs: number;
}

export function shutOf(place: Place, breakers: Breakers, nowMs: number): Shut | undefined {
  if (place.blockedUntilMs > nowMs) {
    return { reason: 'throttled', on: 'provider_throttled', untilMs: place.blockedUntilMs };
  }
  const untilMs = breakers.openUntilMs(place.key, nowMs);
  if (untilMs <= nowMs) return undefined;
  // When it closes, all that waited comes at once: a provider that has just come back is asked gently.
  place.concurrency.collapse();
  return { reason: 'breaker', on: breakerKey(place.key), untilMs };
}

/** A provider that asked to slow down, was not there, or did not answer in time has too many calls; one that errs may not. */
export const isCongested = (health: Health): boolean => health === 'throttled' || health === 'silent';
