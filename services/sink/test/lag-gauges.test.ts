import { createMetrics } from '@volley/runtime';
import type { PartitionLag } from '@volley/stream';
import test from 'ava';
import { createLagGauges } from '../src/lag-gauges.ts';
import { CATALOGUE } from '../src/metrics.ts';

const lagOf = (partition: number, records: number): PartitionLag => ({
  topic: 'deliveries',
  partition,
  logEnd: 100 + records,
  watermark: 100,
  inMemory: 1,
  inMemoryBytes: 10,
});

test('the lag of partitions that moved away ends, and that of the others goes on', async (t) => {
  const { m, registry } = createMetrics(CATALOGUE, false);
  const tell = createLagGauges(m);
  const told = async () =>
    (await registry.metrics())
      .split('\n')
      .filter((line) => /^volley_sink_(lag|assigned|memory)\w+(\{.*\})? /.test(line));
  tell([lagOf(1, 7), lagOf(2, 8)], (partition) => partition * 10);
  t.deepEqual(await told(), [
    'volley_sink_lag_records{partition="1"} 7',
    'volley_sink_lag_records{partition="2"} 8',
    'volley_sink_lag_seconds{partition="1"} 10',
    'volley_sink_lag_seconds{partition="2"} 20',
    'volley_sink_assigned_partitions 2',
    'volley_sink_memory_bytes 20',
  ]);
  tell([lagOf(2, 5), lagOf(3, 0)], () => 0);
  t.deepEqual(await told(), [
    'volley_sink_lag_records{partition="2"} 5',
    'volley_sink_lag_records{partition="3"} 0',
    'volley_sink_lag_seconds{partition="2"} 0',
    'volley_sink_lag_seconds{partition="3"} 0',
    'volley_sink_assigned_partitions 2',
    'volley_sink_memory_bytes 20',
  ]);
  tell([], () => 0);
  t.deepEqual(await told(), ['volley_sink_assigned_partitions 0', 'volley_sink_memory_bytes 0']);
});
