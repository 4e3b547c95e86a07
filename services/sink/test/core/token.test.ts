import test from 'ava';
import fc from 'fast-check';
import { LAYOUT, tokenOf } from '../../src/core/token.ts';

const range = { cluster: 'c', topic: 'volley.deliveries', partition: 3, from: 100, to: 250 };

test('a token is cluster:topic:partition:from:to:layout', (t) => {
  t.is(tokenOf(range), `c:volley.deliveries:3:100:250:${LAYOUT}`);
});

test('the tables that migrations made are not named in it, those of a replay are', (t) => {
  t.is(tokenOf(range, 2, '0'), 'c:volley.deliveries:3:100:250:2');
  t.is(tokenOf(range, 2, 'ab12'), 'c:volley.deliveries:3:100:250:2.ab12');
});

test('ranges that differ in anything have different tokens', (t) => {
  const others = [
    { ...range, cluster: 'd' },
    { ...range, topic: 'other.deliveries' },
    { ...range, partition: 4 },
    { ...range, from: 101 },
    { ...range, to: 251 },
  ].map((r) => tokenOf(r));
  t.is(new Set([tokenOf(range), tokenOf(range, LAYOUT + 1), ...others]).size, 7);
});

test('numbers never run into each other', (t) => {
  const r = fc.tuple(fc.nat(999), fc.nat(99_999), fc.nat(99_999));
  t.notThrows(() =>
    fc.assert(
      fc.property(r, r, ([p, a, b], [q, c, d]) => {
        const one = tokenOf({ ...range, partition: p, from: a, to: b });
        const two = tokenOf({ ...range, partition: q, from: c, to: d });
        return (one === two) === (p === q && a === c && b === d);
      }),
    ),
  );
});
