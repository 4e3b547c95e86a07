import test from 'ava';
import fc from 'fast-check';
import { createHeldPasses } from '../../src/core/held-passes.ts';
import type { Tracked } from '../../src/core/job.ts';
import { createWaitingRoom, dueAt, jitterMs, notBefore } from '../../src/core/waiting-room.ts';

const trackedAt = (offset: number, partition = 0) =>
  ({ record: { offset, partition }, epoch: 1 }) as unknown as Tracked;
const offsets = (of: readonly Tracked[]) => of.map(({ record }) => record.offset);
const HOUR = 3_600_000;

test('who is due leaves in order of time, nobody before it, and nobody stays', (t) => {
  const due = fc.array(fc.integer({ min: 0, max: 10_000 }), { maxLength: 1_200 });
  fc.assert(
    fc.property(due, (times) => {
      const room = createWaitingRoom();
      for (const [i, dueMs] of times.entries()) room.enter(trackedAt(i), dueMs);
      let out = 0;
      let last = 0;
      for (let nowMs = 0; nowMs <= 10_000; ) {
        const batch = room.due(nowMs);
        for (const { record } of batch) {
          const at = times[record.offset] as number;
          if (at > nowMs || at < last) return false;
          last = at;
        }
        out += batch.length;
        if (batch.length === 0) nowMs = Math.min(10_001, Math.max(nowMs + 1, room.nextDueMs()));
      }
      return out === times.length && room.size() === 0;
    }),
    { numRuns: 50 },
  );
  t.pass();
});

test('a wait is as long as asked for, at most a twentieth more, never beyond the tier or the deadline', (t) => {
  const of = fc.record({
    waitMs: fc.integer({ min: 0, max: 2 * HOUR }),
    tierMs: fc.constantFrom(5_000, 60_000, 600_000, HOUR),
    lifeMs: fc.integer({ min: -1_000, max: 2 * HOUR }),
    random: fc.double({ min: 0, max: 0.999, noNaN: true }),
  });
  fc.assert(
    fc.property(of, ({ waitMs, tierMs, lifeMs, random }) => {
      const nowMs = 1_700_000_000_000;
      const at = notBefore(nowMs, waitMs, tierMs, nowMs + lifeMs, random) - nowMs;
      const asked = Math.min(waitMs, tierMs);
      const isEarly = at < Math.min(asked, Math.max(0, lifeMs));
      return !isEarly && at <= asked + jitterMs(asked, 1) && at <= Math.max(0, lifeMs);
    }),
  );
  t.pass();
});

for (const [title, skewMs] of [
  ['the same clock', 0],
  ['a reader two hours ahead: early by no more than that', 2 * HOUR],
  ['a reader two hours behind: no longer than its tier waits', -2 * HOUR],
  ['a reader in another century: no longer than its tier waits', -876_000 * HOUR],
] as const) {
  test(`a not-before that was written by another clock: ${title}`, (t) => {
    for (const tierMs of [5_000, 60_000, 600_000, HOUR]) {
      const writtenMs = 1_700_000_000_000;
      const dueMs = notBefore(writtenMs, tierMs, tierMs, Number.POSITIVE_INFINITY, 0.5);
      const waitedMs = dueAt(dueMs, tierMs, writtenMs + skewMs) - (writtenMs + skewMs);
      t.true(waitedMs >= tierMs - Math.max(0, skewMs));
      t.true(waitedMs <= tierMs + jitterMs(tierMs, 1));
    }
  });
}

test('held: a pass takes what was there when it was called for, in order, once; what comes later waits', (t) => {
  const held = createHeldPasses();
  held.assigned(0, 3);
  t.deepEqual(offsets(held.offer([trackedAt(0), trackedAt(1)], 3)), [0, 1]);
  t.deepEqual(offsets(held.offer([trackedAt(2), trackedAt(3), trackedAt(4)], 5)), [2]);
  t.is(held.size(), 2);
  t.deepEqual(offsets(held.offer([trackedAt(5)], 6)), []);
  held.appended(0, 6);
  t.deepEqual(offsets(held.call()), [3, 4, 5], 'what is here');
  t.deepEqual(offsets(held.offer([trackedAt(6), trackedAt(7)], 8)), [6], 'and what is known to be in the log');
  t.deepEqual(offsets(held.call(0)), [7]);
  t.is(held.size(), 0);
});

test('held: what was appended by a former owner and is free waits for no pass', (t) => {
  const held = createHeldPasses(({ record }) => record.offset % 2 === 1);
  held.assigned(0, 1);
  t.deepEqual(
    offsets(
      held.offer(
        [0, 1, 2, 3, 4].map((n) => trackedAt(n)),
        5,
      ),
    ),
    [0, 1, 3],
  );
  t.deepEqual(offsets(held.call()), [2, 4]);
});

test('held: partitions are passed each for itself, and nothing of an assignment that is over is left', (t) => {
  const held = createHeldPasses();
  held.assigned(0, 0);
  held.assigned(1, 0);
  held.offer([trackedAt(0, 0)], 1);
  held.offer([trackedAt(0, 1)], 1);
  t.is(held.call(1).length, 1);
  t.is(held.size(), 1);
  held.clear();
  t.deepEqual(held.call(), []);
});
