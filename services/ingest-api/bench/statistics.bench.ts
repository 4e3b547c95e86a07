/**
 * Statistics, reports and lists of one large campaign over HTTP, each asked one after the other: the time of an answer
 * beside the floor of the same run, a request that reads one row of Postgres and nothing of ClickHouse. Percentiles are
 * remembered for half a second: so statistics are asked of as many small campaigns in the same tables, each once, and of the
 * large one again and again. How complete an answer is, is found from a log.
 *
 *   node services/ingest-api/bench/statistics.bench.ts [messages] [requests of each]
 */
import { randomBytes, randomInt } from 'node:crypto';
import { DEFAULT_TOPIC_SETTINGS, messageIdOf, topicDefinitions, topicsOf } from '@volley/contract';
import { systemClock } from '@volley/runtime';
import { createKafkaClient } from '@volley/stream/kafka';
import { createAnalytics } from '../src/adapters/clickhouse/analytics.ts';
import { createFreshness } from '../src/freshness.ts';
import { createAnalyticsDatabase, DAY } from '../test/support/analytics-database.ts';
import { startTestApi } from '../test/support/api.ts';
import { createTestDatabase } from '../test/support/database.ts';

const MESSAGES = Number(process.argv[2] ?? 1_000_000);
const REQUESTS = Number(process.argv[3] ?? 100);
/** In one block, as the sink inserts them. */
const BLOCK = 50_000;
/** Of each small campaign. */
const FEW = 1_000;

const kafka = process.env.VOLLEY_TEST_KAFKA ?? '';
if (kafka === '') throw new Error('VOLLEY_TEST_KAFKA must be set');
const [db, events] = await Promise.all([createTestDatabase(), createAnalyticsDatabase()]);
const namespace = `bench_${randomBytes(4).toString('hex')}`;
const client = createKafkaClient({ brokers: [kafka], clientId: namespace });
const admin = await client.admin();
const { deliveries } = topicsOf(namespace);
const definitions = topicDefinitions(topicsOf(namespace), DEFAULT_TOPIC_SETTINGS);
await admin.ensureTopics(definitions.filter(({ topic }) => topic === deliveries));
const freshness = createFreshness({ client, namespace, clock: systemClock });
const analytics = createAnalytics({
  ...{ url: events.url, database: events.name, clientId: 'bench' },
  ...freshness,
  monotonicMs: systemClock.monotonicMs,
});
const api = await startTestApi(db.pool, { analytics, freshness });
const id = await api.create();
const small = await Promise.all(Array.from({ length: REQUESTS }, () => api.create()));
// An hour of sending from the first to the last; one in 10,000 fails, one in 20 is deferred once, the last tenth waits.
const written = Math.floor(MESSAGES * 0.9);
const patient = db.another(600_000);
await patient.query(
  `INSERT INTO campaign_recipients SELECT $1, n, gen_random_uuid(), 'person' || n || '@example.org', NULL, '{vip}', '{}'
   FROM generate_series(1, $2::int) AS n`,
  [id, MESSAGES],
);
const running = (ids: readonly string[], messages: number) =>
  db.pool.query(
    `UPDATE campaigns SET status = 'running', expected = $2::bigint,
       state = state || jsonb_build_object('status', 'running', 'expected', $2::bigint, 'sent_at', $3::bigint, 'partitions', 12)
     WHERE campaign_id = ANY($1::uuid[])`,
    [ids, messages, Date.parse(`${DAY}T10:00:00Z`)],
  );
await running([id], MESSAGES);
await running(small, FEW);
const column = (deferred: boolean) => `SELECT
    toUUID(concat(substring(campaign, 1, 28), leftPad(lower(hex(toUInt32(n))), 8, '0'))) AS message_id, 0 AS run,
    'default' AS tenant_id, campaign AS campaign_id, n AS ordinal, concat('person', toString(n), '@example.org') AS recipient,
    ${deferred ? "'deferred'" : "if(n % 10000 = 0, 'failed', 'sent')"} AS kind, NULL AS previous_kind,
    1 AS attempt, ${deferred ? 0 : 'toInt32(n % 20 = 0)'} AS deferrals, '${deferred ? '5s' : ''}' AS tier, 'bulk' AS lane,
    'simulated' AS channel, 'simulated' AS provider,
    ${deferred ? "'provider_transient'" : "if(n % 10000 = 0, 'recipient_refused', '')"} AS reason, '' AS detail,
    toDateTime64('${DAY} 10:00:00', 3, 'UTC') + toIntervalMillisecond(intDiv(n * 3600000, ${written})) AS queued_at,
    queued_at + toIntervalMillisecond(e2e_ms) AS occurred_at, 10 AS provider_ms, toInt64(20 + cityHash64(n) % 3000) AS e2e_ms,
    n % 12 AS source_partition, ${deferred ? written : 0} + n AS source_offset, occurred_at AS appended_at, false AS is_repeat
  FROM (SELECT {from:UInt64} + number % {each:UInt64} AS n, {ids:Array(String)}[1 + intDiv(number, {each:UInt64})] AS campaign
    FROM numbers({rows:UInt64}) WHERE ${deferred ? 'n % 20 = 0' : '1'})`;
