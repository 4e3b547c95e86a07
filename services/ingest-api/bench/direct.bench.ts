/**
 * Direct messages through HTTP: NDJSON lines a second beside stock kafkajs with the same bytes, in the same run, and the time from
 * request to answer of single messages at steady rates. The API alone: nobody sends what it takes (`bench -- singles` has all of it).
 */
import { execFile, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  createEncoder,
  DEFAULT_TOPIC_SETTINGS,
  type Message,
  partitionsOf,
  topicDefinitions,
  topicsOf,
} from '@volley/contract';
import { createFailpoints, createLogger, createMetrics, systemClock } from '@volley/runtime';
import { createKafkaClient } from '@volley/stream/kafka';
import pg from 'pg';
import { v7 } from 'uuid';
import { createKeyCheck } from '../src/adapters/http/auth.ts';
import { directHandlers } from '../src/adapters/http/direct-handlers.ts';
import { startHttp } from '../src/adapters/http/server.ts';
import { createCampaignStore } from '../src/adapters/postgres/campaign-store.ts';
import { createContactStore } from '../src/adapters/postgres/contact-store.ts';
import { createDirectStore } from '../src/adapters/postgres/direct-store.ts';
import { migrate } from '../src/adapters/postgres/migrations.ts';
import { createPool } from '../src/adapters/postgres/pool.ts';
import { directSpread } from '../src/core/window.ts';
import { metricCatalogue } from '../src/metrics.ts';
import { commandSide, directSide } from '../src/pipeline.ts';

const LINES = Number(process.argv[2] ?? 100_000);
/** Single messages must reach the last of them, and be answered quickly at half of that. */
const SINGLES = (process.argv[3] ?? '200,1500,3000').split(',').map(Number);
const WARM_UP = 10_000;
const BATCH = 1_000;
const SECONDS = 10;
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
  max: 10,
  timeoutMs: 60_000,
  onError: () => {},
});
const topics = topicsOf(name);
const client = createKafkaClient({ brokers: [kafka], clientId: name });
const admin = await client.admin();
await admin.ensureTopics(topicDefinitions(topics, DEFAULT_TOPIC_SETTINGS));
const producer = await client.producer({ clientId: name });

const FLOOR = 'bare kafkajs, the same bytes, batches of 1,000';
const rows: { name: string; value: number; unit: string; floor?: string; note?: string }[] = [];
function lines(name: string, seconds: number, cpuSeconds: number, floor?: string): void {
  const note = `${cpuSeconds.toFixed(2)} s of CPU there`;
  rows.push({ name, value: LINES / seconds, unit: 'lines/s', note, ...(floor ? { floor } : {}) });
}
async function measure(what: string, work: () => Promise<void>): Promise<void> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1_000;
  const used = process.cpuUsage(cpu);
  lines(what, seconds, (used.user + used.system) / 1e6, FLOOR);
}

const nothing = () => {};
const random = (n: number) => randomBytes(n);
const common = {
  clock: systemClock,
  log: createLogger(name, 'silent'),
  metric: createMetrics(metricCatalogue, false).m,
  failpoints: createFailpoints(undefined),
  topics,
  partitions: DEFAULT_TOPIC_SETTINGS.partitions,
  providers: [{ name: 'simulated', channel: 'simulated' as const, url: 'simulated:' }],
  wakeRelay: nothing,
  wakeFanout: nothing,
  wakeProgress: nothing,
  wakeRedrive: nothing,
};
const store = createCampaignStore(pool, common.failpoints);
const contacts = createContactStore(pool);
const { commands } = commandSide(common, { store, contacts, random, newEventId: () => v7() });
const encode = createEncoder('Message', 1);
const { direct } = directSide(common, {
  ...{ campaigns: store, contacts, commands, client, producer, admin, encode, random },
  store: createDirectStore(pool, common.failpoints),
  dispatchers: name,
  backlogMark: Number.POSITIVE_INFINITY,
});
const http = await startHttp({
  host: '127.0.0.1',
  port: 0,
  handlers: directHandlers({ direct }) as never,
  allowed: createKeyCheck(['key']),
  log: common.log,
  answered: nothing,
  stopping: () => false,
});

async function draft(): Promise<string> {
  const content = {
    name: 'bench',
    template: 'Hi {{name}}',
    subject: '',
    from: '',
    reply_to: '',
    content_type: 'text/plain',
    channel: 'simulated',
    provider: 'simulated',
    segment_rule: '',
    lane: 'bulk' as const,
    rate_per_second: null,
    max_attempts: null,
    expires_at: null,
  };
  const created = await commands.create(content);
  if (!created.ok) throw new Error(created.failure.detail);
  return (created.value.body as { campaign_id: string }).campaign_id;
}

const agent = new Agent({ keepAlive: true, maxSockets: 256 });
function post(id: string, type: string, body: Buffer): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: 'Bearer key', 'content-type': type, 'content-length': body.length };
    const options = { port: http.port, path: `/v1/campaigns/${id}/messages`, method: 'POST', headers, agent };
    const req = request(options, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      res.on('end', () => resolve({ status: res.statusCode ?? 0, text }));
    });
    req.on('error', reject);
    req.end(body);
  });
}

