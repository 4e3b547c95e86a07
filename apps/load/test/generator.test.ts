import test from 'ava';
import { createGenerator } from '../src/generator.ts';
import { createLatencies, type Latencies } from '../src/latencies.ts';
import { type Answer, createRecorder, createRecording, type Recording } from '../src/recorder.ts';
import { scheduleOf } from '../src/schedule.ts';
import { type FakeTime, fakeTime } from './fake-time.ts';

const SERVICE_MS = 5;
const accepted: Answer = { outcome: 'accepted', error: '', messages: 1 };

/** Answers after 5 ms, but nothing at all while it stands still. */
const stalling = (time: FakeTime, fromMs: number, toMs: number) => async () => {
  await time.at(time.nowMs() >= fromMs && time.nowMs() < toMs ? toMs + SERVICE_MS : time.nowMs() + SERVICE_MS);
  return accepted;
};

interface Setup {
  readonly perSecond?: number;
  readonly seconds?: number;
  readonly generators?: number;
  readonly maxInFlight?: number;
  readonly time?: FakeTime;
  readonly send?: (time: FakeTime) => (arrival: number) => Promise<Answer>;
}

async function run(setup: Setup): Promise<{ recording: Recording; time: FakeTime }> {
  const time = setup.time ?? fakeTime();
  const { perSecond = 100, seconds = 10, generators = 1, maxInFlight = 10_000 } = setup;
  const schedule = scheduleOf([{ perSecond, seconds, warmUp: false }], 1);
  const recording = createRecording();
  const send = (setup.send ?? ((t) => stalling(t, 0, 0)))(time);
  const all = Array.from({ length: generators }, async (_, first) => {
    const recorder = createRecorder();
    const o = { clock: time.clock, startMs: 0, schedule, intervalMs: 1_000, first, every: generators, maxInFlight };
    await createGenerator({ ...o, recorder, send }).run();
    recording.add(recorder.take());
  });
  await time.until(Promise.all(all));
  return { recording, time };
}

const merged = (recording: Recording, name: 'http' | 'late'): Latencies => {
  const all = createLatencies();
  for (const { latencies } of recording.intervals.values()) if (latencies[name]) all.add(latencies[name]);
  return all;
};
const errorsOf = (recording: Recording): Record<string, number> => {
  const all: Record<string, number> = {};
  for (const { errors } of recording.intervals.values())
    for (const [kind, n] of Object.entries(errors)) all[kind] = (all[kind] ?? 0) + n;
  return all;
};

test('a server that stands still for two seconds cannot hide it: what was due meanwhile is counted, each from its own time', async (t) => {
  const { recording } = await run({ send: (time) => stalling(time, 4_000, 6_000) });
  const http = merged(recording, 'http');
  t.is(http.count(), 1_000, 'every request was sent at its time, also while nobody answered');
  // 200 of 1,000 were due in the stall: the slowest tenth waited for one to two seconds.
  t.true(http.quantileMs(0.95) > 1_400 && http.quantileMs(0.95) < 1_600, `p95 ${http.quantileMs(0.95)}`);
  t.true(http.quantileMs(0.99) > 1_850, `p99 ${http.quantileMs(0.99)}`);
  t.true(http.maxMs() >= 2_000);
  t.true(http.quantileMs(0.5) < SERVICE_MS + 1.5);
});

test('a closed loop over the same server would have seen one slow request', async (t) => {
  const time = fakeTime();
  const server = stalling(time, 4_000, 6_000);
  const seen = createLatencies();
  const closed = async () => {
    while (time.nowMs() < 10_000) {
      const sentMs = time.nowMs();
      await server();
      seen.record(time.nowMs() - sentMs);
      await time.at(Math.max(time.nowMs(), sentMs + 10));
    }
  };
  await time.until(closed());
  t.true(seen.quantileMs(0.99) < 10, 'which is why latency is measured from the intended time');
  t.true(seen.maxMs() >= 2_000);
});

