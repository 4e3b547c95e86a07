import test from 'ava';
import { liveView, nowOf } from '../src/live.ts';
import type { LiveState } from '../src/run.ts';
import { madeRun, plan } from './made-run.ts';

const state = (change: Partial<LiveState> = {}): LiveState => {
  const { schedule, recording, watched } = madeRun({}, 1, '503 unavailable');
  return { phase: 'arrivals', elapsedMs: 8_000, schedule, recording, watched, inFlight: 3, ...change };
};

/** What a terminal shows in the end: lines above the cursor that were not wiped. */
function screen() {
  let shown: string[] = [];
  const written: string[] = [];
  const stream = {
    write(text: string) {
      written.push(text);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: what moves a cursor begins with one
      const up = /^\u001b\[(\d+)A\u001b\[0J$/.exec(text);
      if (up) shown = shown.slice(0, shown.length - Number(up[1]));
      else shown.push(...text.trimEnd().split('\n'));
      return true;
    },
  };
  return { stream: stream as unknown as NodeJS.WriteStream, shown: () => shown, written };
}

test('the last seconds: asked for, accepted, latency, errors, how far it is', (t) => {
  const now = nowOf(state());
  t.is(now.askedPerSecond, 100);
  t.true(now.acceptedPerSecond > 60);
  t.regex(now.http, /p50 10 ms {2}p99 10 ms/);
  t.is(now.errors, 24);
  t.deepEqual([now.ended, now.total], [792, 800]);
});

test('in a long run, too, only the last interval counts', (t) => {
  const stages = [{ perSecond: 1, seconds: 600, warmUp: false }];
  const { schedule, recording } = madeRun({ plan: plan({ stages }) });
  const at = (elapsedMs: number, key: string) => {
    const intervals = new Map([...recording.intervals].filter(([known]) => known === key));
    return nowOf(state({ schedule, elapsedMs, recording: { ...recording, intervals } })).http;
  };
  t.is(at(20_000, '0/0'), '', 'the first one is long ago, in steps of five seconds');
  t.regex(at(599_000, '0/119'), /p50/);
});

test('a terminal is drawn again in its place, and lines of the log stay above', (t) => {
  const { stream, shown } = screen();
  const view = liveView(stream, true);
  view.show(state());
  view.show(state({ elapsedMs: 9_000 }));
  t.is(shown().length, 3);
  view.log('something happened');
  view.show(state({ phase: 'draining' }));
  t.is(shown().length, 4);
  t.is(shown()[0], 'something happened');
  t.regex(shown()[1] ?? '', /waiting for what is under way/);
  view.end();
  t.deepEqual(shown(), ['something happened']);
});

test('without a terminal it is a line now and then, without any control', (t) => {
  const { stream, shown, written } = screen();
  const view = liveView(stream, false);
  for (let i = 0; i < 5; i++) view.show(state());
  t.is(shown().length, 1);
  t.regex(shown()[0] ?? '', /8 s: asked 100\/s, accepted .* 24 errors/);
  t.false(written.join('').includes('\u001b'));
});

test('a campaign that is fed by nobody shows how many end a second', (t) => {
  const { recording, ...rest } = state();
  const view = nowOf({ ...rest, recording: { ...recording, answered: new Map() } });
  t.true(view.endedPerSecond > 90 && view.endedPerSecond < 110);
});
