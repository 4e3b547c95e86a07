import test from 'ava';
import { growthText, memoryGrowth } from './memory.ts';

const HOUR_MS = 3_600_000;
const samplesOf = (mibAt: (share: number) => number, service = 'sink') =>
  Array.from({ length: 3_600 }, (_, i) => ({ service, atMs: i * 1_000, mib: mibAt(i / 3_600) }));
const grown = (mibAt: (share: number) => number) => memoryGrowth(samplesOf(mibAt), HOUR_MS)[0]?.grown;

test('the same all the time has not grown', (t) => t.false(grown(() => 200)));

test('a saw tooth of restarts and collections has not grown', (t) =>
  t.false(grown((share) => 120 + ((share * 3_600) % 160))));

test('a leak of 100 MiB in an hour has grown', (t) => t.true(grown((share) => 120 + 100 * share)));

test('a leak under the saw tooth of restarts has grown', (t) =>
  t.true(grown((share) => 120 + 200 * share + ((share * 3_600) % 160) / 2)));

test('one outlier at the end is no growth', (t) => t.false(grown((share) => (share > 0.999 ? 2_000 : 200))));

test('a service that was not seen in the last quarter counts as grown: nothing was shown', (t) =>
  t.true(memoryGrowth(samplesOf(() => 200).slice(0, 1_000), HOUR_MS)[0]?.grown));

test('each service by itself', (t) => {
  const both = [...samplesOf(() => 100, 'sink'), ...samplesOf((share) => 100 + 300 * share, 'dispatcher')];
  const found = memoryGrowth(both, HOUR_MS);
  t.deepEqual(Object.fromEntries(found.map((g) => [g.service, g.grown])), { sink: false, dispatcher: true });
  t.deepEqual(found.map(growthText), ['sink 100 to 100 MiB', 'dispatcher 138 to 363 MiB']);
});