/** Messages of each of these campaigns, from a place on. */
async function write(ids: readonly string[], from: number, each: number): Promise<void> {
  for (const deferred of [true, false])
    await events.client.command({
      query: `INSERT INTO delivery_raw (message_id, run, tenant_id, campaign_id, ordinal, recipient, kind, previous_kind, attempt,
        deferrals, tier, lane, channel, provider, reason, detail, queued_at, occurred_at, provider_ms, e2e_ms, source_partition,
        source_offset, appended_at, is_repeat) ${column(deferred)}`,
      query_params: { ids, from, each, rows: ids.length * each },
    });
}
for (let from = 1; from <= written; from += BLOCK) await write([id], from, Math.min(BLOCK, written + 1 - from));
for (let at = 0; at < small.length; at += BLOCK / FEW) await write(small.slice(at, at + BLOCK / FEW), 1, FEW);

const rows: { name: string; value: number; unit: string; floor?: string }[] = [];
async function measure(name: string, pathOf: (i: number) => string, floor?: string): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < REQUESTS; i++) {
    const began = performance.now();
    const answer = await api.call('GET', pathOf(i));
    times.push(performance.now() - began);
    if (answer.status !== 200) throw new Error(`${name}: ${answer.status} ${answer.text}`);
  }
  times.sort((a, b) => a - b);
  for (const p of [50, 95]) {
    const value = times[Math.ceil((times.length * p) / 100) - 1] as number;
    rows.push({ name: `${name}, p${p}`, value, unit: 'ms', ...(floor ? { floor: `${floor}, p${p}` } : {}) });
  }
}

const campaign = `/v1/campaigns/${id}`;
const FLOOR = 'GET /v1/campaigns/{id}';
const cursor = () => Buffer.from(`messages:${randomInt(MESSAGES)}`).toString('base64url');
// Another second each time, so that no two questions are the same.
const from = (i: number) =>
  `from=${DAY}T09:${String(Math.floor(i / 60) % 60).padStart(2, '0')}:${String(i % 60).padStart(2, '0')}Z`;
await measure(FLOOR, () => campaign);
await measure('stats, each of another campaign', (i) => `/v1/campaigns/${small[i]}/stats`, FLOOR);
await measure('stats of one campaign, again', () => `${campaign}/stats`, FLOOR);
await measure('series by minute', (i) => `${campaign}/series?step=1m&${from(i * 60)}`, FLOOR);
await measure('histogram', (i) => `${campaign}/histogram?${from(i * 60)}`, FLOOR);
await measure('failures', (i) => `${campaign}/failures?${from(i)}`, FLOOR);
await measure('messages, 50 anywhere', () => `${campaign}/messages?cursor=${cursor()}`, FLOOR);
await measure('messages, 50 sent', () => `${campaign}/messages?status=sent&cursor=${cursor()}`, FLOOR);
await measure(
  'messages, 50 failed of one in 10,000',
  () => `${campaign}/messages?status=failed&cursor=${cursor()}`,
  FLOOR,
);
await measure('messages, retrying (none is)', () => `${campaign}/messages?status=retrying&cursor=${cursor()}`, FLOOR);
await measure('messages, 50 queued', () => `${campaign}/messages?status=queued&cursor=${cursor()}`, FLOOR);
await measure('one message', () => `/v1/messages/${messageIdOf(id, 1 + randomInt(written))}`, FLOOR);

await api.stop();
await analytics.close();
await admin.deleteTopics([deliveries]);
await client.close();
await Promise.all([db.drop(), events.drop()]);
process.stdout.write(`${JSON.stringify({ bench: 'statistics', rows })}\n`);
process.exit(0);
