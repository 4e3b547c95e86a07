/**
 * What somebody who sends notices of a replay: VOLLEY_BENCH_EVENTS (1,200,000) events are in the log and in the tables, direct
 * messages go out at VOLLEY_BENCH_RATE (300) a second by themselves, and then beside a replay of all of it, which is killed half
 * way, goes on, compares and swaps; afterwards it is taken back. Throws when anything is lost or the rebuilt tables differ.
 */
import { campaignIdFrom, createEncoder, messageIdOf, topicsOf } from '@volley/contract';
import type { ReplayView } from '@volley/contract/http';
import { createRegistry } from '@volley/contract/registry';
import type { AnalyticsVerdict } from '@volley/contract/replays';
import { createKafkaClient } from '@volley/stream/kafka';
import { createApi } from '../src/api.ts';
import { query } from '../src/clickhouse.ts';
import { kafkaAddress, loadAt, startOn } from './load-at.ts';

const EVENTS = Number(process.env.VOLLEY_BENCH_EVENTS ?? 1_200_000);
const RATE = Number(process.env.VOLLEY_BENCH_RATE ?? 300);
const ALONE_S = 30;
const LOOK_MS = 100;
const NAMESPACE = 'replaylive';
const say = (line: string) => process.stderr.write(`${line}\n`);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const at = (sorted: readonly number[], q: number) => sorted[Math.floor(q * (sorted.length - 1))] ?? Number.NaN;

const platform = await startOn(NAMESPACE);
const { api: origin, api_key: key, clickhouse, ...described } = platform.describe();
const api = createApi(origin, key);
const pidOf = () => (platform.describe().pids as Record<string, number>)['sink-replay'] ?? 0;
const rawRows = async () =>
  Number((await query<{ n: string }>(clickhouse, 'SELECT count() AS n FROM volley.delivery_raw'))[0]?.n ?? 0);

/** The events of a campaign for each partition, four hours of it, as the sink would have found them. */
async function fillLog(): Promise<void> {
  const topic = topicsOf(NAMESPACE).deliveries;
  const client = createKafkaClient({ brokers: [kafkaAddress()], clientId: 'replay-live' });
  const admin = await client.admin();
  const partitions = (await admin.logBounds(topic)).length;
  await admin.close();
  const registry = createRegistry({
    ...{ url: String(described.registry), clientId: 'replay-live', nowMs: () => performance.now() },
  });
  const encode = createEncoder('DeliveryEvent', await registry.idOf(topic, 'DeliveryEvent'));
  const producer = await client.producer({ clientId: 'replay-live' });
  const startMs = Date.now() - 4 * 3_600_000;
  const each = Math.floor(EVENTS / partitions);
  const campaigns = Array.from({ length: partitions }, (_, p) =>
    campaignIdFrom(startMs, Buffer.from([9, 9, 9, 9, 9, p])),
  );
  const eventOf = (campaignId: string, ordinal: number) => ({
    ...{ message_id: messageIdOf(campaignId, ordinal), run: 0, tenant_id: 'default', campaign_id: campaignId, ordinal },
    ...{
      recipient: `person${ordinal}@example.test`,
      kind: 'sent' as const,
      previous_kind: null,
      attempt: 1,
      deferrals: 0,
    },
    ...{ tier: '', lane: 'bulk' as const, channel: 'simulated' as const, provider: 'simulated', reason: '' },
    ...{ detail: `250 2.0.0 accepted as ${ordinal}`, queued_at: startMs, dlq_partition: null, dlq_offset: null },
    occurred_at: startMs + Math.floor((ordinal * 4 * 3_600_000) / each),
    ...{ provider_ms: 5 + (ordinal % 11), e2e_ms: 40 + ((ordinal * 7_919) % 900) },
  });
  for (let from = 1; from <= each; from += 500)
    await producer.send(
      campaigns.flatMap((campaignId, partition) =>
        Array.from({ length: Math.min(500, each - from + 1) }, (_, i) => {
          const value = encode(eventOf(campaignId, from + i));
          return { topic, partition, key: campaignId, value };
        }),
      ),
    );
  await client.close();
  while ((await rawRows()) < each * partitions) await pause(500);
}

type Verdict = AnalyticsVerdict & { readonly held_ms?: number };

interface Seen {
  readonly e2eP95: number;
  readonly deliveryP95: number;
  readonly freshP95: number;
}

