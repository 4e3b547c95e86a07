import test from 'ava';
import fc from 'fast-check';
import { createLatencies, latenciesOf } from '../src/latencies.ts';

const of = (values: readonly number[]) => {
  const latencies = createLatencies();
  for (const ms of values) latencies.record(ms);
  return latencies;
};
const SHARES = [0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1];
const times = fc.array(fc.double({ min: 0.001, max: 3_600_000, noNaN: true }), { minLength: 1, maxLength: 200 });

test('histograms of several generators, sent as text, say what one of all values would have said', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(times, { minLength: 1, maxLength: 4 }), (lists) => {
        const together = of(lists.flat());
        const merged = createLatencies();
        for (const list of lists) merged.add(latenciesOf(of(list).encoded()));
        return (
          merged.count() === together.count() &&
          merged.maxMs() === together.maxMs() &&
          SHARES.every((share) => merged.quantileMs(share) === together.quantileMs(share))
        );
      }),
    ),
  );
});

test('a percentile is within a thousandth of the exact one', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(times, fc.constantFrom(...SHARES), (values, share) => {
        const sorted = [...values].sort((a, b) => a - b);
        const exact = sorted[Math.max(0, Math.ceil(share * sorted.length - 1e-9) - 1)] as number;
        const found = of(values).quantileMs(share);
        return Math.abs(found - exact) <= Math.max(0.001, exact / 1_000);
      }),
    ),
  );
});

test('buckets hold every value once, up to and with their bound', (t) => {
  const latencies = of([0.5, 1, 1, 9, 10, 11, 99_999]);
  t.deepEqual(latencies.buckets([1, 10, 100]), [3, 2, 2]);
  t.deepEqual(createLatencies().buckets([1, 10]), [0, 0]);
});

test('nothing recorded is zero, and what is longer than an hour is an hour', (t) => {
  t.is(createLatencies().quantileMs(0.99), 0);
  t.true(Math.abs(of([5 * 3_600_000]).maxMs() - 3_600_000) < 4_000);
  t.throws(() => latenciesOf('no histogram'));
});

test('a value that came many times is recorded at once', (t) => {
  const latencies = createLatencies();
  latencies.record(10, 99);
  latencies.record(1_000);
  t.is(latencies.count(), 100);
  t.true(latencies.quantileMs(0.99) < 11);
  t.true(latencies.quantileMs(1) > 999);
});
