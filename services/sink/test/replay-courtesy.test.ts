import { sleep, systemClock } from '@volley/runtime';
import test from 'ava';
import type { RowStore } from '../src/ports.ts';
import { createCourtesy } from '../src/replay-courtesy.ts';
import { until } from './support.ts';

const LIMITS = { maxRows: 50_000, maxBytes: 1_000_000, lingerMs: 1, maxInserts: 2, pressedBytes: 1_000_000 };
const RANGE = {} as Parameters<RowStore['insert']>[0];

function place(insertMs: number) {
  let at = 0;
  let isAway = false;
  let moving = false;
  let under = 0;
  const seen = { most: 0, begun: [] as number[] };
  const store = {
    async insert() {
      seen.begun.push(performance.now());
      under += 1;
      seen.most = Math.max(seen.most, under);
      await new Promise((resolve) => setTimeout(resolve, insertMs));
      under -= 1;
      return { ok: true as const };
    },
  } as unknown as RowStore;
  const courtesy = createCourtesy({
    ...{ store, limits: LIMITS, clock: systemClock, sleep },
    async sinksAt() {
      if (isAway) throw new Error('nobody answers');
      if (moving) at += 10;
      return [at, 5];
    },
  });
  const set = (to: { moving?: boolean; isAway?: boolean }) => {
    moving = to.moving ?? false;
    isAway = to.isAway ?? false;
  };
  return { courtesy, seen, set };
}
const both = ({ store }: { store: RowStore }) => Promise.all([store.insert(RANGE), store.insert(RANGE)]);

test('while the sinks stand still a replay inserts all that fits, several inserts at once', async (t) => {
  const { courtesy, seen } = place(50);
  const over = new AbortController();
  courtesy.whileLive(over.signal);
  await new Promise((resolve) => setTimeout(resolve, 1_300));
  t.is(courtesy.limits.maxRows, 50_000);
  t.deepEqual(await both(courtesy), [{ ok: true }, { ok: true }]);
  t.is(seen.most, 2);
  over.abort();
});

for (const what of [{ moving: true }, { isAway: true }])
  test(`${what.isAway ? 'when they cannot be asked' : 'while they store'}: few rows, one insert after the other, and a rest as long as it took`, async (t) => {
    const { courtesy, seen, set } = place(200);
    set(what);
    const over = new AbortController();
    courtesy.whileLive(over.signal);
    await until('it makes way', () => courtesy.limits.maxRows === 10_000);
    await both(courtesy);
    t.is(seen.most, 1);
    const [first = 0, second = 0] = seen.begun;
    t.true(second - first >= 380, `${second - first} ms between two beginnings`);
    set({});
    await until('they stand still again', () => courtesy.limits.maxRows === 50_000);
    over.abort();
  });

test('afterwards nothing is waited for, not even a rest that has begun', async (t) => {
  const { courtesy, seen, set } = place(300);
  set({ moving: true });
  const over = new AbortController();
  courtesy.whileLive(over.signal);
  await until('it makes way', () => courtesy.limits.maxRows === 10_000);
  await courtesy.store.insert(RANGE);
  const endedMs = performance.now();
  over.abort();
  await courtesy.store.insert(RANGE);
  t.true((seen.begun[1] ?? 0) - endedMs < 200);
  t.is(courtesy.limits.maxRows, 50_000);
});
