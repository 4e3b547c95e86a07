import { type ErrorClass, type RetryTier, tiersWithDelays } from '@volley/contract';
import type { Settings } from '@volley/runtime';
import type { SETTINGS } from './config.ts';
import type { RetryPolicy } from './core/decide.ts';

const CLASSES: ReadonlySet<string> = new Set(['transient', 'timeout'] satisfies ErrorClass[]);

/** Tiers and retry policy as set. Throws one sentence that names the setting. */
export function retriesOf(s: Settings<typeof SETTINGS>): { tiers: readonly RetryTier[]; policy: RetryPolicy } {
  const { maxAttempts, memoryAttempts, memoryRetryMs: memoryMs, patienceMs } = s;
  const classAttempts = Object.fromEntries(s.classAttempts.map(attemptsOf));
  return {
    tiers: tiersOf(s.retryDelaysMs),
    policy: { maxAttempts, classAttempts, memoryAttempts, memoryMs, patienceMs },
  };
}

function tiersOf(delays: readonly string[]): readonly RetryTier[] {
  try {
    return tiersWithDelays(delays.map(Number));
  } catch (error) {
    throw new Error(`VOLLEY_RETRY_DELAYS_MS: ${(error as Error).message}`);
  }
}

function attemptsOf(text: string): readonly [string, number] {
  const [name = '', count = ''] = text.split(':');
  if (CLASSES.has(name) && /^[1-9]\d?$/.test(count)) return [name, Number(count)];
  throw new Error(`VOLLEY_CLASS_ATTEMPTS is not a list of class:attempts with class transient or timeout: ${text}`);
}
