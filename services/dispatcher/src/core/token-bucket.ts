/**
 * Token bucket with the time as an argument. Over any stretch of T seconds it lets no more than rate × T + burst pass.
 * Without a burst of its own a tenth of a second's tokens may be saved up, at least one: a rate of 50 a second starts with
 * 5 at once, then one every 20 ms; 0.5 a second is one every two seconds.
 */
export interface TokenBucket {
  /** 0 when a token is there, else the monotonic time at which one will be. */
  readyAtMs(nowMs: number): number;
  /** Takes one; only after `readyAtMs` answered 0 at the same `nowMs`. */
  take(nowMs: number): void;
  /**
   * The tokens saved so far stay, up to the new burst: a rate that goes up brings no burst with it, and one that goes
   * down and up again brings none either.
   */
  setRate(ratePerSecond: number, nowMs: number, burst?: number): void;
}

const BURST_SECONDS = 0.1;
/** Sums of fractions miss 1 by less than this; without it a bucket would be a tick late for ever. */
const EPSILON = 1e-9;

/** At least one: a bucket that cannot hold a whole token would never let anything pass. */
export const burstOf = (ratePerSecond: number, burst?: number): number =>
  Math.max(1, burst ?? ratePerSecond * BURST_SECONDS);

export function createTokenBucket(ratePerSecond: number, startMs: number, burstTokens?: number): TokenBucket {
  let rate = ratePerSecond;
  let burst = burstOf(rate, burstTokens);
  let tokens = burst;
  let atMs = startMs;

  const refill = (nowMs: number) => {
    if (nowMs <= atMs) return;
    tokens = Math.min(burst, tokens + ((nowMs - atMs) / 1_000) * rate);
    atMs = nowMs;
  };

  return {
    readyAtMs(nowMs) {
      refill(nowMs);
      return tokens >= 1 - EPSILON ? 0 : nowMs + ((1 - tokens) / rate) * 1_000;
    },
    take(nowMs) {
      refill(nowMs);
      tokens -= 1;
    },
    setRate(next, nowMs, nextBurst) {
      const bound = burstOf(next, nextBurst);
      if (next === rate && bound === burst) return;
      refill(nowMs);
      rate = next;
      burst = bound;
      tokens = Math.min(tokens, burst);
    },
  };
}
