import test from 'ava';
import fc from 'fast-check';
import { type CapacityOptions, findCapacity, type Tried } from '../src/capacity.ts';
import { dispatchersNeeded, secondsNeeded } from '../src/formula.ts';

/** A system that holds every rate up to `most`. */
const upTo =
  (most: number) =>
  async (perSecond: number): Promise<Tried> => ({ perSecond, verdict: perSecond <= most ? 'met' : 'missed' });

const options = (change: Partial<CapacityOptions<Tried>>): CapacityOptions<Tried> => ({
  firstPerSecond: 500,
  precision: 0.05,
  maxTries: 20,
  maxPerSecond: 200_000,
  spent: () => false,
  run: upTo(3_217),
  ...change,
});
const rates = (tries: readonly Tried[]) => tries.map((t) => t.perSecond);

test('doubles until it breaks, then halves the bracket until it is narrow', async (t) => {
  const found = await findCapacity(options({}));
  t.deepEqual(rates(found.tries), [500, 1_000, 2_000, 4_000, 3_000, 3_500, 3_250, 3_130]);
  t.like(found, { perSecond: 3_130, missedAt: 3_250, ended: 'narrow' });
});

test('halves until it holds when the first rate is too high', async (t) => {
  const found = await findCapacity(options({ firstPerSecond: 10_000 }));
  t.deepEqual(rates(found.tries).slice(0, 3), [10_000, 5_000, 2_500]);
  t.true((found.perSecond ?? 0) <= 3_217 && (found.perSecond ?? 0) * 1.06 >= 3_217);
});

test('never above what it should be, and within its precision, whatever the system holds', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 20, max: 150_000 }),
      fc.integer({ min: 1, max: 100_000 }),
      async (most, first) => {
        const { perSecond, missedAt, tries } = await findCapacity(
          options({ firstPerSecond: first, run: upTo(most), maxTries: 60 }),
        );
        t.true(perSecond !== undefined && perSecond <= most, `${perSecond} of ${most}`);
        t.true(missedAt !== undefined && missedAt > most);
        t.true((missedAt ?? 0) <= (perSecond ?? 0) * 1.05 + 1);
        t.true(tries.length < 40);
      },
    ),
  );
});

test('ends when its tries, its time or its messages are spent, and says so', async (t) => {
  t.like(await findCapacity(options({ maxTries: 3 })), { ended: 'tries', perSecond: 2_000, missedAt: undefined });
  let left = 4;
  t.like(await findCapacity(options({ spent: () => left-- === 0 })), {
    ended: 'spent',
    perSecond: 2_000,
    missedAt: 4_000,
  });
  t.like(await findCapacity(options({ maxPerSecond: 1_500 })), { ended: 'limit', perSecond: 1_500 });
});

test('a system that holds nothing has no capacity', async (t) => {
  const found = await findCapacity(options({ run: upTo(0), firstPerSecond: 40 }));
  t.is(found.perSecond, undefined);
  t.deepEqual(rates(found.tries), [40, 20, 10, 5, 3, 2, 1]);
});

test('a generator that is late ends the search: what it found until then stands', async (t) => {
  const run = async (perSecond: number): Promise<Tried> => ({
    perSecond,
    verdict: perSecond > 1_500 ? 'unknown' : 'met',
  });
  t.like(await findCapacity(options({ run })), { ended: 'generator', perSecond: 1_000, missedAt: undefined });
});

test('what so many dispatchers were measured to do in a time needs so many for that time', (t) => {
  for (const seconds of [18.8, 9.6, 6.5, 0.7])
    for (const dispatchers of [1, 2, 3]) {
      const perDispatcherPerSecond = 7_200 / seconds / dispatchers;
      t.is(dispatchersNeeded({ messages: 7_200, seconds, perDispatcherPerSecond }), dispatchers, `${seconds} s`);
    }
});

const NEEDED: [messages: number, seconds: number, each: number, dispatchers: number][] = [
  [1_000_000, 600, 1_000, 2],
  [1_000_000, 600, 2_000, 1],
  [1_000_000, 60, 1_250, 14],
  [10, 600, 1_000, 1],
];
for (const [messages, seconds, perDispatcherPerSecond, dispatchers] of NEEDED) {
  test(`${messages} messages in ${seconds} s at ${perDispatcherPerSecond}/s each need ${dispatchers}`, (t) => {
    t.is(dispatchersNeeded({ messages, seconds, perDispatcherPerSecond }), dispatchers);
    t.true(secondsNeeded({ messages, dispatchers, perDispatcherPerSecond }) <= seconds);
    if (dispatchers > 1)
      t.true(secondsNeeded({ messages, dispatchers: dispatchers - 1, perDispatcherPerSecond }) > seconds);
  });
}
