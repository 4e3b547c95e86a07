/**
 * The dispatcher alone, as a process of its own against a real log, with a million records behind:
 * - simulated provider without latency, beside a bare kafkajs loop that reads the same records and writes an event of the
 *   same size for each: rate, memory, CPU;
 * - a provider of 50 ms that takes 500 calls at once, beside the 10,000 a second that this allows. A slot is in use until the
 *   log has the event, a provider's place only until it has answered: so there are twice as many slots.
 * `VOLLEY_TEST_KAFKA=… VOLLEY_TEST_REGISTRY=… node bench/alone.bench.ts [records behind] [records measured]`.
 * `VOLLEY_BENCH_NODE_ARGS=--cpu-prof` profiles the dispatcher.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEncoder, DEFAULT_TOPIC_SETTINGS, topicDefinitions, topicsOf } from '@volley/contract';
import { createRegistry } from '@volley/contract/registry';
import { NODE_ARGS } from '@volley/runtime/node-args';
import { createKafkaClient } from '@volley/stream/kafka';
import { campaignEvent, headersOf, messageOf, newCampaignId } from '../test/support.ts';

const behind = Number(process.argv[2] ?? 1_000_000);
const measured = Number(process.argv[3] ?? 300_000);
const partitions = 12;
/** Until then code is compiled, connections are made and queues fill. */
const warmUp = 50_000;
const required = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: \`npm run bench\` sets it`);
  return value;
};
const kafka = required('VOLLEY_TEST_KAFKA');
const registryUrl = required('VOLLEY_TEST_REGISTRY');

const namespace = `alone-${randomBytes(4).toString('hex')}`;
const topics = topicsOf(namespace);
const copies = `${namespace}.copies`;
const folder = mkdtempSync(join(tmpdir(), 'volley-alone-'));
const client = createKafkaClient({ brokers: [kafka], clientId: namespace });
const admin = await client.admin();
const registry = createRegistry({ url: registryUrl, clientId: namespace, nowMs: () => performance.now() });
const children = new Set<ChildProcess>();

/** A log of its own for each run: what one leaves behind is no work for the next. */
async function fill(): Promise<void> {
  const definitions = topicDefinitions(topics, { ...DEFAULT_TOPIC_SETTINGS, partitions });
  await admin.ensureTopics([...definitions, { topic: copies, partitions, replicationFactor: 1, config: {} }]);
  await registry.registerAll(topics);
  const producer = await client.producer({ clientId: namespace });
  const encode = createEncoder('Message', await registry.idOf(topics.messages.bulk, 'Message'));
  const encodeCampaign = createEncoder('CampaignEvent', await registry.idOf(topics.campaigns, 'CampaignEvent'));
  const campaigns = Array.from({ length: partitions }, newCampaignId);
  await producer.send(
    campaigns.map((id) => {
      const value = encodeCampaign(campaignEvent(id, { version: 1 }));
      return { topic: topics.campaigns, partition: 0, key: id, value };
    }),
  );
  const each = Math.ceil(behind / partitions);
  for (let from = 1; from <= each; from += 500) {
    const records = campaigns.flatMap((id, partition) =>
      Array.from({ length: Math.min(500, each - from + 1) }, (_, i) => {
        const message = messageOf(id, from + i);
        const headers = headersOf(message);
        return { topic: topics.messages.bulk, partition, key: id, value: encode(message), headers };
      }),
    );
    await producer.send(records);
  }
  await producer.close();
}

interface Run {
  readonly perSecond: number;
  readonly peakMib: number;
  readonly cpuUs: number;
}

/** Resident at most since the start, and CPU time so far, as Linux says. */
function usage(pid: number): { readonly peakMib: number; readonly cpuMs: number } {
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { peakMib: Number(peak) / 1_024, cpuMs: (Number(fields[11]) + Number(fields[12])) * 10 };
}

