import test from 'ava';
import type { RowStore } from '../src/ports.ts';
import { createCourtesy } from '../src/replay-courtesy.ts';

const LIMITS = { maxRows: 50_000, maxBytes: 1_000_000, lingerMs: 1, maxInserts: 2, pressedBytes: 1_000_000 };
const RANGE = {} as Parameters<RowStore['insert']>[0];
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A clock that stands still until it is moved; an insert takes as long as was said. */
function place(insertMs: number) {
  let nowMs = 0;
  let due: { atMs: number; go: () => void }[] = [];
  let looks = 0;
  const is = { moving: false, away: false, member: true, failing: false, insertMs };
  const under = { now: 0, most: 0 };
  const begunMs: number[] = [];
  const sleep = (ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      due.push({ atMs: nowMs + ms, go: resolve });
      signal?.addEventListener('abort', () => resolve());
    });
  async function advance(ms: number): Promise<void> {
    await turn();
    for (let i = 0; i < ms; i += 50) {
      nowMs += 50;
      const ready = due.filter(({ atMs }) => atMs <= nowMs);
      due = due.filter(({ atMs }) => atMs > nowMs);
      for (const { go } of ready) go();
      await turn();
    }
  }
  let at = 0;
  const courtesy = createCourtesy({
    store: {
      async insert() {
        begunMs.push(nowMs);
        under.now += 1;
        under.most = Math.max(under.most, under.now);
        await sleep(is.insertMs);
        under.now -= 1;
        if (is.failing) throw new Error('a bug of the store');
        return { ok: true as const };
      },
    } as unknown as RowStore,
    ...{ limits: LIMITS, clock: { now: () => 0, monotonicMs: () => nowMs }, sleep, isMember: () => is.member },
    async sinksAt() {
      looks += 1;
      if (is.away) throw new Error('nobody answers');
      if (is.moving) at += 10;
      return [at, 5];
    },
  });
  const over = new AbortController();
  courtesy.whileLive(over.signal);
  return { courtesy, is, under, begunMs, advance, over, looks: () => looks };
}
const insert = ({ courtesy }: ReturnType<typeof place>) => courtesy.store.insert(RANGE);

test('while the sinks stand still a replay inserts all that fits, several inserts at once', async (t) => {
  const p = place(500);
  await p.advance(5_000);
  t.true(p.looks() >= 5);
  t.is(p.courtesy.limits.maxRows, 50_000);
  const both = Promise.all([insert(p), insert(p)]);
  await p.advance(600);
  t.deepEqual(await both, [{ ok: true }, { ok: true }]);
  t.is(p.under.most, 2);
});

for (const [what, busy] of [
  ['while they store', { moving: true }],
  ['when they cannot be asked', { away: true }],
] as const)
  test(`${what}: few rows, one insert after the other, and a rest as long as it took`, async (t) => {
    const p = place(200);
    Object.assign(p.is, busy);
    await p.advance(2_000);
    t.is(p.courtesy.limits.maxRows, 10_000);
    const all = Promise.all([insert(p), insert(p), insert(p)]);
    await p.advance(4_000);
    await all;
    t.is(p.under.most, 1);
    const [first = 0, second = 0, third = 0] = p.begunMs;
    t.deepEqual([second - first, third - second], [400, 400]);
  });

test('a rest is a quarter of a second at most', async (t) => {
  const p = place(10_000);
  p.is.moving = true;
  await p.advance(2_000);
  const both = Promise.all([insert(p), insert(p)]);
  await p.advance(23_000);
  await both;
  t.is((p.begunMs[1] ?? 0) - (p.begunMs[0] ?? 0), 10_250);
});

test('sinks that store something every few seconds are live all the time; four seconds after the last of it they are not', async (t) => {
  const p = place(100);
  for (let i = 0; i < 4; i++) {
    p.is.moving = true;
    await p.advance(1_000);
    p.is.moving = false;
    await p.advance(2_000);
    t.is(p.courtesy.limits.maxRows, 10_000);
  }
  await p.advance(3_000);
  t.is(p.courtesy.limits.maxRows, 50_000);
});

test('two that are under way when it begins are both waited for', async (t) => {
  const p = place(6_000);
  const first = insert(p);
  await p.advance(500);
  p.is.insertMs = 3_000;
  const second = insert(p);
  p.is.moving = true;
  await p.advance(2_000);
  const third = insert(p);
  await p.advance(10_000);
  await Promise.all([first, second, third]);
  t.is(p.under.most, 2);
  t.true((p.begunMs[2] ?? 0) >= 6_000, 'also for the first, which takes longer');
});

test('an insert that has waited while its member lost the group is not begun', async (t) => {
  const p = place(500);
  p.is.moving = true;
  await p.advance(2_000);
  const both = Promise.all([insert(p), insert(p)]);
  await p.advance(200);
  p.is.member = false;
  await p.advance(2_000);
  t.deepEqual(await both, [{ ok: true }, { ok: false, error: 'the group has not answered for a session' }]);
  t.is(p.begunMs.length, 1);
});

test('a store that throws holds nobody up', async (t) => {
  const p = place(500);
  Object.assign(p.is, { moving: true, failing: true });
  await p.advance(2_000);
  const first = t.throwsAsync(insert(p), { message: 'a bug of the store' });
  await p.advance(600);
  await first;
  p.is.failing = false;
  const second = insert(p);
  await p.advance(600);
  t.deepEqual(await second, { ok: true });
});

test('afterwards nothing is waited for, not even a rest that has begun', async (t) => {
  const p = place(1_000);
  p.is.moving = true;
  await p.advance(2_000);
  const first = insert(p);
  await p.advance(1_000);
  await first;
  p.over.abort();
  t.is(p.courtesy.limits.maxRows, 50_000);
  const second = insert(p);
  await turn();
  t.is(p.begunMs.length, 2);
  await p.advance(1_000);
  await second;
});
