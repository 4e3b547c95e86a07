import test from 'ava';
import { createFailureWindow } from '../../src/core/failure-window.ts';

interface Phase {
  readonly seconds: number;
  readonly perSecond: number;
  /** Of ten calls. */
  readonly failing: number;
}

/** Second at which it was bad enough; undefined if never. */
function openedAt(phases: readonly Phase[], ratio = 0.5): number | undefined {
  const window = createFailureWindow(ratio);
  let ms = 0;
  let calls = 0;
  for (const { seconds, perSecond, failing } of phases) {
    for (let i = 0; i < seconds * perSecond; i++) {
      ms += 1_000 / perSecond;
      if ((calls++ * 7) % 10 >= failing) window.succeeded(ms);
      else if (window.failed(ms)) return ms / 1_000;
    }
  }
  return undefined;
}

const CASES: [title: string, phases: Phase[], within: [number, number] | undefined][] = [
  ['healthy', [{ seconds: 60, perSecond: 100, failing: 0 }], undefined],
  ['a tenth fails', [{ seconds: 60, perSecond: 1_000, failing: 1 }], undefined],
  ['four tenths fail', [{ seconds: 60, perSecond: 100, failing: 4 }], undefined],
  ['all fail at once', [{ seconds: 60, perSecond: 100, failing: 10 }], [0, 1]],
  [
    'a busy one dies: the good calls before do not excuse it for long',
    [
      { seconds: 60, perSecond: 1_000, failing: 0 },
      { seconds: 30, perSecond: 1_000, failing: 10 },
    ],
    [60, 64],
  ],
  [
    'a busy one hangs: a handful of timeouts every eight seconds',
    [
      { seconds: 60, perSecond: 1_000, failing: 0 },
      { seconds: 60, perSecond: 0.5, failing: 10 },
    ],
    [60, 92],
  ],
  ['all fail, a few a second', [{ seconds: 60, perSecond: 2, failing: 10 }], [3, 6]],
  ['six of ten fail', [{ seconds: 60, perSecond: 100, failing: 6 }], [0, 2]],
  ['a slow one that never answers', [{ seconds: 60, perSecond: 0.25, failing: 10 }], [16, 24]],
  ['fewer calls than can tell', [{ seconds: 600, perSecond: 0.1, failing: 10 }], undefined],
];
for (const [title, phases, within] of CASES) {
  test(title, (t) => {
    const at = openedAt(phases);
    if (within === undefined) t.is(at, undefined);
    else t.true(at !== undefined && at >= within[0] && at <= within[1], `opened at ${at}`);
  });
}

test('a ratio of one never opens', (t) => {
  t.is(openedAt([{ seconds: 60, perSecond: 100, failing: 10 }], 1), undefined);
});

test('what is older than thirty seconds is forgotten', (t) => {
  const window = createFailureWindow(0.5);
  for (let i = 0; i < 9; i++) t.false(window.failed(0));
  t.false(window.failed(30_000));
  for (let i = 0; i < 8; i++) t.false(window.failed(31_000));
  t.true(window.failed(31_000));
});

test('a clock that stands still or goes back changes nothing', (t) => {
  const window = createFailureWindow(0.5);
  for (let i = 0; i < 9; i++) t.false(window.failed(50_000));
  t.true(window.failed(10_000));
});

test('the first calls of a provider that fails one in ten open nothing', (t) => {
  let opened = 0;
  let seed = 1;
  const random = () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed / 2 ** 32;
  };
  for (let run = 0; run < 5_000; run++) {
    const window = createFailureWindow(0.5);
    // It is made at the first failure, so that one is always in it.
    let bad = window.failed(0);
    for (let i = 1; i < 60 && !bad; i++) {
      if (random() < 0.1) bad = window.failed(i * 200);
      else window.succeeded(i * 200);
    }
    if (bad) opened += 1;
  }
  t.is(opened, 0);
});
