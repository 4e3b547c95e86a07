/**
 * Progress of a million delivery events over 12 partitions: counting them, and reading them again as the window of the
 * repeat rule, as whoever takes the partitions over does. Beside each the floor of the same run: reading the same records.
 */
import { randomBytes } from 'node:crypto';
import {
  createDecoder,
  createEncoder,
  DEFAULT_TOPIC_SETTINGS,
  messageIdOf,
  RECORD_TYPES,
  topicDefinitions,
  topicsOf,
} from '@volley/contract';
import { createFailpoints, createLogger, createMetrics, systemClock } from '@volley/runtime';
import { createConsumerLoop } from '@volley/stream';
import { createKafkaClient } from '@volley/stream/kafka';
import pg from 'pg';
import { migrate } from '../src/adapters/postgres/migrations.ts';
import { createPool } from '../src/adapters/postgres/pool.ts';
import { createProgressStore } from '../src/adapters/postgres/progress-store.ts';
import { createEventDecoder } from '../src/event-decoder.ts';
import { metricCatalogue } from '../src/metrics.ts';
import { createProgress } from '../src/progress.ts';
import { createRepeatWindows } from '../src/repeat-windows.ts';

const EVENTS = Number(process.argv[2] ?? 1_000_000);
const name = `bench_${randomBytes(4).toString('hex')}`;
const base = process.env.VOLLEY_TEST_POSTGRES ?? '';
const kafka = process.env.VOLLEY_TEST_KAFKA ?? '';
if (base === '' || kafka === '') throw new Error('VOLLEY_TEST_POSTGRES and VOLLEY_TEST_KAFKA must be set');
const target = new URL(base);
target.pathname = `/${name}`;
await migrate(target.toString());
const pool = createPool({
  url: target.toString(),
  applicationName: name,
  max: 4,
  timeoutMs: 60_000,
  onError: () => {},
});
const topics = topicsOf(name);
const { partitions } = DEFAULT_TOPIC_SETTINGS;
const client = createKafkaClient({ brokers: [kafka], clientId: name });
const admin = await client.admin();
await admin.ensureTopics(topicDefinitions(topics, DEFAULT_TOPIC_SETTINGS));

const rows: { name: string; value: number; unit: string; floor?: string; note?: string }[] = [];
async function measure<T>(what: string, work: () => Promise<T>, floor?: string): Promise<T> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  const result = await work();
  const seconds = (performance.now() - began) / 1_000;
  const used = process.cpuUsage(cpu);
  const note = `${seconds.toFixed(1)} s, ${((used.user + used.system) / 1e6).toFixed(2)} s of CPU here`;
  rows.push({ name: what, value: EVENTS / seconds, unit: 'events/s', note, ...(floor ? { floor } : {}) });
  return result;
}

const CAMPAIGN = '01a1fdc2-e2c6-780b-84ec-2fe500000000';
await pool.query(
  `INSERT INTO campaigns (campaign_id, tenant_id, version, status, expected, state) VALUES ($1, 'default', 2, 'running', $2, '{}')`,
  [CAMPAIGN, EVENTS],
);
const SCHEMA_ID = 1;
const encode = createEncoder('DeliveryEvent', SCHEMA_ID);
const producer = await client.producer({ clientId: name });
const eventOf = (ordinal: number) =>
  encode({
    message_id: messageIdOf(CAMPAIGN, ordinal),
    run: 0,
    tenant_id: 'default',
    campaign_id: CAMPAIGN,
    ordinal,
    recipient: `person${ordinal}@example.org`,
    kind: 'sent',
    previous_kind: null,
    attempt: 1,
    deferrals: 0,
    tier: '',
    lane: 'bulk',
    channel: 'simulated',
    provider: 'simulated',
    reason: '',
    detail: 'accepted by the simulated provider',
    queued_at: 1_795_000_000_000,
    occurred_at: 1_795_000_000_100,
    provider_ms: 10,
    e2e_ms: 100,
    dlq_partition: null,
    dlq_offset: null,
  });
for (let at = 0; at < EVENTS; at += 1_000) {
  const batch = Array.from({ length: Math.min(1_000, EVENTS - at) }, (_, i) => ({
    topic: topics.deliveries,
    partition: (at / 1_000) % partitions,
    key: CAMPAIGN,
    value: eventOf(at + i + 1),
  }));
  await producer.send(batch);
}

const bounds = await admin.logBounds(topics.deliveries);
let read = 0;
await measure('bare read of the same records', async () => {
  const ranges = bounds.map(({ end }, partition) => ({ topic: topics.deliveries, partition, from: 0, to: end }));
  await client.readRanges({ ranges, onRecord: () => void read++ });
});
if (read !== EVENTS) throw new Error(`${read} records read`);

const decode = createDecoder('DeliveryEvent', { get: () => RECORD_TYPES.DeliveryEvent, load: async () => {} });
const loadSchema = async () => {};
const decoder = createEventDecoder({ decode, loadSchema, monotonicMs: systemClock.monotonicMs });
await measure(
  'the windows of 12 partitions, read again',
  async () => {
    const windows = createRepeatWindows({ topic: topics.deliveries, client, decoder });
    for (let at = 0; at < partitions; at += 4) {
      const some = bounds.slice(at, at + 4).map(({ start, end }, i) => windows.upTo(at + i, start, end));
      await Promise.all(some);
    }
  },
  'bare read of the same records',
);

const { m: metric } = createMetrics(metricCatalogue, false);
let done = () => {};
const completed = new Promise<void>((resolve) => {
  done = resolve;
});
const fatal = (error: Error) => {
  throw error;
};
const progress = createProgress({
  topic: topics.deliveries,
  store: createProgressStore(pool, createFailpoints(undefined)),
  client,
  admin,
  decode,
  loadSchema,
  settle: (tracked) => loop.settle(tracked),
  complete: async () => done(),
  clock: systemClock,
  failpoints: createFailpoints(undefined),
  metric,
  log: createLogger(name, 'silent'),
  fatal,
  wake: () => {},
  moved: () => {},
});
const loop = createConsumerLoop({
  client,
  groupId: name,
  topics: [topics.deliveries],
  clientId: `${name}-progress`,
  minBytes: 64 * 1024,
  maxWaitMs: 100,
  handler: progress.handler,
});
await loop.start();
let over = false;
void completed.then(() => {
  over = true;
});
await measure(
  'progress: counted, saved, and the campaign found complete',
  async () => {
    while (!over) if (!(await progress.round())) await new Promise((resolve) => setTimeout(resolve, 5));
  },
  'bare read of the same records',
);

await loop.stop(0);
await admin.deleteTopics(topicDefinitions(topics, DEFAULT_TOPIC_SETTINGS).map((topic) => topic.topic));
await client.close();
await pool.end();
const drop = new pg.Client({ connectionString: base });
await drop.connect();
await drop.query(`DROP DATABASE ${name} WITH (FORCE)`);
await drop.end();
process.stdout.write(`${JSON.stringify({ bench: 'progress', rows })}\n`);
process.exit(0);
