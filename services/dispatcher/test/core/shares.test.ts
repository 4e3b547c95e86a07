import test from 'ava';
import fc from 'fast-check';
import { createShares, SHARE_FLOOR, type ShareRow, type Shares, shareOf } from '../../src/core/shares.ts';

const KEY = 'default/provider:p';

/** Rows as Postgres holds them: one renewal at a time, each sees what those before it wrote. */
function table() {
  const rows = new Map<string, ShareRow>();
  const part = (id: string) => {
    const shares = createShares();
    return {
      id,
      shares,
      renew(weight: number | undefined) {
        const weights = weight === undefined ? {} : { [KEY]: weight };
        rows.set(id, { id, weights, claims: shares.propose(weights) });
        shares.settle([...rows.values()].filter((row) => row.id !== id));
      },
      /** It is no longer seen: killed, and three seconds are over. */
      die: () => void rows.delete(id),
      of: () => shares.of(KEY),
    };
  };
  return { part };
}

const near = (actual: number, wanted: number) => Math.abs(actual - wanted) < 0.02;

test('alone, all of it', (t) => {
  const a = table().part('a');
  a.renew(100);
  a.renew(100);
  t.is(a.of(), 1);
});

test('by backlog, and nobody with work gets nothing', (t) => {
  t.true(near(shareOf(300, [100]), 0.725));
  t.true(near(shareOf(0, [1_000, 1_000]), 0.033));
  t.is(shareOf(0, [0, 0, 0]), 0.25);
  t.is(shareOf(7, []), 1);
});

test('a newcomer gets its part within two seconds, and the others have given it up before', (t) => {
  const { part } = table();
  const [a, b] = [part('a'), part('b')];
  for (let second = 0; second < 2; second++) a.renew(100);
  t.is(a.of(), 1);
  const sums: number[] = [];
  for (let second = 0; second < 3; second++) {
    b.renew(100);
    sums.push(a.of() + b.of());
    a.renew(100);
    sums.push(a.of() + b.of());
  }
  t.true(near(a.of(), 0.5), `a ${a.of()}`);
  t.true(near(b.of(), 0.5), `b ${b.of()}`);
  t.true(Math.max(...sums) <= 1 + SHARE_FLOOR, sums.join(' '));
});

test('the part of a dead one is taken over in the two renewals after it is no longer seen', (t) => {
  const { part } = table();
  const all = [part('a'), part('b'), part('c')];
  for (let second = 0; second < 5; second++) for (const each of all) each.renew(50);
  for (const each of all) t.true(near(each.of(), 1 / 3), `${each.id} ${each.of()}`);
  all[2]?.die();
  for (let second = 0; second < 2; second++) for (const each of all.slice(0, 2)) each.renew(50);
  t.true(near((all[0]?.of() ?? 0) + (all[1]?.of() ?? 0), 1));
});

test('while the rows cannot be reached the last part is kept, whatever the backlog does', (t) => {
  const { part } = table();
  const [a, b] = [part('a'), part('b')];
  for (let second = 0; second < 5; second++) for (const each of [a, b]) each.renew(50);
  const before = a.of();
  for (const weight of [0, 5, 5_000, 1]) a.shares.propose({ [KEY]: weight });
  t.is(a.of(), before);
});

test('before the rows could be read, as much as of the partitions', (t) => {
  const shares = createShares();
  t.is(shares.of(KEY), SHARE_FLOOR);
  shares.assume(4 / 12);
  t.is(shares.of(KEY), 4 / 12);
  shares.propose({ [KEY]: 9 });
  t.is(shares.of(KEY), 4 / 12);
  shares.settle([]);
  t.is(shares.of(KEY), 4 / 12);
  shares.propose({ [KEY]: 9 });
  shares.settle([]);
  t.is(shares.of(KEY), 1);
});

test('a key that has never been written here: an equal part, and no more than is left', (t) => {
  const shares: Shares = createShares();
  const row = (id: string, claim: number): ShareRow => ({ id, weights: { [KEY]: 1 }, claims: { [KEY]: claim } });
  shares.settle([row('b', 0.2), { id: 'c', weights: {}, claims: {} }]);
  t.true(near(shares.of(KEY), 1 / 3));
  shares.settle([row('b', 0.9), { id: 'c', weights: {}, claims: {} }]);
  t.true(near(shares.of(KEY), 0.1));
  shares.settle([row('b', 1)]);
  t.is(shares.of(KEY), SHARE_FLOOR);
});

test('who has no work for a key any more gives it up', (t) => {
  const { part } = table();
  const [a, b] = [part('a'), part('b')];
  for (let second = 0; second < 4; second++) for (const each of [a, b]) each.renew(50);
  for (let second = 0; second < 2; second++) {
    a.renew(undefined);
    b.renew(50);
  }
  t.is(b.of(), 1);
});

const event = fc.record({
  who: fc.integer({ min: 0, max: 4 }),
  weight: fc.option(fc.integer({ min: 0, max: 10_000 }), { nil: undefined }),
  dies: fc.boolean(),
});

test('in any order of renewals, deaths and backlogs, the parts written and in use never add up to more than one', (t) => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 120 }), (events) => {
      const { part } = table();
      const ids = ['a', 'b', 'c', 'd', 'e'];
      const all = ids.map(part);
      const working = new Set<number>();
      for (const { who, weight, dies } of events) {
        if (dies && events.length % 3 === 0) {
          all[who]?.die();
          all[who] = part(ids[who] as string);
          working.delete(who);
          continue;
        }
        all[who]?.renew(weight);
        if (weight === undefined) working.delete(who);
        else working.add(who);
        const sum = [...working].reduce((total, i) => total + (all[i]?.of() ?? 0), 0);
        if (sum > 1 + working.size * SHARE_FLOOR + 1e-9) return false;
        if ([...working].some((i) => (all[i]?.of() ?? 0) <= 0)) return false;
      }
      return true;
    }),
    { numRuns: 1_000 },
  );
  t.pass();
});

test('when backlogs stand still, the parts come to what the backlogs say, and to one', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 6 }), (weights) => {
      const { part } = table();
      const all = weights.map((_, i) => part(String(i)));
      for (let second = 0; second < 6; second++) for (const [i, each] of all.entries()) each.renew(weights[i]);
      const wanted = weights.map((weight, i) =>
        shareOf(
          weight,
          weights.filter((_, j) => j !== i),
        ),
      );
      const sum = all.reduce((total, each) => total + each.of(), 0);
      return Math.abs(sum - 1) < 0.05 && all.every((each, i) => Math.abs(each.of() - (wanted[i] as number)) < 0.02);
    }),
  );
  t.pass();
});
