import test from 'ava';
import fc from 'fast-check';
import {
  type AttemptFacts,
  type Decision,
  decide,
  type RetryPolicy,
  THROTTLE_MAX_MS,
  tierAfter,
} from '../../src/core/decide.ts';

const DELAYS = [5_000, 60_000, 600_000, 3_600_000];
const POLICY: RetryPolicy = {
  maxAttempts: 8,
  classAttempts: {},
  memoryAttempts: 4,
  memoryMs: 2_000,
  patienceMs: 86_400_000,
};

const facts = (f: Partial<AttemptFacts>): AttemptFacts => ({
  class: 'transient',
  reason: 'provider_transient',
  attempt: 1,
  maxAttempts: undefined,
  backoffMs: 80,
  retryAfterMs: undefined,
  mayRetryHere: true,
  spentHereMs: 0,
  triedForMs: 0,
  nextTier: 0,
  tierDelayMs: (tier) => DELAYS[Math.min(tier, 3)] as number,
  tierFor: (ms) => {
    const at = DELAYS.findIndex((delay) => delay >= ms);
    return at < 0 ? 3 : at;
  },
  ...f,
});

const inMemory = { next: 'retry', afterMs: 80, costsAttempt: true, reason: 'provider_transient' } as const;
const toTier = (tier: number, afterMs: number) =>
  ({ next: 'move', tier, afterMs, costsAttempt: true, reason: 'provider_transient' }) as const;
const throttledFor = (retryAfterMs?: number) =>
  facts({ class: 'throttled', reason: 'provider_throttled', attempt: 9, retryAfterMs });
const free = { costsAttempt: false, reason: 'provider_throttled' } as const;
const exhausted = { next: 'dead', reason: 'attempts_exhausted' } as const;

const rows: readonly [string, AttemptFacts, Decision, Partial<RetryPolicy>?][] = [
  ['a transient failure is tried again in memory after the backoff', facts({}), inMemory],
  ['the third attempt has a fourth in memory', facts({ attempt: 3 }), inMemory],
  ['after the fourth it leaves memory', facts({ attempt: 4 }), toTier(0, 5_000)],
  ['beyond the budget of time it leaves memory', facts({ attempt: 2, spentHereMs: 1_921 }), toTier(0, 5_000)],
  ['just within the budget it stays', facts({ attempt: 2, spentHereMs: 1_920 }), inMemory],
  [
    'a record of a tier has one attempt, then goes to the next',
    facts({ attempt: 5, mayRetryHere: false, nextTier: 1 }),
    toTier(1, 60_000),
  ],
  ['the last attempt is the end', facts({ attempt: 8, mayRetryHere: false, nextTier: 3 }), exhausted],
  ['the campaign says how many', facts({ attempt: 2, maxAttempts: 2 }), exhausted],
  ['also when it says more', facts({ attempt: 9, maxAttempts: 12, nextTier: 3 }), toTier(3, 3_600_000)],
  ['one attempt allowed means no retry', facts({ maxAttempts: 1 }), exhausted],
  [
    'a class may have fewer',
    facts({ class: 'timeout', reason: 'provider_timeout', attempt: 2 }),
    exhausted,
    { classAttempts: { timeout: 2 } },
  ],
  ['which says nothing of another', facts({ attempt: 2 }), inMemory, { classAttempts: { timeout: 2 } }],
  [
    'a timeout is tried again under the same id',
    facts({ class: 'timeout', reason: 'provider_timeout' }),
    { ...inMemory, reason: 'provider_timeout' },
  ],
  [
    'what would come after the patience is over does not come',
    facts({ attempt: 5, nextTier: 3, mayRetryHere: false, triedForMs: 86_400_000 - 3_600_000 + 1 }),
    { next: 'dead', reason: 'patience_exhausted' },
  ],
  [
    'at its last moment it does',
    facts({ attempt: 5, nextTier: 3, mayRetryHere: false, triedForMs: 86_400_000 - 3_600_000 }),
    toTier(3, 3_600_000),
  ],
  [
    'patience ends a throttled one as well',
    { ...throttledFor(), triedForMs: 86_400_000 },
    { next: 'dead', reason: 'patience_exhausted' },
  ],
  ['a throttle without a time waits a second', throttledFor(), { next: 'retry', afterMs: 1_000, ...free }],
  ['Retry-After: 0 does not mean at once', throttledFor(0), { next: 'retry', afterMs: 80, ...free }],
  [
    'a wait that memory is too short for goes to the tier that fits',
    throttledFor(7_000),
    { next: 'move', tier: 1, afterMs: 7_000, ...free },
  ],
  ['at least as long as the shortest tier', throttledFor(3_000), { next: 'move', tier: 0, afterMs: 5_000, ...free }],
  [
    'a Retry-After of a year is an hour',
    throttledFor(3e10),
    { next: 'move', tier: 3, afterMs: THROTTLE_MAX_MS, ...free },
  ],
  [
    'a permanent refusal fails at the first attempt',
    facts({ class: 'permanent', reason: 'recipient_refused' }),
    { next: 'failed', reason: 'recipient_refused' },
  ],
  [
    'poison is dead at the first attempt',
    facts({ class: 'poison', reason: 'invalid_recipient' }),
    { next: 'dead', reason: 'invalid_recipient' },
  ],
  ['expired ends as expired', facts({ class: 'expired', reason: 'expired' }), { next: 'expired', reason: 'expired' }],
];

