/**
 * Import, freeze and fan-out of 100,000 people, each beside its floor in the same run: the bare driver inserting the
 * same rows, and bare records of the same size through the producer.
 */
import { randomBytes } from 'node:crypto';
import { createEncoder, DEFAULT_TOPIC_SETTINGS, type Message, topicDefinitions, topicsOf } from '@volley/contract';
import { createFailpoints, createLogger, createMetrics, systemClock } from '@volley/runtime';
import { createKafkaClient } from '@volley/stream/kafka';
import pg from 'pg';
import { v7 } from 'uuid';
import { ndjsonLines } from '../src/adapters/http/import-lines.ts';
import { createCampaignStore } from '../src/adapters/postgres/campaign-store.ts';
import { createContactStore } from '../src/adapters/postgres/contact-store.ts';
import { createFanoutStore } from '../src/adapters/postgres/fanout-store.ts';
import { migrate } from '../src/adapters/postgres/migrations.ts';
import { createPool } from '../src/adapters/postgres/pool.ts';
import { metricCatalogue } from '../src/metrics.ts';
import { commandSide, fanoutSide } from '../src/pipeline.ts';

const PEOPLE = Number(process.argv[2] ?? 100_000);
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
  const note = `${((used.user + used.system) / 1e6).toFixed(2)} s of CPU here`;
  rows.push({ name: what, value: PEOPLE / seconds, unit: 'rows/s', note, ...(floor ? { floor } : {}) });
  return result;
}

const { m: metric } = createMetrics(metricCatalogue, false);
const nothing = () => {};
const common = {
  clock: systemClock,
  log: createLogger(name, 'silent'),
  metric,
  failpoints: createFailpoints(undefined),
  topics,
  partitions: DEFAULT_TOPIC_SETTINGS.partitions,
  providers: [{ name: 'simulated', channel: 'simulated' as const, url: 'simulated:' }],
  wakeRelay: nothing,
  wakeFanout: nothing,
  wakeProgress: nothing,
  wakeRedrive: nothing,
};
const { commands, imports } = commandSide(common, {
  store: createCampaignStore(pool, common.failpoints),
  contacts: createContactStore(pool),
  random: (n) => randomBytes(n),
  newEventId: () => v7(),
});

const person = (i: number) => ({ email: `p${i}@b.example`, name: `Person ${i}`, tags: ['all'], city: '台北' });
await measure('bare insert of the same rows, batches of 5,000', async () => {
  await pool.query(
    'CREATE TABLE bare (id uuid PRIMARY KEY, address text UNIQUE, name text, tags text[], attributes jsonb)',
  );
  for (let i = 0; i < PEOPLE; i += 5_000) {
    const lines = Array.from({ length: Math.min(5_000, PEOPLE - i) }, (_, j) => ({ id: v7(), ...person(i + j) }));
    await pool.query(
      `INSERT INTO bare SELECT id, email, name, tags, json_build_object('city', city)::jsonb
       FROM json_to_recordset($1) AS l(id uuid, email text, name text, tags text[], city text)`,
      [JSON.stringify(lines)],
    );
  }
});
await measure(
  'import of NDJSON lines',
  async () => {
    async function* upload() {
      for (let i = 0; i < PEOPLE; i += 500) {
        const lines = Array.from({ length: Math.min(500, PEOPLE - i) }, (_, j) => `${JSON.stringify(person(i + j))}\n`);
        yield Buffer.from(lines.join(''));
      }
    }
    const report = await imports.run(ndjsonLines(upload()));
    if (!report.ok || report.value.imported !== PEOPLE) throw new Error('import failed');
  },
  'bare insert of the same rows, batches of 5,000',
);

const created = await commands.create({
  name: 'Bench',
  template: 'Hi {{name}}',
  subject: '',
  from: '',
  reply_to: '',
  content_type: 'text/plain',
  channel: 'simulated',
  provider: 'simulated',
  segment_rule: 'all',
  lane: 'bulk',
  rate_per_second: null,
  max_attempts: null,
  expires_at: null,
});
if (!created.ok) throw new Error(created.failure.detail);
const id = (created.value.body as { campaign_id: string }).campaign_id;
await measure('send: freeze of the audience and commit', async () => {
  const sent = await commands.command(id, 'send');
  if (!sent.ok) throw new Error(sent.failure.detail);
});
await pool.query('UPDATE campaigns SET published_version = version');

const producer = await client.producer({ clientId: name });
const encode = createEncoder('Message', 1);
const value = encode({
  message_id: id,
  run: 0,
  tenant_id: 'default',
  campaign_id: id,
  campaign_version: 2,
  ordinal: 1,
  recipient: 'p50000@b.example',
  vars: '{"city": "台北","name":"Person 50000"}',
  tags: ['all'],
  lane: 'bulk',
  queued_at: Date.now(),
  expires_at: null,
} satisfies Message);
await measure('bare records of the same size, batches of 1,000', async () => {
  const batch = Array.from({ length: 1_000 }, () => ({
    topic: topics.messages.transactional,
    partition: 0,
    key: id,
    value,
  }));
  for (let i = 0; i < PEOPLE; i += 1_000) await producer.send(batch);
});
const fanout = fanoutSide(common, {
  store: createFanoutStore(pool, name, systemClock),
  client,
  admin,
  producer,
  encode,
  backlogMark: Number.POSITIVE_INFINITY,
  // Whatever is written has ended: what is measured is the writing, not the window.
  live: {
    tallies: () =>
      new Map([
        [
          0,
          {
            sent: PEOPLE,
            failed: 0,
            dead: 0,
            suppressed: 0,
            cancelled: 0,
            expired: 0,
            retrying: 0,
            redriven: 0,
            surplus: 0,
            firstAtMs: null,
            lastAtMs: null,
          },
        ],
      ]),
    countedTo: () => new Map(),
  },
});
await measure(
  'fan-out of the frozen rows',
  async () => {
    while ((await fanout.round()) === true);
  },
  'bare records of the same size, batches of 1,000',
);
const written = (await admin.logBounds(topics.messages.bulk)).reduce((sum, { start, end }) => sum + end - start, 0);
if (written !== PEOPLE) throw new Error(`${written} messages in the log`);

await admin.deleteTopics(topicDefinitions(topics, DEFAULT_TOPIC_SETTINGS).map((topic) => topic.topic));
await client.close();
await pool.end();
const drop = new pg.Client({ connectionString: base });
await drop.connect();
await drop.query(`DROP DATABASE ${name} WITH (FORCE)`);
await drop.end();
process.stdout.write(`${JSON.stringify({ bench: 'ingest-api', rows })}\n`);
process.exit(0);
