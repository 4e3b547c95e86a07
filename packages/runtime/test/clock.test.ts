import test from 'ava';
import { systemClock } from '../src/clock.ts';

const TWO_HOURS_MS = 7_200_000;

test.serial('somebody who sets the wall clock moves neither time: no retry is early, none waits for hours', (t) => {
  const wall = Date.now;
  const [beforeMs, monotonicMs] = [systemClock.now(), systemClock.monotonicMs()];
  t.true(Math.abs(beforeMs - wall()) < 60_000);
  try {
    for (const byMs of [TWO_HOURS_MS, -TWO_HOURS_MS]) {
      Date.now = () => wall() + byMs;
      t.true(systemClock.now() >= beforeMs && systemClock.now() < beforeMs + 60_000);
      t.true(systemClock.monotonicMs() >= monotonicMs && systemClock.monotonicMs() < monotonicMs + 60_000);
    }
  } finally {
    Date.now = wall;
  }
});

test('both run at the same pace, and the epoch is whole', (t) => {
  const offsetMs = systemClock.now() - systemClock.monotonicMs();
  for (let i = 0; i < 1_000; i++) {
    t.true(Math.abs(systemClock.now() - systemClock.monotonicMs() - offsetMs) < 1_000);
    t.true(Number.isInteger(systemClock.now()));
  }
});
