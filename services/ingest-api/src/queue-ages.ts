import { createQueueAge } from './core/queue-age.ts';
import type { Overview } from './overview-ports.ts';
import type { Metric } from './ports.ts';

/** One look at the queues for the metric of their ages, by the eyes of `GET /v1/pipeline`. What is not known changes nothing. */
export function createQueueAges(overview: Overview, metric: Metric, clock: { now(): number }): () => Promise<void> {
  const ageOf = new Map<string, ReturnType<typeof createQueueAge>>();
  return async () => {
    const view = await overview();
    for (const { name, partitions } of view?.queues ?? []) {
      const of = ageOf.get(name) ?? createQueueAge();
      ageOf.set(name, of);
      const ageMs = of(partitions, clock.now());
      if (ageMs !== undefined) metric.queueAge?.set(ageMs / 1_000, { queue: name });
    }
  };
}
