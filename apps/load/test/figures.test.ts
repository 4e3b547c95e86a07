import test from 'ava';
import { achieved, askedIn, figuresOf, within } from '../src/figures.ts';
import { createLatencies } from '../src/latencies.ts';
import type { Outcomes } from '../src/outcomes.ts';
import { countError, createRecorder, createRecording, recordLatency } from '../src/recorder.ts';
import { scheduleOf } from '../src/schedule.ts';

/** So many messages a second from one time to another, by tenths of a second. */
function steady(perSecond: number, fromMs: number, toMs: number): Map<number, number> {
  const bins = new Map<number, number>();
  for (let bin = fromMs / 100; bin < toMs / 100; bin++) bins.set(bin, perSecond / 10);
  return bins;
}

test('a window takes its share of the bins at its edges', (t) => {
  t.is(within(steady(1_000, 0, 2_000), 500, 1_500), 1_000);
  t.is(within(steady(1_000, 0, 2_000), 950, 1_050), 100);
  t.is(within(steady(1_000, 0, 2_000), 1_900, 5_000), 100);
});

const ACHIEVED: [name: string, bins: Map<number, number>, usualMs: number, share: number][] = [
  ['everything at once', steady(1_000, 0, 10_000), 5, 1],
  ['everything, each 800 ms later', steady(1_000, 800, 10_800), 800, 1],
  [
    'everything, but 1.5 s later: no window is moved by more than a tenth of it',
    steady(1_000, 1_500, 11_500),
    1_500,
    0.95,
  ],
  ['nine tenths of it, and the rest afterwards', steady(900, 0, 11_111), 600, 0.9],
  ['a last request that takes a moment longer', new Map([...steady(1_000, 0, 9_800), [101, 200]]), 5, 1],
  ['everything and what had waited', steady(1_300, 0, 10_000), 5, 1],
  ['half of it', steady(500, 0, 20_000), 5_000, 0.5],
  ['nothing', new Map(), 0, 0],
];
for (const [name, bins, usualMs, share] of ACHIEVED) {
  test(`achieved: ${name}`, (t) => {
    const found = achieved(bins, { fromMs: 0, toMs: 10_000, asked: 10_000 }, usualMs);
    t.true(Math.abs((found.share ?? 0) - share) < 0.006, `${found.share}`);
  });
}

const stage = (perSecond: number, seconds: number, warmUp = false) => ({ perSecond, seconds, warmUp });
const none = { outcomes: undefined, endedBadly: 0, acceptedIsRate: true };

test('what a window asks for is by its stages', (t) => {
  const schedule = scheduleOf([stage(100, 10), stage(1_000, 10)], 1);
  t.is(askedIn(schedule, 0, 20_000), 11_000);
  t.is(askedIn(schedule, 5_000, 11_000), 500 + 1_000);
});

test('warm-up is left out of everything', (t) => {
  const schedule = scheduleOf([stage(10, 1, true), stage(10, 1)], 1);
  const recorder = createRecorder();
  for (const index of [0, 1]) {
    const interval = recorder.interval(index, 0);
    interval.arrivals = 10;
    recordLatency(interval, 'http', index === 0 ? 5_000 : 5);
    if (index === 0) countError(interval.errors, 'timeout', 9);
  }
  const recording = createRecording();
  recording.add(recorder.take());
  const { requests, errors, latencies, shares } = figuresOf({ schedule, recording, ...none });
  t.is(requests, 10);
  t.deepEqual(errors, {});
  t.is(shares.errors, 0);
  t.true((latencies.http?.maxMs() ?? 0) < 6);
});

test('the rate is the lower one of accepted and ended', (t) => {
  const schedule = scheduleOf([stage(1_000, 10)], 1);
  const recording = { ...createRecording(), answered: steady(1_000, 0, 10_000) };
  const outcomes: Outcomes = {
    intervals: new Map(),
    ended: steady(600, 0, 16_667),
    kinds: {},
    complete: createLatencies(),
  };
  const both = figuresOf({ schedule, recording, ...none, outcomes });
  t.deepEqual(
    [both.shares.accepted, both.shares.ended, both.shares.rate].map((s) => Math.round((s ?? 0) * 100)),
    [100, 60, 60],
  );
  t.is(Math.round(both.endedPerSecond ?? 0), 600);
  t.is(
    figuresOf({ schedule, recording, ...none }).shares.rate,
    figuresOf({ schedule, recording, ...none }).shares.accepted,
  );
  const campaign = figuresOf({ schedule, recording, ...none, outcomes, acceptedIsRate: false });
  t.is(campaign.shares.accepted, undefined, 'a campaign is one answer');
});

test('messages that ended badly are errors, and so are reads, among reads', (t) => {
  const schedule = scheduleOf([stage(100, 10)], 1);
  const recorder = createRecorder();
  const interval = recorder.interval(0, 0);
  interval.arrivals = 1_000;
  recordLatency(interval, 'reads', 3);
  countError(interval.errors, 'read: 503 unavailable');
  countError(interval.errors, '503 unavailable', 10);
  const recording = createRecording();
  recording.add(recorder.take());
  const { shares } = figuresOf({ schedule, recording, ...none, endedBadly: 5 });
  t.is(shares.errors, 0.015);
  t.is(shares.read_errors, 0.5);
});

test('a run that was stopped is judged by what was asked of it until then', (t) => {
  const schedule = scheduleOf([stage(1_000, 10)], 1);
  const recording = { ...createRecording(), answered: steady(1_000, 0, 4_000) };
  t.is(figuresOf({ schedule, recording, ...none, stoppedAtMs: 4_000 }).shares.rate, 1);
});
