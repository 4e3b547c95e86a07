import test from 'ava';
import fc from 'fast-check';
import { campaignIdFrom } from '../src/ids.ts';
import { hash32, partitionOf, partitionsOf } from '../src/partition.ts';

const A = '019aa5b2-7c00-7abc-8def-012300000000';
const B = '019aa5b2-7c00-7abc-8def-012400000000';

/** Another answer to any of these moves campaigns that are under way to other partitions: a breaking change. */
const HASHES: [string, number][] = [
  ['', 2_872_998_923],
  ['a', 444_641_715],
  ['volley', 1_352_577_213],
  [A, 3_818_642_837],
  [B, 4_247_974_457],
  ['zoë@example.com', 3_991_819_497],
  ['👋', 4_136_133_400],
];
for (const [text, expected] of HASHES) {
  test(`known answer: hash of ${JSON.stringify(text)}`, (t) => {
    t.is(hash32(text), expected);
  });
}

const PLACES: [campaign: string, recipient: string, spread: number, partitions: number, expected: number][] = [
  [A, 'zoë@example.com', 1, 12, 5],
  [A, 'zoë@example.com', 6, 12, 8],
  [B, 'ann@example.com', 1, 12, 5],
  [B, 'ann@example.com', 4, 12, 5],
  [B, 'bob@example.com', 4, 12, 7],
  [B, 'bob@example.com', 3, 7, 6],
];
for (const [campaign, recipient, spread, partitions, expected] of PLACES) {
  test(`known answer: ${recipient} of ${campaign.slice(24)} with spread ${spread} of ${partitions}`, (t) => {
    t.is(partitionOf(campaign, recipient, spread, partitions), expected);
  });
}

const recipient = fc.string({ unit: 'grapheme', maxLength: 40 });
const campaign = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 44 }), fc.uint8Array({ minLength: 6, maxLength: 6 }))
  .map(([ms, bytes]) => campaignIdFrom(ms, bytes));
const shape = fc
  .integer({ min: 1, max: 64 })
  .chain((partitions) => fc.tuple(fc.constant(partitions), fc.integer({ min: 1, max: partitions })));

test('a message lies in one of the partitions of its campaign', (t) => {
  fc.assert(
    fc.property(campaign, recipient, shape, (id, to, [partitions, spread]) => {
      t.true(partitionsOf(id, spread, partitions).includes(partitionOf(id, to, spread, partitions)));
    }),
  );
});

test('a campaign uses as many different partitions as its spread', (t) => {
  fc.assert(
    fc.property(campaign, shape, (id, [partitions, spread]) => {
      const used = partitionsOf(id, spread, partitions);
      t.is(new Set(used).size, spread);
      t.true(used.every((p) => p >= 0 && p < partitions));
    }),
  );
});

test('a spread above the number of partitions uses all of them once', (t) => {
  t.deepEqual(partitionsOf(A, 99, 4).sort(), [0, 1, 2, 3]);
});

test('with spread 1 the recipient does not matter', (t) => {
  fc.assert(
    fc.property(campaign, recipient, recipient, (id, a, b) => {
      t.is(partitionOf(id, a, 1, 12), partitionOf(id, b, 1, 12));
    }),
  );
});

/** Largest deviation from an even share that chance allows here, with room: about six standard deviations. */
const allowed = (share: number) => 6 * Math.sqrt(share);

test('campaigns that were created one after the other are spread evenly over 12 partitions', (t) => {
  const counts = new Array<number>(12).fill(0);
  for (let i = 0; i < 24_000; i++) {
    const bytes = Uint8Array.from([0, 0, 0, 0, i >> 8, i & 255]);
    const p = partitionOf(campaignIdFrom(1_763_719_200_000 + (i >> 2), bytes), '', 1, 12);
    counts[p] = (counts[p] ?? 0) + 1;
  }
  for (const n of counts) t.true(Math.abs(n - 2_000) < allowed(2_000), counts.join(' '));
});

test('addresses that differ in one digit are spread evenly over 6 buckets', (t) => {
  const counts = new Map<number, number>();
  for (let i = 0; i < 12_000; i++) {
    const p = partitionOf(A, `user${i}@example.com`, 6, 12);
    counts.set(p, (counts.get(p) ?? 0) + 1);
  }
  t.is(counts.size, 6);
  for (const n of counts.values()) t.true(Math.abs(n - 2_000) < allowed(2_000), [...counts.values()].join(' '));
});
