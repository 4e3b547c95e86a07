import test from 'ava';
import fc from 'fast-check';
import { metadataOf, type Plan, planOf } from '../../src/core/plan.ts';
import { FIRST_GENERATION } from '../../src/core/token.ts';

test('a plan is read as it was written, and fits beside an offset', (t) => {
  const plan = fc
    .tuple(
      fc.maxSafeNat(),
      fc.integer({ min: 1, max: 100_000 }),
      fc.nat(),
      fc.nat(99),
      fc.constantFrom(FIRST_GENERATION, '7f3a90c1d2e4'),
    )
    .filter(([from, length]) => from + length <= Number.MAX_SAFE_INTEGER)
    .map(
      ([from, length, rows, layout, generation]): Plan => ({
        from,
        to: from + length,
        rows: rows % (length + 1),
        layout,
        generation,
      }),
    );
  t.notThrows(() =>
    fc.assert(
      fc.property(plan, (p) => {
        const text = metadataOf(p);
        const back = planOf(text, p.from);
        return Buffer.byteLength(text) < 128 && JSON.stringify(back) === JSON.stringify(p);
      }),
    ),
  );
});

test('a plan for the tables that migrations made reads as it did before there were others', (t) => {
  const plan = { from: 5, to: 7, rows: 2, layout: 2, generation: FIRST_GENERATION };
  t.is(metadataOf(plan), '{"pending":7,"layout":2,"count":2}');
});

test('no plan is no metadata, and the other way round', (t) => {
  t.is(metadataOf(undefined), '');
  t.is(planOf('', 5), undefined);
  t.is(planOf('', -1), undefined);
});

for (const [what, metadata, committed] of [
  ['no JSON', 'pending 7', 5],
  ['another shape', '{"hint":7}', 5],
  ['null', 'null', 5],
  ['a text for a number', '{"pending":"7","layout":1,"count":2}', 5],
  ['an end before its start', '{"pending":5,"layout":1,"count":0}', 5],
  ['more rows than records', '{"pending":7,"layout":1,"count":3}', 5],
  ['a fraction', '{"pending":7.5,"layout":1,"count":2}', 5],
  ['a number for a generation', '{"pending":7,"layout":1,"count":2,"generation":3}', 5],
  ['a plan without an offset', '{"pending":7,"layout":1,"count":2}', -1],
] as const)
  test(`what is no plan is not guessed: ${what}`, (t) => t.is(planOf(metadata, committed), 'unreadable'));