/** Runs a program until it has written `measured` records more than the warm-up to this topic. */
async function run(args: readonly string[], env: Record<string, string>, writesTo: string): Promise<Run> {
  const written = async () => (await admin.logBounds(writesTo)).reduce((sum, { end }) => sum + end, 0);
  const before = await written();
  const child = spawn(process.execPath, [...args], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.add(child);
  const pid = child.pid as number;
  const until = async (count: number): Promise<{ atMs: number; count: number; cpuMs: number }> => {
    for (;;) {
      if (child.exitCode !== null) throw new Error(`${args.at(-1)} ended with ${child.exitCode}`);
      const askedMs = performance.now();
      const now = (await written()) - before;
      const atMs = (askedMs + performance.now()) / 2;
      if (now >= count) return { atMs, count: now, cpuMs: usage(pid).cpuMs };
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const from = await until(warmUp);
  const to = await until(warmUp + measured);
  const { peakMib } = usage(pid);
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exited;
  children.delete(child);
  const count = to.count - from.count;
  const cpuUs = ((to.cpuMs - from.cpuMs) * 1_000) / count;
  return { perSecond: count / ((to.atMs - from.atMs) / 1_000), peakMib, cpuUs };
}

function dispatcher(url: string, slots: number, concurrency?: number): Promise<Run> {
  const providers = join(folder, 'providers.json');
  writeFileSync(providers, JSON.stringify([{ name: 'simulated', channel: 'simulated', url, concurrency }]));
  const extra = (process.env.VOLLEY_BENCH_NODE_ARGS ?? '').split(' ').filter((arg) => arg !== '');
  return run(
    [...NODE_ARGS, ...extra, new URL('../src/main.ts', import.meta.url).pathname],
    {
      VOLLEY_KAFKA_BROKERS: kafka,
      VOLLEY_REGISTRY_URL: registryUrl,
      VOLLEY_POSTGRES_URL: '',
      VOLLEY_NAMESPACE: namespace,
      VOLLEY_PROVIDERS_FILE: providers,
      VOLLEY_CONCURRENCY: String(slots),
      VOLLEY_ADMIN_PORT: '0',
      VOLLEY_LOG_LEVEL: 'error',
    },
    topics.deliveries,
  );
}

/** The loop that one would write first: read a batch, write a record of an event's size for each, commit. */
function bare(): Promise<Run> {
  const program = new URL('./bare-loop.ts', import.meta.url).pathname;
  return run(
    [...NODE_ARGS.slice(0, 1), program],
    { BARE: JSON.stringify({ kafka, namespace, from: topics.messages.bulk, to: copies }) },
    copies,
  );
}

try {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  say(`writing ${behind} records`);
  await fill();
  say('bare loop');
  const floor = await bare();
  say('dispatcher, no latency');
  const fast = await dispatcher('simulated:?min_ms=0&max_ms=0&transient=0', 512);
  say('dispatcher, 50 ms and 500 at once');
  const slow = await dispatcher('simulated:?min_ms=50&max_ms=50&transient=0', 1_000, 500);

  const rows = [
    { name: 'bare loop', value: floor.perSecond, unit: 'records/s', note: 'kafkajs, a record of 164 bytes for each' },
    { name: 'dispatcher', value: fast.perSecond, unit: 'msg/s', floor: 'bare loop', note: 'provider without latency' },
    { name: 'bare loop, CPU', value: floor.cpuUs, unit: 'µs a record' },
    { name: 'dispatcher, CPU', value: fast.cpuUs, unit: 'µs a message', floor: 'bare loop, CPU' },
    { name: 'bare loop, memory', value: floor.peakMib, unit: 'MiB', note: 'peak' },
    {
      name: 'dispatcher, memory',
      value: fast.peakMib,
      unit: 'MiB',
      floor: 'bare loop, memory',
      note: `peak, ${behind} records behind`,
    },
    { name: '500 calls of 50 ms', value: 10_000, unit: 'msg/s', note: 'what they allow' },
    { name: 'dispatcher, 50 ms', value: slow.perSecond, unit: 'msg/s', floor: '500 calls of 50 ms' },
    { name: 'dispatcher, 50 ms, memory', value: slow.peakMib, unit: 'MiB', note: 'peak' },
  ];
  process.stdout.write(`${JSON.stringify({ bench: `dispatcher alone on a real log, ${behind} behind`, rows })}\n`);
} finally {
  for (const child of children) child.kill('SIGKILL');
  const names = topicDefinitions(topics, DEFAULT_TOPIC_SETTINGS).map(({ topic }) => topic);
  await admin.deleteTopics([...names, copies]).catch(() => {});
  await client.close();
  rmSync(folder, { recursive: true, force: true });
}
