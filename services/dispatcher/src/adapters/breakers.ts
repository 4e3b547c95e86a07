import { CircuitState, circuitBreaker, handleAll, type IBackoff } from 'cockatiel';
import { type Breakers, breakerKey, type OpenBreaker } from '../core/breakers.ts';
import { createFailureWindow } from '../core/failure-window.ts';
import type { Health } from '../core/health.ts';

interface Entry {
  readonly execute: (failed: boolean) => void;
  state: 'closed' | 'open' | 'probing';
  /** Counts openings: what started before the last one is not believed any more. */
  epoch: number;
  openedInRow: number;
  untilMs: number;
  /** The time that the last call of `end` gave. */
  nowMs: number;
}

const FAILED = new Error('the call failed');
/** How long a breaker stays open is measured here, by the monotonic clock; cockatiel goes by the wall clock, which jumps. */
const AT_ONCE: IBackoff<unknown> = { duration: Number.NEGATIVE_INFINITY, next: () => AT_ONCE };
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
/** Nothing of it can matter any more: its window is empty, or nobody has anything for it. */
const FORGET_CLOSED_MS = 30_000;
const FORGET_OPEN_MS = 600_000;

/**
 * A cockatiel circuit breaker for each key that has failed at least once. The pipeline asks before a call and tells after
 * it, so outcomes are run through the breaker instead of calls; whether one may start is answered from its events.
 * `ratio`: of calls that fail, beyond which it opens; 1: never.
 */
export function createBreakers(options: { readonly random: () => number; readonly ratio?: number }): Breakers {
  const entries = new Map<string, Entry>();
  const listeners: ((on: string) => void)[] = [];
  let latestMs = 0;

  const changed = (key: string) => {
    for (const listener of listeners) listener(breakerKey(key));
  };

  function create(key: string, nowMs: number): Entry {
    const failures = createFailureWindow(options.ratio ?? 0.5);
    const policy = circuitBreaker(handleAll, {
      halfOpenAfter: AT_ONCE,
      breaker: {
        state: undefined,
        success(state) {
          if (state === CircuitState.HalfOpen) failures.clear();
          failures.succeeded(entry.nowMs);
        },
        failure: () => failures.failed(entry.nowMs),
      },
    });
    const entry: Entry = {
      execute: (failed) =>
        void policy
          .execute(() => {
            if (failed) throw FAILED;
          })
          .catch(() => {}),
      state: 'closed',
      epoch: 0,
      openedInRow: 0,
      untilMs: 0,
      nowMs,
    };
    policy.onBreak(() => {
      entry.state = 'open';
      entry.epoch += 1;
      // Half to all of it: processes that saw the same failure do not probe in step.
      const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(entry.openedInRow, 16));
      entry.openedInRow += 1;
      entry.untilMs = entry.nowMs + waitMs * (0.5 + options.random() / 2);
      changed(key);
    });
    policy.onReset(() => {
      entry.state = 'closed';
      entry.openedInRow = 0;
      changed(key);
    });
    entries.set(key, entry);
    return entry;
  }

  return {
    openUntilMs(key, nowMs) {
      const entry = entries.get(key);
      if (entry === undefined || entry.state === 'closed') return 0;
      if (entry.state === 'probing') return Number.POSITIVE_INFINITY;
      return entry.untilMs <= nowMs ? 0 : entry.untilMs;
    },

    start(key, nowMs) {
      const entry = entries.get(key);
      if (entry === undefined) return 0;
      const isProbe = entry.state === 'open' && entry.untilMs <= nowMs;
      if (isProbe) entry.state = 'probing';
      return entry.epoch * 2 + (isProbe ? 1 : 0);
    },

    end(key, ticket, health, nowMs) {
      latestMs = nowMs;
      const isFailure = health === 'erring' || health === 'silent';
      const entry = entries.get(key) ?? (isFailure ? create(key, nowMs) : undefined);
      if (entry === undefined || Math.floor(ticket / 2) !== entry.epoch) return;
      entry.nowMs = nowMs;
      if (ticket % 2 === 1) {
        if (entry.state !== 'probing') return;
        if (health !== 'none') entry.execute(isFailure);
        else {
          // It was not called after all: another one may try.
          entry.state = 'open';
          changed(key);
        }
      } else if (entry.state === 'closed' && counts(health)) entry.execute(isFailure);
    },

    onChange: (listener) => void listeners.push(listener),

    open() {
      const open: OpenBreaker[] = [];
      for (const [key, { state, untilMs, nowMs }] of entries) {
        const forgetMs = state === 'closed' ? nowMs + FORGET_CLOSED_MS : untilMs + FORGET_OPEN_MS;
        if (state !== 'probing' && forgetMs < latestMs) entries.delete(key);
        else if (state !== 'closed') open.push({ key, state, untilMs });
      }
      return open;
    },
  };
}

/** Of a closed breaker. "Slow down" is no failure, and no proof of health either. */
const counts = (health: Health): boolean => health === 'answered' || health === 'erring' || health === 'silent';
