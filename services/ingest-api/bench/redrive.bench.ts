/**
 * Redrive of dead letters: from the marks in Postgres over the letters in the log to their lane, letters a second, beside
 * the same records written bare, in the same run. The index is a list in memory: what ClickHouse takes for a page of it comes
 * on top, once every few thousand letters.
 */
import { randomBytes } from 'node:crypto';
import {
  createDecoder,
  createEncoder,
  DEFAULT_TOPIC_SETTINGS,
  deadLetterOf,
  directMessageIdFrom,
  type Message,
  messageIdOf,
  partitionsOf,
  RECORD_TYPES,
  topicDefinitions,
  topicsOf,
} from '@volley/contract';
import { createFailpoints, createLogger, createMetrics, systemClock } from '@volley/runtime';
import type { OutgoingRecord } from '@volley/stream';
import { createKafkaClient } from '@volley/stream/kafka';
import pg from 'pg';
import { v7 } from 'uuid';
import { createCampaignStore } from '../src/adapters/postgres/campaign-store.ts';
import { createContactStore } from '../src/adapters/postgres/contact-store.ts';
import { migrate } from '../src/adapters/postgres/migrations.ts';
import { createPool } from '../src/adapters/postgres/pool.ts';
import { createRedriveJobs, createRedriveStore } from '../src/adapters/postgres/redrive-store.ts';
import { directSpread } from '../src/core/window.ts';
import type { DeadLetter } from '../src/dead-letter-ports.ts';
import { createLetterReader } from '../src/letters.ts';
import { metricCatalogue } from '../src/metrics.ts';
import { commandSide, redriveSide } from '../src/pipeline.ts';

const LETTERS = Number(process.argv[2] ?? 20_000);
const BATCH = 500;
const name = `bench_${randomBytes(4).toString('hex')}`;
const base = process.env.VOLLEY_TEST_POSTGRES ?? '';
const kafka = process.env.VOLLEY_TEST_KAFKA ?? '';
if (base === '' || kafka === '') throw new Error('VOLLEY_TEST_POSTGRES and VOLLEY_TEST_KAFKA must be set');
const target = new URL(base);
target.pathname = `/${name}`;
await migrate(target.toString());
const url = target.toString();
const pool = createPool({ url, applicationName: name, max: 4, timeoutMs: 60_000, onError: () => {} });
const topics = topicsOf(name);
const { partitions } = DEFAULT_TOPIC_SETTINGS;
const client = createKafkaClient({ brokers: [kafka], clientId: name });
const admin = await client.admin();
await admin.ensureTopics(topicDefinitions(topics, DEFAULT_TOPIC_SETTINGS));
const producer = await client.producer({ clientId: name });

const nothing = () => {};
const random = (n: number) => randomBytes(n);
const common = {
  clock: systemClock,
  log: createLogger(name, 'silent'),
  metric: createMetrics(metricCatalogue, false).m,
  failpoints: createFailpoints(undefined),
  topics,
  partitions,
  providers: [{ name: 'simulated', channel: 'simulated' as const, url: 'simulated:' }],
  wakeRelay: nothing,
  wakeFanout: nothing,
  wakeProgress: nothing,
  wakeRedrive: nothing,
};
const store = createCampaignStore(pool, common.failpoints);
const { commands } = commandSide(common, {
  store,
  contacts: createContactStore(pool),
  random,
  newEventId: () => v7(),
});
const created = await commands.create({
  name: 'bench',
  template: 'Hi {{name}}',
  subject: '',
  from: '',
  reply_to: '',
  content_type: 'text/plain',
  channel: 'simulated',
  provider: 'simulated',
  segment_rule: '',
  lane: 'bulk',
  rate_per_second: null,
  max_attempts: null,
  expires_at: null,
});
if (!created.ok) throw new Error(created.failure.detail);
const campaignId = (created.value.body as { campaign_id: string }).campaign_id;
const opened = await commands.open(campaignId);
if (!opened.ok) throw new Error(opened.failure.detail);

const encode = createEncoder('Message', 1);
const spread = partitionsOf(campaignId, directSpread(partitions), partitions);
const nowMs = Date.now();
const letterOf = (message_id: string, i: number) => {
  const message: Message = {
    message_id,
    run: 0,
    tenant_id: 'default',
    campaign_id: campaignId,
    campaign_version: 2,
    ordinal: 0,
    recipient: `p${i}@b.example`,
    vars: JSON.stringify({ name: `Person ${i}`, city: '台北' }),
    tags: [],
    lane: 'bulk',
    queued_at: nowMs,
    expires_at: null,
  };
  const partition = spread[i % spread.length] as number;
  const key = Buffer.from(campaignId);
  const record = {
    ...{ topic: topics.messages.bulk, partition, offset: i, timestampMs: nowMs, key, value: encode(message) },
    headers: { 'v-message-id': Buffer.from(message.message_id), 'v-campaign-id': key },
  };
  const facts = { reason: 'recipient_refused' as const, attempts: 1, error: '410 no such recipient' };
  return {
    message,
    letter: deadLetterOf(record, topics.dlq, { ...facts, firstFailedAtMs: nowMs, lastFailedAtMs: nowMs }),
  };
};

