import test from 'ava';
import { createMetrics, type MetricCatalogue } from '../src/metrics.ts';

const catalogue = {
  done: { kind: 'counter', name: 'volley_done_total', help: 'Done.', labels: ['how'] },
  depth: { kind: 'gauge', name: 'volley_depth', help: 'Depth.' },
  seconds: { kind: 'histogram', name: 'volley_seconds', help: 'Duration.', buckets: [0.1, 1] },
} as const satisfies MetricCatalogue;

test('a counter counts by label, a gauge keeps the last value, a histogram fills its buckets', async (t) => {
  const { m, registry } = createMetrics(catalogue, false);
  m.done.inc({ how: 'well' });
  m.done.inc({ how: 'well' }, 4);
  m.done.inc({ how: 'badly' });
  m.depth.set(3);
  m.depth.set(2);
  m.depth.inc({}, 5);
  m.seconds.observe(0.05);
  m.seconds.observe(0.5);
  const lines = (await registry.metrics()).split('\n');
  for (const line of [
    '# HELP volley_done_total Done.',
    '# TYPE volley_done_total counter',
    'volley_done_total{how="well"} 5',
    'volley_done_total{how="badly"} 1',
    'volley_depth 7',
    'volley_seconds_bucket{le="0.1"} 1',
    'volley_seconds_bucket{le="1"} 2',
    'volley_seconds_bucket{le="+Inf"} 2',
    'volley_seconds_count 2',
  ]) {
    t.true(lines.includes(line), line);
  }
});

test('a series of a gauge ends when it is removed, and the others stay', async (t) => {
  const lag = { lag: { kind: 'gauge', name: 'volley_lag', help: 'Lag.', labels: ['partition'] } } as const;
  const { m, registry } = createMetrics(lag satisfies MetricCatalogue, false);
  for (const partition of [1, 2]) m.lag.set(7, { partition });
  m.lag.remove({ partition: 1 });
  m.lag.remove({ partition: 3 });
  t.deepEqual((await registry.metrics()).match(/^volley_lag.*$/gm), ['volley_lag{partition="2"} 7']);
});

test('every metric of a catalogue is there before its first use, and nothing else is', async (t) => {
  const { registry } = createMetrics(catalogue, false);
  const names = [...(await registry.metrics()).matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]);
  t.deepEqual(names, ['volley_done_total', 'volley_depth', 'volley_seconds']);
});

test('a use that does not fit the kind throws with the name', (t) => {
  const { m } = createMetrics(catalogue, false);
  t.throws(() => m.done.set(1), { message: /volley_done_total has no set/ });
  t.throws(() => m.done.observe(1), { message: /volley_done_total has no observe/ });
  t.throws(() => m.depth.observe(1), { message: /volley_depth has no observe/ });
  t.throws(() => m.done.remove({ how: 'well' }), { message: /volley_done_total has no remove/ });
  t.throws(() => m.seconds.inc(), { message: /volley_seconds has no inc/ });
  t.throws(() => m.seconds.set(1), { message: /volley_seconds has no set/ });
});

test('a label that is not in the catalogue throws', (t) => {
  const { m } = createMetrics(catalogue, false);
  t.throws(() => m.done.inc({ recipient: 'ann@example.com' }));
});

test('two registries in one process do not share values', async (t) => {
  const a = createMetrics(catalogue, false);
  const b = createMetrics(catalogue, false);
  a.m.depth.set(9);
  t.regex(await b.registry.metrics(), /^volley_depth 0$/m);
});

test('by default the figures of the process are there too', async (t) => {
  const { registry } = createMetrics({});
  t.teardown(() => registry.clear());
  t.regex(await registry.metrics(), /^process_cpu_seconds_total /m);
});
