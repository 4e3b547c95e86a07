import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createEncoder, DEFAULT_TOPIC_SETTINGS, groupsOf, topicDefinitions, topicsOf } from '@volley/contract';
import { createRegistry } from '@volley/contract/registry';
import { NODE_ARGS } from '@volley/runtime/node-args';
import { createKafkaClient } from '@volley/stream/kafka';
import test, { type ExecutionContext } from 'ava';
import { createTestDatabase, type TestDatabase } from './clickhouse.ts';
import { event, newCampaignId, until } from './support.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const PARTITIONS = 3;

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the tests with \`npm test\``);
  return value;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

interface Place {
  readonly db: TestDatabase;
  readonly campaign: string;
  start(
    env?: Record<string, string>,
  ): Promise<{ child: ChildProcess; ready(): Promise<{ status: number; body: string }>; metrics(): Promise<string> }>;
  produce(ordinals: readonly number[], partition: number): Promise<void>;
  produceRaw(value: Buffer, partition: number): Promise<void>;
  audit(): Promise<Record<string, number>>;
  committed(): Promise<number>;
}

/** Its own topics, group and database on the real stores. */
async function place(t: ExecutionContext): Promise<Place> {
  const namespace = `sink-${randomUUID().slice(0, 8)}`;
  const topics = topicsOf(namespace);
  const brokers = [required('VOLLEY_TEST_KAFKA')];
  const db = await createTestDatabase();
  const stream = createKafkaClient({ brokers, clientId: `${namespace}-test` });
  const admin = await stream.admin();
  const wanted = new Set([topics.deliveries, topics.deliveriesDlq]);
  const specs = topicDefinitions(topics, { ...DEFAULT_TOPIC_SETTINGS, partitions: PARTITIONS });
  await admin.ensureTopics(specs.filter(({ topic }) => wanted.has(topic)));
  const registry = createRegistry({
    url: required('VOLLEY_TEST_REGISTRY'),
    clientId: namespace,
    nowMs: () => performance.now(),
  });
  const ids = await registry.registerAll(topics);
  const encode = createEncoder(
    'DeliveryEvent',
    ids.find(({ subject }) => subject.startsWith(`${topics.deliveries}-`))?.id as number,
  );
  const producer = await stream.producer({ clientId: `${namespace}-test-producer` });
  const campaign = newCampaignId();
  const children: ChildProcess[] = [];
  t.teardown(async () => {
    for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await admin.deleteTopics([...wanted]);
    await stream.close();
    await db.drop();
  });
  const send = async (values: readonly Buffer[], partition: number) => {
    await producer.send(values.map((value) => ({ topic: topics.deliveries, partition, key: campaign, value })));
  };
  return {
    db,
    campaign,
    async start(env = {}) {
      const port = await freePort();
      const child = spawn(process.execPath, [...NODE_ARGS, main], {
        env: {
          ...process.env,
          VOLLEY_KAFKA_BROKERS: brokers.join(','),
          VOLLEY_REGISTRY_URL: required('VOLLEY_TEST_REGISTRY'),
          VOLLEY_CLICKHOUSE_URL: db.url,
          VOLLEY_CLICKHOUSE_DATABASE: db.name,
          VOLLEY_NAMESPACE: namespace,
          VOLLEY_ADMIN_PORT: String(port),
          VOLLEY_LOG_LEVEL: 'warn',
          VOLLEY_SINK_LINGER_MS: '100',
          ...env,
        },
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      children.push(child);
      const get = async (path: string) => {
        try {
          const answer = await fetch(`http://127.0.0.1:${port}${path}`);
          return { status: answer.status, body: await answer.text() };
        } catch {
          return { status: 0, body: '' };
        }
      };
      return { child, ready: () => get('/readyz'), metrics: async () => (await get('/metrics')).body };
    },
    produce: (ordinals, partition) =>
      send(
        ordinals.map((ordinal) => encode(event(ordinal, { campaign_id: campaign }))),
        partition,
      ),
    produceRaw: (value, partition) => send([value], partition),
    async audit() {
      const [row] = await db.rows<Record<string, unknown>>(
        `SELECT * FROM campaign_audit WHERE campaign_id = '${campaign}'`,
      );
      return Object.fromEntries(Object.entries(row ?? {}).map(([name, value]) => [name, Number(value)]));
    },
    committed: async () =>
      (await admin.committed(groupsOf(namespace).sink, topics.deliveries)).reduce(
        (sum, { offset }) => sum + Math.max(0, offset),
        0,
      ),
  };
}

const ordinals = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

test('events reach ClickHouse, a stop commits them, and the next process adds nothing', async (t) => {
  const p = await place(t);
  const first = await p.start();
  await p.produce(ordinals(1, 1_501), 0);
  await p.produce(ordinals(2_001, 2_501), 2);
  await p.produceRaw(Buffer.from('not avro'), 2);
  await p.produce(ordinals(3_001, 3_011), 2);
  await until('all rows are there', async () => (await p.audit()).raw_rows === 2_010);
  await until('it is ready', async () => (await first.ready()).status === 200);
  // The rows can be seen before their insert was answered.
  await until('all rows are counted', async () => /^volley_sink_rows_total 2010$/m.test(await first.metrics()));
  const metrics = await first.metrics();
  t.regex(metrics, /^volley_sink_undecodable_total\{reason="undecodable"\} 1$/m);

  // What is in memory at the signal is inserted and committed before the process ends.
  first.child.kill('SIGTERM');
  const [code] = await once(first.child, 'exit');
  t.is(code, 0);
  t.is(await p.committed(), 2_011);

  const second = await p.start();
  await p.produce(ordinals(4_001, 4_011), 1);
  await until('the new ones are there', async () => (await p.audit()).raw_rows === 2_020);
  second.child.kill('SIGTERM');
  await once(second.child, 'exit');
  const audit = await p.audit();
  t.like(audit, { raw_rows: 2_020, log_records: 2_020, messages: 2_020, doubled_rows: 0 });
});

for (const failpoint of ['sink.afterPlan:kill:2', 'sink.beforeInsert:kill:2', 'sink.afterInsert:kill:2']) {
  test(`SIGKILL at ${failpoint}: the next process has every record once, also where it would cut otherwise`, async (t) => {
    const p = await place(t);
    const first = await p.start({ VOLLEY_FAILPOINTS: failpoint });
    const ended = once(first.child, 'exit');
    await p.produce(ordinals(1, 1_001), 0);
    await p.produce(ordinals(1_001, 2_001), 1);
    const [, signal] = await ended;
    t.is(signal, 'SIGKILL');
    await p.start({ VOLLEY_SINK_MAX_ROWS: '333' });
    await until('every record is committed', async () => (await p.committed()) === 2_000, 90_000);
    const exactly = { raw_rows: 2_000, log_records: 2_000, doubled_rows: 0 };
    t.like(await p.audit(), { ...exactly, messages: 2_000, ended_runs: 2_000, repeated_ends: 0 });
    const [minutes] = await p.db.rows<{ n: string }>('SELECT sum(events) AS n FROM delivery_by_minute');
    t.is(Number(minutes?.n), 2_000);
    const [stats] = await p.db.rows<{ sent: string; terminal: string }>(
      `SELECT sent, terminal FROM campaign_stats WHERE campaign_id = '${p.campaign}'`,
    );
    t.deepEqual([Number(stats?.sent), Number(stats?.terminal)], [2_000, 2_000]);
  });
}

test('without tables nothing is committed or given up; once they are there, everything arrives', async (t) => {
  const p = await place(t);
  await p.db.client.command({ query: 'RENAME TABLE delivery_raw TO hidden' });
  const sink = await p.start({ VOLLEY_SINK_UNREADY_AFTER_MS: '50', VOLLEY_LOG_LEVEL: 'silent' });
  await p.produce(ordinals(1, 101), 0);
  await until('readiness names the insert', async () => (await sink.ready()).body.includes('insert 0 [0, '));
  t.is(await p.committed(), 0);
  await p.db.client.command({ query: 'RENAME TABLE hidden TO delivery_raw' });
  await until('all rows are there', async () => (await p.audit()).raw_rows === 100);
  await until('it is ready again', async () => (await sink.ready()).status === 200);
  sink.child.kill('SIGTERM');
  await once(sink.child, 'exit');
  t.is(await p.committed(), 100);
});

test('a configuration that is wrong in two places says both and ends with 2', async (t) => {
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env.PATH, VOLLEY_SINK_MAX_ROWS: '0', VOLLEY_ADMIN_PORT: 'x' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (chunk) => {
    said += chunk;
  });
  const [code] = await once(child, 'exit');
  t.is(code, 2);
  t.regex(said, /VOLLEY_SINK_MAX_ROWS is below 1/);
  t.regex(said, /VOLLEY_ADMIN_PORT is not a number/);
});
