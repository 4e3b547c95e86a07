import test from 'ava';
import fc from 'fast-check';
import { assignByNumber, type GroupMember } from '../src/assignment.ts';

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const fresh = (...ids: string[]): GroupMember[] => ids.map((id) => ({ id, owned: [] }));

/** Numbers of each member, for one topic of `count` partitions. */
function numbersOf(members: readonly GroupMember[], count: number): Record<string, number[]> {
  const assigned = assignByNumber(members, new Map([['topic', range(count)]]));
  return Object.fromEntries([...assigned].map(([id, own]) => [id, own.get('topic') ?? []]));
}
const after = (owned: Record<string, number[]>): GroupMember[] =>
  Object.entries(owned).map(([id, own]) => ({ id, owned: own }));
const without = (owned: Record<string, number[]>, id: string) =>
  Object.fromEntries(Object.entries(owned).filter(([other]) => other !== id));

test('a number belongs to one member, the same for all topics, whatever the members say', (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(
        fc.record({ id: fc.string({ minLength: 1 }), owned: fc.array(fc.integer({ min: -2, max: 45 })) }),
        {
          minLength: 1,
          maxLength: 8,
          selector: ({ id }) => id,
        },
      ),
      fc.array(fc.nat(40), { minLength: 1, maxLength: 6 }),
      (members, counts) => {
        const topics = new Map(counts.map((count, i) => [`topic ${i}`, range(count)]));
        const assigned = assignByNumber(members, topics);
        const ownerOf = new Map<number, string>();
        let total = 0;
        for (const [member, own] of assigned) {
          for (const numbers of own.values()) {
            total += numbers.length;
            for (const number of numbers) {
              if ((ownerOf.get(number) ?? member) !== member) t.fail(`${number} has two owners`);
              ownerOf.set(number, member);
            }
          }
        }
        t.is(
          total,
          counts.reduce((sum, count) => sum + count, 0),
        );
        t.deepEqual([...assigned.keys()].sort(), members.map(({ id }) => id).sort());
        const has = members.map(({ id }) => [...ownerOf.values()].filter((owner) => owner === id).length);
        t.true(Math.max(...has) - Math.min(...has) <= 1, `${has}`);
        const reversed = assignByNumber([...members].reverse(), topics);
        t.deepEqual([...reversed], [...assigned]);
      },
    ),
  );
});

test('a first assignment is number p to member p mod M', (t) => {
  t.deepEqual(numbersOf(fresh('b', 'a', 'c'), 7), { a: [0, 3, 6], b: [1, 4], c: [2, 5] });
});

const ids = ['d0', 'd1', 'd2', 'd3', 'd4', 'd5'];

/** Members that come and go; each says what it had, as it does in the group. */
const comings = fc.record({
  count: fc.integer({ min: 0, max: 30 }),
  steps: fc.array(fc.constantFrom(...ids), { minLength: 1, maxLength: 30 }),
});

test('a member that leaves moves its own numbers only, one that comes only what it gets itself', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(comings, ({ count, steps }) => {
        let owned: Record<string, number[]> = {};
        for (const id of steps) {
          const leaves = id in owned;
          const members = leaves ? after(without(owned, id)) : [...after(owned), ...fresh(id)];
          const next = numbersOf(members, count);
          const moved = range(count).filter((number) => {
            const [from, to] = [owned, next].map((of) =>
              Object.keys(of).find((member) => of[member]?.includes(number)),
            );
            return from !== undefined && from !== to;
          });
          const allowed = leaves ? owned[id] : next[id];
          if (moved.some((number) => allowed?.includes(number) !== true)) return false;
          owned = next;
        }
        return true;
      }),
    ),
  );
});

test('a restart gets its numbers back, in whatever order the group hears of it', (t) => {
  for (const count of range(25)) {
    const before = numbersOf(fresh('d0', 'd1', 'd2'), count);
    for (const id of ['d0', 'd1', 'd2']) {
      const rest = without(before, id);
      t.deepEqual(numbersOf([...after(rest), ...fresh(id)], count), before, 'at once');
      // Where they do not divide evenly, the odd number may stay where it went: moving it would balance nothing.
      if (count % 3 > 0) continue;
      const meanwhile = numbersOf(after(rest), count);
      t.deepEqual(numbersOf([...after(meanwhile), ...fresh(id)], count), before, 'after the others had them');
    }
  }
});

test('of two that claim the same number one gets it', (t) => {
  const claims = [
    { id: 'a', owned: [0, 1, 2, 3] },
    { id: 'b', owned: [2, 3] },
  ];
  t.deepEqual(numbersOf(claims, 4), { a: [0, 2], b: [1, 3] });
});

test('an exclusive member has everything: of two the one that has more already, else the first by id', (t) => {
  const alone = (id: string, ...owned: number[]): GroupMember => ({ id, owned, exclusive: true });
  t.deepEqual(numbersOf([...fresh('a', 'b'), alone('c')], 3), { a: [], b: [], c: [0, 1, 2] });
  t.deepEqual(numbersOf([alone('b'), alone('c', 0, 1, 2), { id: 'a', owned: [0, 1, 2] }], 3), {
    a: [],
    b: [],
    c: [0, 1, 2],
  });
  t.deepEqual(numbersOf([alone('c'), alone('b')], 2), { b: [0, 1], c: [] });
});
