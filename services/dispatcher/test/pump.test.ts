import test from 'ava';
import { createPump, SLICE_MS } from '../src/pump.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** `jobs` that take `costMs` each on a clock of their own. */
function bench(jobs: number, costMs: number) {
  const state = { nowMs: 0, jobs, started: 0, may: true, dueMs: Number.POSITIVE_INFINITY };
  const pump = createPump({
    monotonicMs: () => state.nowMs,
    mayStart: () => state.may,
    startNext() {
      if (state.started === state.jobs) return false;
      state.started += 1;
      state.nowMs += costMs;
      return true;
    },
    nextDueMs: () => state.dueMs,
  });
  return { state, pump };
}

test('cheap work is started in one go', (t) => {
  const { state, pump } = bench(1_000, SLICE_MS / 2_000);
  pump.run();
  t.is(state.started, 1_000);
});

test('costly work is started in slices, and everything else has its turn between them', async (t) => {
  const { state, pump } = bench(5, SLICE_MS);
  pump.run();
  t.is(state.started, 1);
  for (const n of [2, 3, 4, 5]) {
    await turn();
    t.is(state.started, n);
  }
  await turn();
  t.is(state.started, 5);
});

test('a call between two slices starts no slice of its own', async (t) => {
  const { state, pump } = bench(10, SLICE_MS);
  for (let i = 0; i < 10; i++) pump.run();
  t.is(state.started, 1);
  await turn();
  t.is(state.started, 2);
  pump.stop();
});

test('a slice whose time has not come is none: no assignment, or a stop', async (t) => {
  const { state, pump } = bench(10, SLICE_MS);
  pump.run();
  state.may = false;
  await turn();
  t.is(state.started, 1);
  state.may = true;
  pump.run();
  t.is(state.started, 2);
  pump.stop();
  await turn();
  t.is(state.started, 2);
});

test('what is due later is started then, without a call', async (t) => {
  const { state, pump } = bench(0, 0);
  state.dueMs = 5;
  pump.run();
  state.dueMs = Number.POSITIVE_INFINITY;
  state.jobs = 1;
  while (state.started === 0) await turn();
  t.is(state.started, 1);
});
