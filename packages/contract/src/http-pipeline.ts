import { z } from 'zod';

/** `GET /v1/pipeline`: how far everything on the way to the recipients is behind, who works on it, what holds it up. */

const count = z.number().int().min(0);
const share = z.number().min(0).max(1);
const time = z.iso.datetime({ offset: true });
const ageMs = z
  .number()
  .min(0)
  .nullable()
  .meta({ description: 'Age of the oldest record that is not committed; 0 without one, null where it is not known.' });

const partition = z
  .object({
    partition: count,
    committed: count.nullable().meta({ description: 'null: nothing was ever committed.' }),
    log_end: count,
    lag: count,
    age_ms: ageMs,
    owner: z.string().nullable().meta({ description: 'The living dispatcher that has this partition number.' }),
  })
  .meta({ id: 'PipelinePartition' });

const queue = z
  .object({
    name: z.string().meta({ description: '`bulk` and `transactional`, the retry tiers such as `5s`, and `held`.' }),
    kind: z.enum(['lane', 'tier', 'held']),
    topic: z.string(),
    lag: count,
    age_ms: ageMs,
    partitions: z.array(partition),
  })
  .meta({ id: 'PipelineQueue' });

const provider = z
  .object({
    tenant_id: z.string(),
    provider: z.string(),
    calls: count,
    limit: count.nullable().meta({ description: 'Calls that may be under way now; null: any number.' }),
    ceiling: count.nullable().meta({ description: 'The most that `limit` may become with this share.' }),
    rate_per_second: z.number().nullable().meta({ description: 'Of all dispatchers together.' }),
    share: share.meta({ description: "Part of the provider's rate and concurrency that this dispatcher may use." }),
    blocked_until: time.nullable().meta({ description: 'The provider asked to be left alone until then.' }),
  })
  .meta({ id: 'PipelineProvider' });

const breaker = z
  .object({
    dispatcher: z.string(),
    tenant_id: z.string(),
    provider: z.string(),
    host: z.string().nullable().meta({ description: 'null: the whole provider; else one destination of webhooks.' }),
    state: z.enum(['open', 'probing']),
    probe_at: time,
  })
  .meta({ id: 'PipelineBreaker' });

const dispatcher = z
  .object({
    id: z.string(),
    alive: z.boolean().meta({ description: 'Seen within the last three seconds.' }),
    seen_ms_ago: z.number().min(0),
    version: z.string(),
    partitions: z.array(count).meta({ description: 'Partition numbers that it owns, of every lane and tier.' }),
    lanes: z.record(z.string(), z.object({ running: count, waiting: count })),
    held: z.record(z.string(), count).meta({ description: 'Campaigns that may not go on, by what they wait for.' }),
    providers: z.array(provider),
  })
  .meta({ id: 'PipelineDispatcher' });

const reader = (what: string) => z.object({ lag: count, age_ms: ageMs }).nullable().meta({ description: what });

export const pipeline = z
  .object({
    as_of: time,
    queues: z.array(queue).nullable(),
    dispatchers: z.array(dispatcher).nullable(),
    breakers: z.array(breaker).nullable().meta({ description: 'Those that are not closed, of living dispatchers.' }),
    sink: reader('Delivery events that are not in ClickHouse yet.'),
    progress: reader('Delivery events that are not counted yet.'),
    dead_letters: z
      .object({ messages: count, deliveries: count })
      .nullable()
      .meta({ description: 'Records in the dead-letter topics, those included that were redriven or purged since.' }),
    unavailable: z
      .array(z.object({ part: z.string(), detail: z.string() }))
      .meta({ description: 'Parts that are null because whoever knows could not be asked in time, and why.' }),
  })
  .meta({ id: 'Pipeline' });

export type PipelineView = z.infer<typeof pipeline>;
