/**
 * The whole path: VOLLEY_BENCH_MESSAGES (100,000) messages from `send` to the last event queryable, VOLLEY_BENCH_RUNS (3)
 * times, the median shown; CPU seconds and peak memory of each process in the median run; and in the same run the floors:
 * bare kafkajs producing and consuming the same message bytes, and the bare engine taking the same rows.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createClient } from '@clickhouse/client';
import { topicsOf } from '@volley/contract';
import kafkajs from 'kafkajs';
import { type CampaignView, createApi } from '../src/api.ts';
import { reportOf, watch } from '../src/campaign-run.ts';
import { peopleNdjson } from '../src/people.ts';
import { startPlatform } from '../src/platform.ts';
import type { Report } from '../src/report.ts';

const N = Number(process.env.VOLLEY_BENCH_MESSAGES ?? 100_000);
const RUNS = Number(process.env.VOLLEY_BENCH_RUNS ?? 3);
const TICKS_PER_S = 100;
const OURS: ReadonlySet<string> = new Set(['ingest-api', 'dispatcher', 'sink']);
const BARE_MEMORY = 'bare kafkajs, read and write: peak memory';

function need(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run this through npm run bench`);
  return value;
}

/** User and system CPU seconds, and peak resident MiB, of a process and its children (Postgres has many). */
function usage(pid: number): { cpuS: number; peakMiB: number } {
  let cpuS = 0;
  let peakMiB = 0;
  const parentOf = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      parentOf.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // Ended while we looked.
    }
  }
  for (const candidate of parentOf.keys()) {
    let at: number | undefined = candidate;
    while (at !== undefined && at !== pid) at = parentOf.get(at);
    if (at !== pid) continue;
    try {
      const stat = readFileSync(`/proc/${candidate}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      cpuS += (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
      const status = readFileSync(`/proc/${candidate}/status`, 'utf8');
      peakMiB += Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024;
    } catch {
      // Ended while we looked.
    }
  }
  return { cpuS, peakMiB };
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const startedMs = performance.now();
  await work();
  return (performance.now() - startedMs) / 1_000;
};

const external = {
  kafka: need('VOLLEY_TEST_KAFKA'),
  registry: need('VOLLEY_TEST_REGISTRY'),
  postgres: need('VOLLEY_TEST_POSTGRES'),
  clickhouse: need('VOLLEY_TEST_CLICKHOUSE'),
};
const temp = join(need('VOLLEY_TEST_TEMP'), 'end-to-end');
const namespace = 'bench';
const platform = await startPlatform({
  root: temp,
  dataDir: join(temp, 'data'),
  logDir: join(temp, 'logs'),
  cacheDir: temp,
  anyPorts: true,
  external,
  env: { VOLLEY_NAMESPACE: namespace },
  log: () => {},
  onCrash: () => {},
});

try {
  const stack = platform.describe();
  const api = createApi(stack.api, stack.api_key);
  const storePids = JSON.parse(need('VOLLEY_TEST_PIDS')) as Record<string, number>;
  const pids = { ...storePids, ...(stack.pids as Record<string, number>) };
  const importS = await seconds(() =>
    api.upload('/v1/contacts/import', 'application/x-ndjson', peopleNdjson(N, 'bench')),
  );

  const runs: { report: Report; cpu: Record<string, number> }[] = [];
  for (let i = 0; i < RUNS; i++) {
    const campaign = await api.request<CampaignView>('POST', '/v1/campaigns', {
      name: `bench ${i}`,
      template: 'Hi {{name}} from {{city}}',
      segment_rule: 'bench',
    });
    const before = Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, usage(pid).cpuS]));
    const sentAtMs = performance.now();
    await api.request('POST', `/v1/campaigns/${campaign.campaign_id}/send`);
    const end = await watch(api, campaign.campaign_id, { stallMs: 60_000 });
    const report = await reportOf(api, stack, campaign.campaign_id, sentAtMs, end);
    if (!report.accounted) throw new Error(`run ${i} is not accounted for: ${JSON.stringify(report.stored)}`);
    runs.push({
      report,
      cpu: Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, usage(pid).cpuS - (before[name] ?? 0)])),
    });
    process.stderr.write(
      `run ${i + 1}: ${report.seconds.toFixed(2)} s, ${Math.round(report.messages_per_second)} msg/s\n`,
    );
  }
  const middle = median(runs.map((r) => r.report.seconds));
  const chosen = runs.find((r) => r.report.seconds === middle) ?? runs[0];
  if (!chosen) throw new Error('no run');
  const memory = Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, usage(pid).peakMiB]));

  // Floors. The same message bytes as fan-out wrote, read back once.
  const topics = topicsOf(namespace);
  const kafka = new kafkajs.Kafka({
    clientId: 'bench-floor',
    brokers: [external.kafka],
    logLevel: kafkajs.logLevel.ERROR,
  });
  const values: { value: Buffer; partition: number; key: Buffer | null }[] = [];
  const consumeS = await (async () => {
    const consumer = kafka.consumer({ groupId: 'bench-floor', maxWaitTimeInMs: 100 });
    await consumer.connect();
    await consumer.subscribe({ topic: topics.messages.bulk, fromBeginning: true });
    let startedMs = 0;
    const read = await new Promise<number>((resolve, reject) => {
      consumer
        .run({
          autoCommit: false,
          eachBatch: async ({ batch }) => {
            if (startedMs === 0) startedMs = performance.now();
            for (const m of batch.messages)
              if (values.length < N && m.value) values.push({ value: m.value, partition: batch.partition, key: m.key });
            if (values.length >= N) resolve((performance.now() - startedMs) / 1_000);
          },
        })
        .catch(reject);
    });
    await consumer.disconnect();
    return read;
  })();
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'bench.floor', numPartitions: 12, replicationFactor: 1 }] });
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  const produceS = await seconds(async () => {
    for (let i = 0; i < values.length; i += 1_000) {
      await producer.sendBatch({
        acks: -1,
        topicMessages: [{ topic: 'bench.floor', messages: values.slice(i, i + 1_000) }],
      });
    }
  });
  await producer.disconnect();
  await admin.createTopics({ topics: [{ topic: 'bench.copy', numPartitions: 12, replicationFactor: 1 }] });
  await admin.disconnect();
  const copier = join(import.meta.dirname, 'bare-copy.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['--disable-warning=TimeoutNegativeWarning', copier],
    ...[external.kafka, topics.messages.bulk, 'bench.copy', String(N * RUNS)],
  ]);
  const bareMib = (JSON.parse(stdout) as { peakMib: number }).peakMib;

  const clickhouse = createClient({ url: external.clickhouse, database: 'volley', request_timeout: 120_000 });
  const events = N + chosen.report.stored.retries;
  const rowsAnswer = await clickhouse.query({
    query: `SELECT * FROM delivery_raw LIMIT ${events}`,
    format: 'JSONCompactEachRow',
  });
  const rows = (await rowsAnswer.text()).trim().split('\n');
  await clickhouse.command({ query: 'CREATE TABLE bench_floor AS delivery_raw' });
  const insertS = await seconds(async () => {
    for (let i = 0; i < rows.length; i += 50_000) {
      await clickhouse.command({
        query: `INSERT INTO bench_floor FORMAT JSONCompactEachRow\n${rows.slice(i, i + 50_000).join('\n')}`,
      });
    }
  });
  await clickhouse.close();

  const r = chosen.report;
  const processes = Object.keys(pids).flatMap((name) => [
    { name: `${name}: CPU`, value: chosen.cpu[name] ?? 0, unit: 's' },
    {
      name: `${name}: peak memory`,
      value: memory[name] ?? 0,
      unit: 'MiB',
      ...(name === 'postgres' ? { note: 'sum over its processes, shared memory counted in each' } : {}),
      ...(OURS.has(name) ? { floor: BARE_MEMORY } : {}),
    },
  ]);
  const result = {
    bench: `end to end, ${N.toLocaleString('en-US')} messages, median of ${RUNS}`,
    rows: [
      {
        name: 'bare kafkajs produce',
        value: values.length / produceS,
        unit: 'records/s',
        note: 'same bytes, batches of 1,000, acks all, idempotent',
      },
      { name: 'bare kafkajs consume', value: values.length / consumeS, unit: 'records/s', note: 'same topic' },
      {
        name: 'bare engine insert',
        value: rows.length / insertS,
        unit: 'rows/s',
        note: 'same rows, JSONCompactEachRow, batches of 50,000, no rollup',
      },
      {
        name: 'pipeline',
        value: r.messages_per_second,
        unit: 'msg/s',
        floor: 'bare kafkajs produce',
        note: 'send to last event queryable',
      },
      { name: 'send to last event queryable', value: r.seconds, unit: 's' },
      { name: 'fastest run', value: Math.min(...runs.map((x) => x.report.seconds)), unit: 's' },
      { name: 'slowest run', value: Math.max(...runs.map((x) => x.report.seconds)), unit: 's' },
      { name: 'end to end p50', value: r.p50_ms, unit: 'ms' },
      { name: 'end to end p95', value: r.p95_ms, unit: 'ms' },
      { name: 'end to end p99', value: r.p99_ms, unit: 'ms' },
      { name: 'import of the audience', value: N / importS, unit: 'contacts/s' },
      { name: BARE_MEMORY, value: bareMib, unit: 'MiB', note: 'a process that copies as many records' },
      ...processes,
    ],
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
} finally {
  await platform.stop();
}
