import test from 'ava';
import { createLatest } from '../../../src/adapters/clickhouse/latest.ts';

/** A store that answers with the number of the question, is away, or hangs. */
function store() {
  const s = { mode: 'here' as 'here' | 'away' | 'hanging', asked: 0, nowMs: 0, release: () => {} };
  const ask = async () => {
    s.asked += 1;
    const n = s.asked;
    if (s.mode === 'away') throw new Error('away');
    if (s.mode === 'hanging') await new Promise<void>((resolve) => (s.release = resolve));
    return n;
  };
  const latest = createLatest<number>({ monotonicMs: () => s.nowMs, patienceMs: 5 });
  return { s, get: (key = 'a') => latest(key, ask) };
}

test('however many want to know, it is asked once in half a second', async (t) => {
  const { s, get } = store();
  const all = await Promise.all(Array.from({ length: 100 }, () => get()));
  t.deepEqual(new Set(all.map((a) => a.value)), new Set([1]));
  s.nowMs = 499;
  t.deepEqual(await get(), { value: 1, stale: false });
  s.nowMs = 500;
  t.deepEqual(await get(), { value: 2, stale: false });
  t.is((await get('b')).value, 3);
});

test('away: the last answer is shown as stale, and asked for again when its time has come', async (t) => {
  const { s, get } = store();
  await get();
  s.mode = 'away';
  t.deepEqual(await get(), { value: 1, stale: false });
  s.nowMs = 500;
  t.deepEqual(await get(), { value: 1, stale: true });
  t.deepEqual(await get(), { value: 1, stale: true });
  t.is(s.asked, 2, 'an error is not asked for at once again either');
  s.mode = 'here';
  s.nowMs = 1_000;
  t.deepEqual(await get(), { value: 3, stale: false });
});

test('hanging: nobody waits long, and what comes late is shown to the next', async (t) => {
  t.timeout(20_000);
  const { s, get } = store();
  await get();
  s.mode = 'hanging';
  s.nowMs = 500;
  t.deepEqual(await get(), { value: 1, stale: true });
  s.nowMs = 60_000;
  t.deepEqual(await get(), { value: 1, stale: true });
  t.is(s.asked, 2, 'one hangs, no second one is asked');
  s.mode = 'here';
  s.release();
  await new Promise(setImmediate);
  t.deepEqual(await get(), { value: 2, stale: false });
});

test('without any answer it is an error, also within the time in which nothing is asked', async (t) => {
  const { s, get } = store();
  s.mode = 'away';
  await t.throwsAsync(get(), { message: 'away' });
  await t.throwsAsync(get(), { message: 'away' });
  t.is(s.asked, 1);
  s.mode = 'hanging';
  await t.throwsAsync(get('b'), { message: 'no answer yet' });
});

test('a slow question is asked more rarely: it may take a tenth of the time, up to two seconds', async (t) => {
  const { s, get } = store();
  s.mode = 'hanging';
  const first = get();
  await new Promise(setImmediate);
  s.nowMs = 100;
  s.release();
  await first.catch(() => {});
  s.mode = 'here';
  s.nowMs = 1_099;
  t.is((await get()).value, 1);
  s.nowMs = 1_100;
  t.is((await get()).value, 2);
});

test('a thousand are kept, those that were asked for last', async (t) => {
  const { s, get } = store();
  for (let i = 0; i < 1_000; i++) await get(`k${i}`);
  await get('k0');
  await get('one more');
  s.mode = 'away';
  s.nowMs = 500;
  t.true((await get('k0')).stale);
  await t.throwsAsync(get('k1'), { message: 'away' });
});