const rows: { name: string; value: number; unit: string; floor?: string; note?: string }[] = [];
async function measure(what: string, work: () => Promise<void>, floor?: string): Promise<void> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1_000;
  const used = process.cpuUsage(cpu);
  const note = `${seconds.toFixed(1)} s, ${((used.user + used.system) / 1e6).toFixed(2)} s of CPU here`;
  rows.push({ name: what, value: LETTERS / seconds, unit: 'letters/s', note, ...(floor ? { floor } : {}) });
}

/** Dead letters in the log, in the order in which they failed; and the list of them in the order of an index. */
async function fail(idOf: (i: number) => string): Promise<{ index: DeadLetter[]; letters: OutgoingRecord[] }> {
  const index: DeadLetter[] = [];
  const letters: OutgoingRecord[] = [];
  for (let i = 0; i < LETTERS; i += BATCH) {
    const some = Array.from({ length: Math.min(BATCH, LETTERS - i) }, (_, n) => letterOf(idOf(i + n), i + n));
    const acks = await producer.send(some.map(({ letter }) => letter));
    for (const [n, { message, letter }] of some.entries()) {
      const { partition, offset } = acks[n] as (typeof acks)[number];
      letters.push(letter);
      index.push({
        ...{
          message_id: message.message_id,
          campaign_id: campaignId,
          run: 0,
          ordinal: 0,
          recipient: message.recipient,
        },
        ...{ kind: 'failed', reason: 'recipient_refused', detail: '', attempts: 1, occurredAtMs: nowMs },
        place: { partition, offset },
      });
    }
  }
  index.sort((a, b) => (a.message_id < b.message_id ? -1 : 1));
  return { index, letters };
}

const FLOOR = `an event and a message each, bare, batches of ${BATCH}`;
const schemas = { get: () => RECORD_TYPES.Message, load: async () => {} };
for (const [what, idOf] of [
  ['of a campaign', (i: number) => messageIdOf(campaignId, i + 1)],
  ['of direct messages', () => directMessageIdFrom(campaignId, random(8))],
] as const) {
  const { index, letters } = await fail(idOf);
  if (rows.length === 0)
    await measure(FLOOR, async () => {
      for (let i = 0; i < LETTERS; i += BATCH) {
        const some = letters.slice(i, i + BATCH);
        await producer.send(some.map((letter) => ({ ...letter, topic: topics.deliveries })));
        await producer.send(some.map((letter) => ({ ...letter, topic: topics.messages.bulk })));
      }
    });
  const redrive = redriveSide(common, {
    store: createRedriveStore(pool, { ...common, owner: name, topic: topics.deliveries }),
    index: {
      async page({ after, limit }) {
        const from = after === undefined ? 0 : index.findIndex((letter) => letter.message_id > after.message_id);
        return from < 0 ? [] : index.slice(from, from + limit);
      },
      find: async () => undefined,
      expired: async () => [],
    },
    read: createLetterReader(client, topics.dlq),
    frozen: { byOrdinals: async () => [] },
    producer,
    commands: {
      ...commands,
      // There is no relay here: what it would publish counts as published.
      async reopen(id, redriveId) {
        const result = await commands.reopen(id, redriveId);
        await pool.query('UPDATE campaigns SET published_version = version');
        return result;
      },
    },
    decode: createDecoder('Message', schemas),
    loadSchema: async () => {},
    encode,
    encodeEvent: createEncoder('DeliveryEvent', 2),
  });
  const jobs = createRedriveJobs(pool);
  const redrive_id = v7();
  await measure(
    `redrive ${what}`,
    async () => {
      await jobs.create({
        ...{ redrive_id, tenant_id: 'default', action: 'redrive', filter: {}, limit: null, rate_per_second: null },
        ...{ reason_text: '', createdAtMs: Date.now(), matched: LETTERS, matchedAtLeast: false },
      });
      while ((await jobs.find('default', redrive_id))?.status === 'running') await redrive.round();
    },
    FLOOR,
  );
  const job = await jobs.find('default', redrive_id);
  if (job?.redriven !== LETTERS) throw new Error(JSON.stringify(job));
  await redrive.release();
}

await admin.deleteTopics(topicDefinitions(topics, DEFAULT_TOPIC_SETTINGS).map((d) => d.topic));
await client.close();
await pool.end();
const drop = new pg.Client({ connectionString: base });
await drop.connect();
await drop.query(`DROP DATABASE ${name} WITH (FORCE)`);
await drop.end();
process.stdout.write(`${JSON.stringify({ bench: 'redrive', rows })}\n`);
process.exit(0);