for (const [title, given, wanted, policy] of rows) {
  test(title, (t) => {
    t.deepEqual(decide(given, { ...POLICY, ...policy }), wanted);
  });
}

test('eight attempts: four in memory, then one from each tier in its order', (t) => {
  const path: string[] = [];
  let from = -1;
  for (let attempt = 1; ; attempt++) {
    const nextTier = tierAfter(from, attempt, POLICY.memoryAttempts);
    const decision = decide(facts({ attempt, nextTier, mayRetryHere: from < 0 }), POLICY);
    path.push(decision.next === 'move' ? `tier ${decision.tier}` : decision.next);
    if (decision.next === 'dead') break;
    if (decision.next === 'move') from = decision.tier;
  }
  t.deepEqual(path, ['retry', 'retry', 'retry', 'tier 0', 'tier 1', 'tier 2', 'tier 3', 'dead']);
});

test('what waited in a late tier for a limit fails into a tier that its attempts say', (t) => {
  t.is(tierAfter(2, 1, 4), 0);
  t.is(tierAfter(2, 2, 4), 1);
  t.is(tierAfter(0, 5, 4), 1);
  t.is(tierAfter(-1, 1, 4), 0);
  t.is(tierAfter(-1, 6, 4), 2, 'from held');
});

test('whatever fails: no wait below the backoff, no attempt beyond the limit, nothing free that is not throttled', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(
        fc.record({
          class: fc.constantFrom('transient' as const, 'timeout' as const, 'throttled' as const),
          attempt: fc.integer({ min: 1, max: 12 }),
          backoffMs: fc.integer({ min: 1, max: 1_000 }),
          retryAfterMs: fc.option(fc.nat(10_000_000), { nil: undefined }),
          mayRetryHere: fc.boolean(),
          spentHereMs: fc.nat(4_000),
          triedForMs: fc.nat(90_000_000),
          nextTier: fc.nat(3),
        }),
        (given) => {
          const d = decide(facts(given), POLICY);
          if (d.next === 'dead') return given.attempt >= 8 || given.triedForMs > 80_000_000;
          if (d.next !== 'retry' && d.next !== 'move') return false;
          if (d.costsAttempt && given.attempt >= 8) return false;
          if (d.costsAttempt === (given.class === 'throttled')) return false;
          if (d.next === 'retry' && given.spentHereMs + d.afterMs > POLICY.memoryMs) return false;
          return d.afterMs >= given.backoffMs;
        },
      ),
      { numRuns: 2_000 },
    ),
  );
});
