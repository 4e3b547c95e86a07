import type { PipelineView } from '@volley/contract/http';
import type { MetricHandle } from '@volley/runtime';
import test from 'ava';
import { createQueueAges } from '../src/queue-ages.ts';

const partition = (lag: number, age_ms: number | null) => ({ partition: 0, log_end: 100, lag, age_ms });
const queue = (name: string, lag: number, age_ms: number | null) => ({ name, partitions: [partition(lag, age_ms)] });
const seen = (queues: ReturnType<typeof queue>[] | null) => ({ queues }) as unknown as PipelineView;

test('the age of each queue is told in seconds; what is not known changes nothing', async (t) => {
  const told = new Map<string, number>();
  const queueAge = { set: (value: number, labels: { queue: string }) => void told.set(labels.queue, value) };
  let view: PipelineView | undefined = seen([
    queue('bulk', 5, 2_500),
    queue('transactional', 0, 0),
    queue('held', 3, null),
  ]);
  const metric = { queueAge: queueAge as unknown as MetricHandle };
  const look = createQueueAges(async () => view, metric, { now: () => 1_000_000 });
  await look();
  t.deepEqual(
    [...told],
    [
      ['bulk', 2.5],
      ['transactional', 0],
    ],
  );

  for (const nothing of [seen([queue('bulk', 5, null)]), seen(null), undefined]) {
    view = nothing;
    await look();
    t.is(told.get('bulk'), 2.5);
  }
  view = seen([queue('bulk', 0, 0)]);
  await look();
  t.is(told.get('bulk'), 0);
});
