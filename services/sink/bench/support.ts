import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  createEncoder,
  DEFAULT_TOPIC_SETTINGS,
  type DeliveryEvent,
  type Topics,
  topicDefinitions,
  topicsOf,
} from '@volley/contract';
import { createRegistry } from '@volley/contract/registry';
import { NODE_ARGS } from '@volley/runtime/node-args';
import type { StreamProducer } from '@volley/stream';
import { createKafkaClient } from '@volley/stream/kafka';
import { createTestDatabase, type TestDatabase } from '../test/clickhouse.ts';

export const PARTITIONS = 12;

const required = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: \`npm run bench\` sets it`);
  return value;
};

/** Topics of its own on the log of this run, and what a program that reads them has to know. */
export interface BenchLog {
  readonly kafka: string;
  readonly registry: string;
  readonly namespace: string;
  readonly topics: Topics;
  readonly producer: StreamProducer;
  readonly encode: (event: DeliveryEvent) => Buffer;
  /** The sink's settings for this log and that database. */
  sinkEnv(db: TestDatabase): Record<string, string>;
  /** The next reader of this group begins at the log's start. */
  forget(groupId: string): Promise<void>;
  close(): Promise<void>;
}

/** By `of`. */
export const medianOf = <T>(all: readonly T[], of: (each: T) => number): T =>
  [...all].sort((a, b) => of(a) - of(b))[all.length >> 1] as T;

export async function openLog(): Promise<BenchLog> {
  const kafka = required('VOLLEY_TEST_KAFKA');
  const registryUrl = required('VOLLEY_TEST_REGISTRY');
  const namespace = `sinkbench-${randomBytes(4).toString('hex')}`;
  const topics = topicsOf(namespace);
  const client = createKafkaClient({ brokers: [kafka], clientId: namespace });
  const admin = await client.admin();
  const wanted = new Set([topics.deliveries, topics.deliveriesDlq]);
  const definitions = topicDefinitions(topics, { ...DEFAULT_TOPIC_SETTINGS, partitions: PARTITIONS });
  await admin.ensureTopics(definitions.filter(({ topic }) => wanted.has(topic)));
  const registry = createRegistry({ url: registryUrl, clientId: namespace, nowMs: () => performance.now() });
  await registry.registerAll(topics);
  return {
    kafka,
    registry: registryUrl,
    namespace,
    topics,
    producer: await client.producer({ clientId: namespace }),
    encode: createEncoder('DeliveryEvent', await registry.idOf(topics.deliveries, 'DeliveryEvent')),
    sinkEnv: (db) => ({
      VOLLEY_KAFKA_BROKERS: kafka,
      VOLLEY_REGISTRY_URL: registryUrl,
      VOLLEY_CLICKHOUSE_URL: db.url,
      VOLLEY_CLICKHOUSE_DATABASE: db.name,
      VOLLEY_NAMESPACE: namespace,
      VOLLEY_ADMIN_PORT: '0',
      VOLLEY_LOG_LEVEL: 'error',
    }),
    forget: (groupId) => admin.deleteGroup(groupId),
    async close() {
      await admin.deleteTopics([...wanted]).catch(() => {});
      await client.close();
    },
  };
}

export async function inDatabase<T>(work: (db: TestDatabase) => Promise<T>): Promise<T> {
  const db = await createTestDatabase();
  try {
    return await work(db);
  } finally {
    await db.drop();
  }
}

const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

export interface Program {
  /** Resident at most since the start, and CPU time so far, as Linux says. */
  usage(): { readonly peakMib: number; readonly cpuMs: number };
  /** Throws when it has ended by itself. */
  check(): void;
  signal(signal: NodeJS.Signals): void;
  stop(): Promise<void>;
}

export const programOf = (name: string): string => new URL(name, import.meta.url).pathname;

/** `VOLLEY_BENCH_NODE_ARGS` go to it, such as --cpu-prof. */
export function startProgram(program: string, env: Record<string, string>): Program {
  const extra = (process.env.VOLLEY_BENCH_NODE_ARGS ?? '').split(' ').filter((arg) => arg !== '');
  const child = spawn(process.execPath, [...NODE_ARGS, ...extra, program], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.add(child);
  return {
    usage() {
      const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return { peakMib: Number(peak) / 1_024, cpuMs: (Number(fields[11]) + Number(fields[12])) * 10 };
    },
    check() {
      if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}`);
    },
    signal: (signal) => void child.kill(signal),
    async stop() {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await exited;
      children.delete(child);
    },
  };
}