const person = (i: number) => ({ to: `p${i}@b.example`, vars: { name: `Person ${i}`, city: '台北' } });
const spread = partitionsOf(v7(), directSpread(common.partitions), common.partitions);
function recordsOfOneBatch() {
  const message: Message = {
    message_id: v7(),
    run: 0,
    tenant_id: 'default',
    campaign_id: v7(),
    campaign_version: 2,
    ordinal: 0,
    recipient: 'p50000@b.example',
    vars: JSON.stringify(person(50_000).vars),
    tags: [],
    lane: 'bulk',
    queued_at: Date.now(),
    expires_at: null,
  };
  const { message_id, campaign_id } = message;
  const value = encode(message);
  const headers = {
    'v-message-id': message_id,
    'v-tenant-id': 'default',
    'v-campaign-id': campaign_id,
    'v-lane': 'bulk',
  };
  return Array.from({ length: BATCH }, (_, i) => {
    const partition = spread[i % spread.length] as number;
    return { partition, key: campaign_id, value, headers };
  });
}
const topic = topics.messages.bulk;
const records = recordsOfOneBatch();
const [batches, warmUpBatches] = [LINES / BATCH, WARM_UP / BATCH];
const bare = fork(join(import.meta.dirname, '../../../packages/stream/bench/bare-produce.ts'), {
  serialization: 'advanced',
});
bare.send({ broker: kafka, topic, records, batches, warmUpBatches });
const ended = once(bare, 'exit').then(([code]) => Promise.reject(new Error(`bare kafkajs ended with ${code}`)));
ended.catch(() => {});
const [{ seconds, cpuSeconds }] = (await Promise.race([once(bare, 'message'), ended])) as [
  { seconds: number; cpuSeconds: number },
];
lines(FLOOR, seconds, cpuSeconds);
const ours = records.map((record) => ({ ...record, topic }));
for (let i = 0; i < warmUpBatches; i++) await producer.send(ours);
await measure('the same through our own producer', async () => {
  for (let i = 0; i < batches; i++) await producer.send(ours);
});
async function postLines(id: string, count: number, named: boolean): Promise<() => Promise<void>> {
  const text = Array.from({ length: count }, (_, i) =>
    JSON.stringify(named ? { id: `order-${i}`, ...person(i) } : person(i)),
  );
  const body = Buffer.from(`${text.join('\n')}\n`);
  return async () => {
    const answer = await post(id, 'application/x-ndjson', body);
    if (answer.status !== 200) throw new Error(answer.text);
  };
}
for (const [what, named] of [
  ['NDJSON with ids', true],
  ['NDJSON without ids', false],
] as const) {
  await (await postLines(await draft(), WARM_UP, named))();
  const send = await postLines(await draft(), LINES, named);
  await measure(what, send);
  if (named) await measure('the same body again: nothing is new', send);
}

/** The time counts from when a call was meant to begin: a slow answer does not make room for itself. */
async function atRate(
  what: string,
  perSecond: number,
  call: (i: number) => Promise<void>,
  floor?: string,
): Promise<void> {
  const times: number[] = [];
  const calls: Promise<void>[] = [];
  const began = performance.now();
  for (let i = 0; i < perSecond * SECONDS; i++) {
    const atMs = began + (i * 1_000) / perSecond;
    while (performance.now() < atMs) await new Promise((resolve) => setTimeout(resolve, 1));
    calls.push(call(i).then(() => void times.push(performance.now() - atMs)));
  }
  await Promise.all(calls);
  times.sort((a, b) => a - b);
  for (const p of [50, 99]) {
    const value = times[Math.ceil((times.length * p) / 100) - 1] as number;
    rows.push({ name: `${what}, p${p}`, value, unit: 'ms', ...(floor ? { floor: `${floor}, p${p}` } : {}) });
  }
}
await pool.query('CREATE TABLE bare (id uuid PRIMARY KEY)');
for (const perSecond of SINGLES) {
  const floor = `one insert and one record at ${perSecond}/s`;
  await atRate(floor, perSecond, async () => {
    await pool.query('INSERT INTO bare VALUES ($1)', [v7()]);
    const headers = {
      'v-message-id': v7(),
      'v-tenant-id': 'default',
      'v-campaign-id': v7(),
      'v-lane': 'transactional',
    };
    const record = { topic: topics.messages.transactional, partition: 0, key: v7(), value: Buffer.alloc(200), headers };
    await producer.send([record]);
  });
}
const OPEN_LOOP = join(import.meta.dirname, 'open-loop.ts');
for (const perSecond of SINGLES)
  for (const named of [true, false]) {
    const path = `/v1/campaigns/${await draft()}/messages`;
    const asked = JSON.stringify({ port: http.port, path, perSecond, seconds: SECONDS, named });
    const cpu = process.cpuUsage();
    const { stdout } = await promisify(execFile)(process.execPath, [OPEN_LOOP, asked]);
    const { user, system } = process.cpuUsage(cpu);
    const said = JSON.parse(stdout) as { p50: number; p99: number; perSecond: number };
    const what = `single messages${named ? ' with ids' : ''}, ${perSecond} a second`;
    const cpuNote = `${((user + system) / (perSecond * (SECONDS + 5))).toFixed(0)} µs of CPU each in the API's process`;
    rows.push({ name: `${what}: answered`, value: said.perSecond, unit: 'msg/s', note: cpuNote });
    for (const p of ['p50', 'p99'] as const) {
      const floor = `one insert and one record at ${perSecond}/s, ${p}`;
      const isThere = rows.some(({ name }) => name === floor);
      rows.push({ name: `${what}: answer after, ${p}`, value: said[p], unit: 'ms', ...(isThere ? { floor } : {}) });
    }
  }

await http.stop(1_000);
agent.destroy();
await admin.deleteTopics(topicDefinitions(topics, DEFAULT_TOPIC_SETTINGS).map((d) => d.topic));
await client.close();
await pool.end();
const drop = new pg.Client({ connectionString: base });
await drop.connect();
await drop.query(`DROP DATABASE ${name} WITH (FORCE)`);
await drop.end();
process.stdout.write(`${JSON.stringify({ bench: 'direct', rows })}\n`);
process.exit(0);
