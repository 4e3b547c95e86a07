import test from 'ava';
import fc from 'fast-check';
import { createTokenBucket } from '../../src/core/token-bucket.ts';

test('a bucket lets a tenth of a second burst, then one a period', (t) => {
  const bucket = createTokenBucket(50, 0);
  for (let i = 0; i < 5; i++) {
    t.is(bucket.readyAtMs(0), 0);
    bucket.take(0);
  }
  t.is(Math.round(bucket.readyAtMs(0)), 20);
  t.is(bucket.readyAtMs(20), 0);
});

test('a slow bucket has one token and no more, however long it rests', (t) => {
  const bucket = createTokenBucket(0.5, 0);
  t.is(bucket.readyAtMs(60_000), 0);
  bucket.take(60_000);
  t.is(Math.round(bucket.readyAtMs(60_000)), 62_000);
});

test('a burst of its own is saved up and no more', (t) => {
  const bucket = createTokenBucket(10, 0, 30);
  for (let i = 0; i < 30; i++) {
    t.is(bucket.readyAtMs(0), 0);
    bucket.take(0);
  }
  t.is(Math.round(bucket.readyAtMs(0)), 100);
  t.is(bucket.readyAtMs(60_000), 0);
});

test('a changed rate acts at once', (t) => {
  const bucket = createTokenBucket(1_000, 0);
  bucket.setRate(1, 0);
  bucket.take(0);
  t.is(Math.round(bucket.readyAtMs(0)), 1_000);
  bucket.setRate(10, 0);
  t.is(Math.round(bucket.readyAtMs(0)), 100);
});

test('a rate that goes up and down brings no burst with it', (t) => {
  const bucket = createTokenBucket(100, 0);
  for (let i = 0; i < 10; i++) bucket.take(0);
  for (let i = 0; i < 1_000; i++) bucket.setRate(i % 2 === 0 ? 1 : 100, 0);
  t.true(bucket.readyAtMs(0) > 0);
  bucket.setRate(1_000, 0);
  t.true(bucket.readyAtMs(0) > 0);
});

const step = fc.record({
  pauseMs: fc.double({ min: 0, max: 300, noNaN: true }),
  /** A share of the rate that the bucket has from then on. */
  share: fc.option(fc.double({ min: 0.01, max: 1, noNaN: true })),
});

test('over any window no more leave than rate × T + burst, whatever part of the rate it has; waiting as told is enough', (t) => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.1, max: 5_000, noNaN: true }),
      fc.option(fc.double({ min: 1, max: 100, noNaN: true })),
      fc.array(step, { maxLength: 120 }),
      (rate, ownBurst, steps) => {
        const burst = ownBurst ?? undefined;
        const bucket = createTokenBucket(rate, 0, burst);
        const bound = Math.max(1, burst ?? rate / 10);
        const taken: number[] = [];
        let nowMs = 0;
        for (const { pauseMs, share } of steps) {
          nowMs += pauseMs;
          if (share !== null) bucket.setRate(rate * share, nowMs, burst && burst * share);
          const readyAt = bucket.readyAtMs(nowMs);
          if (readyAt > 0) {
            nowMs = readyAt;
            if (bucket.readyAtMs(nowMs) !== 0) return false;
          }
          bucket.take(nowMs);
          taken.push(nowMs);
        }
        // Every window that begins and ends with a message; others hold no more.
        return taken.every((from, i) =>
          taken.slice(i).every((to, n) => n + 1 <= bound + ((to - from) / 1_000) * rate + 1e-6),
        );
      },
    ),
  );
  t.pass();
});
