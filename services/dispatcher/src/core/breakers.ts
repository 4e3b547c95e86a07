import type { Health } from './health.ts';

/** A breaker that is not closed. */
export interface OpenBreaker {
  readonly key: string;
  readonly state: 'open' | 'probing';
  /** Monotonic: the next probe; of one that is being probed, when that probe was due. */
  readonly untilMs: number;
}

/**
 * Circuit breakers by key: one for each provider, or for each destination host of it. Open after a bad stretch, then one
 * call at a time as a probe, with a growing wait, until one is answered.
 * - A key that never failed costs a look into a map.
 * - Of calls that were under way when it opened nothing more is believed: only a probe can close it.
 */
export interface Breakers {
  /** 0: closed, or a probe may start. Else no call before this monotonic time; Infinity: a probe is under way. */
  openUntilMs(key: string, nowMs: number): number;
  /** A call starts: its ticket for `end`. */
  start(key: string, nowMs: number): number;
  /** It is over. A change that follows comes some microtasks later, by `onChange`. */
  end(key: string, ticket: number, health: Health, nowMs: number): void;
  /** `breakerKey(key)` of one that opened, closed, or lets the next probe start: what is held on it may be looked at again. */
  onChange(listener: (on: string) => void): void;
  open(): readonly OpenBreaker[];
}

export const breakerKey = (key: string) => `breaker:${key}`;

/** Always closed. */
export const NO_BREAKERS: Breakers = {
  openUntilMs: () => 0,
  start: () => 0,
  end: () => {},
  onChange: () => {},
  open: () => [],
};