/** Direct messages at the rate, and how old the newest stored event is meanwhile. */
async function liveFor(seconds: number): Promise<Seen> {
  const ages: number[] = [];
  let going = true;
  const load = loadAt(platform, { shape: 'direct', rate: RATE, duration: `${seconds}s`, warmUp: '5s' });
  const looking = (async () => {
    await pause(5_000);
    while (going) {
      const sql = 'SELECT toUnixTimestamp64Milli(max(appended_at)) AS at FROM volley.delivery_raw';
      const newest = Number((await query<{ at: string }>(clickhouse, sql))[0]?.at);
      ages.push(Date.now() - newest);
      await pause(LOOK_MS);
    }
  })();
  // Both may fail while the other one is waited for.
  const stretch = pause((seconds + 4) * 1_000).finally(() => {
    going = false;
  });
  const [{ latencies }] = await Promise.all([load, looking, stretch]);
  const p95 = (name: 'e2e' | 'delivery') => latencies[name]?.p95_ms ?? Number.NaN;
  return {
    e2eP95: p95('e2e'),
    deliveryP95: p95('delivery'),
    freshP95: at(
      ages.sort((a, b) => a - b),
      0.95,
    ),
  };
}

const jobOf = (id: string) => api.request<ReplayView>('GET', `/v1/replays/${id}`);
async function untilJob(id: string, condition: (job: ReplayView) => boolean): Promise<ReplayView> {
  for (;;) {
    const job = await jobOf(id);
    if (condition(job)) return job;
    await pause(200);
  }
}
const hasEnded = (job: ReplayView) => ['done', 'failed', 'cancelled'].includes(job.status) && job.requested === null;

try {
  say(`${EVENTS} events into the log and the tables`);
  await fillLog();
  say('by itself');
  const alone = await liveFor(ALONE_S);
  say('beside a replay');
  const startedMs = performance.now();
  const { replay_id: id } = await api.request<ReplayView>('POST', '/v1/replays', {
    target: 'analytics',
    reason: 'a bench',
  });
  const replay = (async () => {
    const half = await untilJob(id, (job) => hasEnded(job) || (job.total > 0 && job.done >= job.total / 2));
    if (hasEnded(half)) throw new Error(`it ended before it was half way: ${half.status} ${half.error}`);
    const pid = pidOf();
    if (pid === 0) throw new Error('sink-replay is not running');
    process.kill(pid, 'SIGKILL');
    say(`killed half way, after ${Math.round((performance.now() - startedMs) / 1_000)} s`);
    const job = await untilJob(id, hasEnded);
    return { job, seconds: (performance.now() - startedMs) / 1_000 };
  })();
  const beside: Seen[] = [];
  let ended = false;
  replay
    .finally(() => {
      ended = true;
    })
    .catch(() => {});
  while (!ended) beside.push(await liveFor(ALONE_S));
  const { job, seconds } = await replay;
  const verdict = job.result as unknown as Verdict;
  if (verdict?.equal !== true || verdict.swapped !== true)
    throw new Error(`not swapped: ${job.status} ${job.error} ${JSON.stringify(job.result)}`);
  say('taken back');
  await api.request('POST', `/v1/replays/${id}/undo`);
  const back = (await untilJob(id, hasEnded)).result as unknown as Verdict;
  if (back?.undone !== true) throw new Error(`not taken back: ${JSON.stringify(back)}`);

  const worst = (of: (seen: Seen) => number) => Math.max(...beside.map(of));
  const pair = (what: string, of: (seen: Seen) => number) => [
    { name: `${what}, by itself, p95`, value: of(alone), unit: 'ms' },
    {
      ...{ name: `${what}, beside a replay, p95`, value: worst(of), unit: 'ms', floor: `${what}, by itself, p95` },
      note: `the slowest of ${beside.length} stretches of ${ALONE_S} s: ${beside.map((seen) => Math.round(of(seen))).join(', ')}`,
    },
  ];
  const rows = [
    ...pair('request to provider', ({ deliveryP95 }) => deliveryP95),
    ...pair('accepted to provider', ({ e2eP95 }) => e2eP95),
    ...pair('age of the newest queryable event', ({ freshP95 }) => freshP95),
    { name: 'replay, with its death, compared and swapped', value: seconds, unit: 's' },
    { name: 'sinks stood still', value: verdict.held_ms ?? 0, unit: 'ms' },
  ];
  process.stdout.write(
    `${JSON.stringify({ bench: `replay beside live messages, ${EVENTS.toLocaleString('en-US')} events, ${RATE} messages/s`, rows })}\n`,
  );
} finally {
  await platform.stop();
}
