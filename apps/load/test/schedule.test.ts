import test from 'ava';
import fc from 'fast-check';
import { scheduleOf } from '../src/schedule.ts';

const stage = (perSecond: number, seconds: number, warmUp = false) => ({ perSecond, seconds, warmUp });

test('arrivals are evenly spread, stage after stage', (t) => {
  const s = scheduleOf([stage(10, 1, true), stage(100, 2)], 1);
  t.is(s.arrivals, 210);
  t.is(s.durationMs, 3_000);
  t.is(s.measuredFromMs, 1_000);
  t.is(s.measuredMessages, 200);
  t.deepEqual([0, 1, 9, 10, 11, 209].map(s.atMs), [0, 100, 900, 1_000, 1_010, 2_990]);
  t.deepEqual([0, 9, 10, 209].map(s.stageOf), [0, 0, 1, 1]);
});

test('a rate is of messages: requests of many come more seldom', (t) => {
  const s = scheduleOf([stage(2_000, 10)], 200);
  t.is(s.arrivals, 100);
  t.is(s.messages, 20_000);
  t.is(s.atMs(1), 100);
  t.is(s.messagesOf(7), 200);
});

test('a campaign is one arrival a stage, with all its messages', (t) => {
  const s = scheduleOf([stage(500, 2, true), stage(500, 10), stage(1_000, 10)], 'stage');
  t.deepEqual([0, 1, 2].map(s.atMs), [0, 2_000, 12_000]);
  t.deepEqual([0, 1, 2].map(s.messagesOf), [1_000, 5_000, 10_000]);
  t.is(s.measuredMessages, 15_000);
});

test('times never go back, each lies in its stage, and none is left out', (t) => {
  const stages = fc.array(
    fc.record({
      perSecond: fc.integer({ min: 1, max: 5_000 }),
      seconds: fc.integer({ min: 1, max: 20 }),
      warmUp: fc.boolean(),
    }),
    { minLength: 1, maxLength: 5 },
  );
  t.notThrows(() =>
    fc.assert(
      fc.property(stages, fc.constantFrom(1, 7, 200), (given, per) => {
        const s = scheduleOf(given, per);
        let last = -1;
        for (let arrival = 0; arrival < s.arrivals; arrival += Math.max(1, Math.floor(s.arrivals / 50))) {
          const at = s.atMs(arrival);
          const own = s.stages[s.stageOf(arrival)];
          if (own === undefined || at < last || at < own.startMs || at >= own.endMs) return false;
          last = at;
        }
        return s.stages.reduce((sum, one) => sum + one.arrivals, 0) === s.arrivals;
      }),
    ),
  );
});