test('what a stall holds up belongs to the interval for which it was meant', async (t) => {
  const { recording } = await run({ send: (time) => stalling(time, 4_000, 6_000) });
  const p50 = (index: number) => recording.intervals.get(`0/${index}`)?.latencies.http?.quantileMs(0.5) ?? 0;
  t.deepEqual(
    [3, 4, 5, 6].map((index) => Math.round(p50(index) / 100) / 10),
    [0, 1.5, 0.5, 0],
  );
  // And the answers to the time at which they came.
  t.is(recording.answered.get(50), undefined);
  t.is(recording.answered.get(60), 200 + 10);
});

test('several generators send each arrival once, and their histograms add up', async (t) => {
  const arrivals: number[] = [];
  const send = (time: FakeTime) => async (arrival: number) => {
    arrivals.push(arrival);
    await time.at(time.nowMs() + SERVICE_MS);
    return accepted;
  };
  const { recording } = await run({ generators: 3, seconds: 5, send });
  t.deepEqual(
    arrivals,
    Array.from({ length: 500 }, (_, i) => i),
  );
  t.is(merged(recording, 'http').count(), 500);
});

test('a generator that is late says so, and what it missed is sent at once under its own time', async (t) => {
  // From 2 s on every timer is 80 ms late.
  const time = fakeTime((ms) => (ms > 2_000 ? 80 : 0));
  const { recording } = await run({ seconds: 4, time });
  const late = merged(recording, 'late');
  t.is(late.count(), 400);
  t.true(late.quantileMs(0.99) >= 70, `p99 ${late.quantileMs(0.99)}`);
  const first = recording.intervals.get('0/0')?.latencies.late;
  t.true((first?.maxMs() ?? 0) < 1);
  t.true(merged(recording, 'http').maxMs() >= 80, 'the lateness is part of the latency');
});

test('more requests without an answer than may be: the rest is not sent, and counted', async (t) => {
  const { recording } = await run({ seconds: 3, maxInFlight: 50, send: (time) => stalling(time, 1_000, 3_000) });
  t.deepEqual(errorsOf(recording), { 'not sent: too many without an answer': 150 });
  t.is(merged(recording, 'http').count(), 150);
});

const OUTCOMES: [name: string, answer: Answer, unknown: number, messages: number][] = [
  ['a refusal', { outcome: 'refused', error: '429 busy', messages: 0 }, 0, 0],
  ['an answer that never came', { outcome: 'unknown', error: 'timeout', messages: 0 }, 10, 0],
  ['one that never left', { outcome: 'not_sent', error: 'not sent: ECONNREFUSED', messages: 0 }, 0, 0],
];
for (const [name, answer, unknown, messages] of OUTCOMES) {
  test(`${name} is an error and no latency`, async (t) => {
    const { recording } = await run({ perSecond: 10, seconds: 1, send: () => async () => answer });
    t.deepEqual(errorsOf(recording), { [answer.error]: 10 });
    t.is(merged(recording, 'http').count(), 0);
    const interval = recording.intervals.get('0/0');
    t.like(interval, { arrivals: 10, accepted: 0, unknown, messages });
    t.deepEqual(
      [...recording.failed],
      Array.from({ length: 10 }, (_, arrival) => [arrival, answer.outcome]),
    );
  });
}

test('a stop ends the arrivals, and what is under way is still waited for', async (t) => {
  const time = fakeTime();
  const schedule = scheduleOf([{ perSecond: 100, seconds: 100, warmUp: false }], 1);
  const recorder = createRecorder();
  const o = { clock: time.clock, startMs: 0, schedule, intervalMs: 1_000, first: 0, every: 1, maxInFlight: 1_000 };
  const send = async () => {
    await time.at(time.nowMs() + 500);
    return accepted;
  };
  const generator = createGenerator({ ...o, recorder, send });
  void time.at(1_000).then(() => generator.stop());
  await time.until(generator.run());
  const recording = createRecording();
  recording.add(recorder.take());
  const http = merged(recording, 'http');
  t.true(http.count() >= 100 && http.count() <= 102, `${http.count()}`);
  t.true(time.nowMs() >= 1_490);
});
