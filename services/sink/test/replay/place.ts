import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  createEncoder,
  DEFAULT_TOPIC_SETTINGS,
  type DeliveryEvent,
  topicDefinitions,
  topicsOf,
} from '@volley/contract';
import { createRegistry } from '@volley/contract/registry';
import type { ReplayOptions } from '@volley/contract/replays';
import { NODE_ARGS } from '@volley/runtime/node-args';
import { createKafkaClient } from '@volley/stream/kafka';
import type { ExecutionContext } from 'ava';
import { createTestDatabase, type TestDatabase } from '../clickhouse.ts';
import { type JobsTable, openJobsTable } from './jobs-table.ts';

const program = (name: string) => fileURLToPath(new URL(`../../src/${name}.ts`, import.meta.url));

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the tests with \`npm test\``);
  return value;
}

/** Topics, group, databases of its own on the real stores; sinks and replays as processes. */
export interface Place {
  readonly db: TestDatabase;
  readonly jobs: JobsTable;
  readonly partitions: number;
  start(name: 'main' | 'replay', env?: Record<string, string>): ChildProcess;
  /** Waits for its end. */
  stop(child: ChildProcess, signal?: NodeJS.Signals): Promise<void>;
  produce(events: readonly DeliveryEvent[], partition: number): Promise<void>;
  /** Of the whole log as it is now. */
  ask(options?: Partial<ReplayOptions>, more?: { rate?: number; campaignId?: string }): Promise<string>;
}

/** Those of a test file that ends in the middle would hold its output open, and the run with it. */
const started = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of started) child.kill('SIGKILL');
});

export async function openPlace(t: ExecutionContext, partitions = 3): Promise<Place> {
  const namespace = `replay-${randomUUID().slice(0, 8)}`;
  const topics = topicsOf(namespace);
  const brokers = [required('VOLLEY_TEST_KAFKA')];
  const registryUrl = required('VOLLEY_TEST_REGISTRY');
  const db = await createTestDatabase();
  const jobs = await openJobsTable();
  const stream = createKafkaClient({ brokers, clientId: `${namespace}-test` });
  const admin = await stream.admin();
  const wanted = new Set([topics.deliveries, topics.deliveriesDlq]);
  const specs = topicDefinitions(topics, { ...DEFAULT_TOPIC_SETTINGS, partitions });
  await admin.ensureTopics(specs.filter(({ topic }) => wanted.has(topic)));
  const registry = createRegistry({ url: registryUrl, clientId: namespace, nowMs: () => performance.now() });
  await registry.registerAll(topics);
  const encode = createEncoder('DeliveryEvent', await registry.idOf(topics.deliveries, 'DeliveryEvent'));
  const producer = await stream.producer({ clientId: `${namespace}-test-producer` });

  const children: ChildProcess[] = [];
  const stop = async (child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM') => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  };
  t.teardown(async () => {
    await Promise.all(children.map((child) => stop(child, 'SIGKILL')));
    await admin.deleteTopics([...wanted]);
    await stream.close();
    await jobs.drop();
    await db.drop();
  });
  return {
    db,
    jobs,
    partitions,
    start(which, env = {}) {
      const child = spawn(process.execPath, [...NODE_ARGS, program(which)], {
        env: {
          ...process.env,
          VOLLEY_KAFKA_BROKERS: brokers.join(','),
          VOLLEY_REGISTRY_URL: registryUrl,
          VOLLEY_CLICKHOUSE_URL: db.url,
          VOLLEY_CLICKHOUSE_DATABASE: db.name,
          VOLLEY_POSTGRES_URL: jobs.url,
          VOLLEY_NAMESPACE: namespace,
          VOLLEY_ADMIN_PORT: '0',
          VOLLEY_LOG_LEVEL: 'error',
          VOLLEY_SINK_LINGER_MS: '100',
          ...env,
        },
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      children.push(child);
      started.add(child);
      child.once('exit', () => started.delete(child));
      return child;
    },
    stop,
    async produce(events, partition) {
      await producer.send(
        events.map((event) => ({ topic: topics.deliveries, partition, key: event.campaign_id, value: encode(event) })),
      );
    },
    async ask(options, more) {
      const bounds = await admin.logBounds(topics.deliveries);
      const ranges = bounds.map(({ start: from, end: to }, partition) => ({
        topic: topics.deliveries,
        partition,
        from,
        to,
      }));
      return jobs.ask(ranges, options, more);
    },
  };
}
