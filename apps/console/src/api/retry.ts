import { ApiProblem } from './client.ts';

/** Whoever is told to wait for longer says so instead of waiting. */
const LONGEST_WAIT_S = 30;
const RETRIES = 2;

const saidS = (error: unknown): number | undefined => (error instanceof ApiProblem ? error.retryAfter : undefined);

/** What the API refuses it refuses again; whatever is away is asked for when it is back. */
export const mayRetry = (failures: number, error: unknown): boolean =>
  error instanceof ApiProblem &&
  (error.status >= 500 || error.status === 429) &&
  failures < RETRIES &&
  (saidS(error) ?? 0) <= LONGEST_WAIT_S;

/** No sooner than the API has said, where it has; up to half a minute. */
export const waitMsAfter = (error: unknown, leastMs: number): number =>
  Math.max(leastMs, Math.min(saidS(error) ?? 0, LONGEST_WAIT_S) * 1_000);

export const retryDelayMs = (failures: number, error: unknown): number => waitMsAfter(error, 1_000 * 2 ** failures);
