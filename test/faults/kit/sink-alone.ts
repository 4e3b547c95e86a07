import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import {
  campaignIdFrom,
  createEncoder,
  DEAD_LETTER_HEADERS,
  DEFAULT_TOPIC_SETTINGS,
  type DeliveryEvent,
  messageIdOf,
  SCHEMA_TEXTS,
  subjectOf,
  type Topics,
  topicDefinitions,
  topicsOf,
} from '@volley/contract';
import { createRegistry, type Registry } from '@volley/contract/registry';
import type { StreamProducer } from '@volley/stream';
import { withDatedWriter } from '../../../packages/stream/test/kafka-dated.ts';
import { audit } from '../../support/analytics/audit.ts';
import { INVARIANTS } from '../../support/checker/facts.ts';
import { type ClickHouse, createClickHouse } from '../../support/clickhouse.ts';
import type { ExtraService } from '../../support/extra-service.ts';
import { NOTHING_DOUBLED } from '../../support/history.ts';
import { readTopic } from '../../support/topic-reader.ts';
import { until } from '../../support/until.ts';
import { analyticsOf, logOfSink, partitionsOf, type Reading, untilStored } from './sinks.ts';
import type { Trial } from './trial.ts';

/** An event, and when the log is to have taken it. */
export interface DatedEvent {
  readonly event: DeliveryEvent;
  readonly timestampMs: number;
}

/** A topic of delivery events that nobody but the test writes, a database, and sinks between them. */
export interface SinkAlone {
  readonly reading: Reading;
  readonly topics: Topics;
  readonly db: ClickHouse;
  readonly registry: Registry;
  readonly producer: StreamProducer;
  encode(event: DeliveryEvent): Buffer;
  /** The sink of this place; the `nth` of several at a time. */
  start(nth?: number): Promise<ExtraService>;
  /** A sink that dies at this failpoint (`name:kill:n`), and is not started again. */
  die(failpoint: string): Promise<void>;
  write(partition: number, events: readonly DeliveryEvent[]): Promise<void>;
  /** Of a topic that takes the writer's time. */
  writeDated(partition: number, events: readonly DatedEvent[]): Promise<void>;
  log(nth?: number): string;
  /** What a sink has, as it said last. */
  partitions(nth: number): readonly number[];
  /** Waits until everything is stored; every row, mark, sum and rollup is then compared with the topic. */
  judge(): Promise<void>;
}

export interface AloneOptions {
  readonly partitions: number;
  /** The log keeps the time that the writer gives: a past of months, in any order. */
  readonly dated?: boolean;
}

/** Slots are of one place only: a sink's log is that of its slot. */
let slots = 20;
const DAY_MS = 86_400_000;
const MOST_AT_ONCE = 5;

async function migrate(url: string, database: string): Promise<void> {
  const script = join(import.meta.dirname, '..', '..', '..', 'services', 'sink', 'src', 'migrate.ts');
  const env = { ...process.env, VOLLEY_CLICKHOUSE_URL: url, VOLLEY_CLICKHOUSE_DATABASE: database };
  const child = spawn(process.execPath, [script], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the migration failed: ${said}`);
}

export async function withSinkAlone(
  trial: Trial,
  { partitions, dated = false }: AloneOptions,
  run: (alone: SinkAlone) => Promise<void>,
): Promise<void> {
  const { p, tag } = trial;
  const { engine } = analyticsOf(trial);
  const namespace = `${p.stores.namespace}-${tag}`;
  const database = `${p.stores.clickhouseDatabase}_${tag}`;
  const topics = topicsOf(namespace);
  const first = slots;
  slots += MOST_AT_ONCE;
  await migrate(engine.address, database);
  const admin = await p.client.admin();
  const own = dated
    ? {
        'message.timestamp.type': 'CreateTime',
        'message.timestamp.after.max.ms': String(400 * DAY_MS),
        'retention.ms': '-1',
      }
    : {};
  const names = [topics.deliveries, topics.deliveriesDlq];
  await admin.ensureTopics(
    topicDefinitions(topics, { ...DEFAULT_TOPIC_SETTINGS, partitions })
      .filter(({ topic }) => names.includes(topic))
      .map((definition) =>
        definition.topic === topics.deliveries
          ? { ...definition, config: { ...definition.config, ...own } }
          : definition,
      ),
  );
  const registry = createRegistry({ url: p.stores.registry, clientId: namespace, nowMs: () => performance.now() });
  const schemaId = await registry.register(subjectOf(topics.deliveries, 'DeliveryEvent'), SCHEMA_TEXTS.DeliveryEvent);
  const encode = createEncoder('DeliveryEvent', schemaId);
  const producer = await p.client.producer({ clientId: `${namespace}-test` });
  const running: ExtraService[] = [];
  const env = { VOLLEY_NAMESPACE: namespace, VOLLEY_CLICKHOUSE_DATABASE: database };
  const db = createClickHouse(engine.address, database);
  const reading: Reading = { client: p.client, namespace, deliveries: topics.deliveries };

  const alone: SinkAlone = {
    reading,
    topics,
    db,
    registry,
    producer,
    encode,
    async start(nth = 0) {
      const sink = await p.startExtra('sink', first + nth, { env });
      running.push(sink);
      return sink;
    },
    async die(failpoint) {
      const slot = first;
      const deaths = () => p.lines().filter((line) => line.startsWith(`sink-${slot} ended by SIGKILL`)).length;
      const before = deaths();
      // It may be dead before it was ever ready.
      const starting = p
        .startExtra('sink', slot, { env: { ...env, VOLLEY_FAILPOINTS: failpoint }, restart: false })
        .catch(() => undefined);
      await until(`a sink died at ${failpoint}`, () => deaths() > before, {
        seen: () => logOfSink(trial, slot).split('\n').slice(-5),
      });
      await (await starting)?.stop();
      trial.died();
    },
    async write(partition, events) {
      const records = events.map((event) => ({
        topic: topics.deliveries,
        partition,
        key: event.campaign_id,
        value: encode(event),
      }));
      await producer.send(records);
    },
    writeDated: (partition, events) =>
      withDatedWriter(p.stores.kafka, (writer) =>
        writer.send(
          topics.deliveries,
          partition,
          events.map(({ event, timestampMs }) => ({ key: event.campaign_id, value: encode(event), timestampMs })),
        ),
      ),
    log: (nth = 0) => logOfSink(trial, first + nth),
    partitions: (nth) => partitionsOf(trial, first + nth),
    async judge() {
      await untilStored(reading);
      const found = await audit(db, await readTopic(p.client, topics.deliveries));
      const letters = await readTopic(p.client, topics.deliveriesDlq);
      const origins = new Set(letters.map(({ headers }) => headers[DEAD_LETTER_HEADERS.origin]?.toString() ?? ''));
      const problems = [
        ...found.problems,
        ...(origins.size === found.unstorable ? [] : [`${origins.size} dead letters, not ${found.unstorable}`]),
      ];
      trial.note(`${found.rows} rows (${found.repeats} repeats), ${found.doubled} twice, every rollup compared`);
      trial.judged({
        problems,
        outcomes: Object.fromEntries(INVARIANTS.map((name) => [name, 'unknown'])) as never,
        doubled: {
          ...NOTHING_DOUBLED,
          doubledRows: found.doubled,
          doubledDeadLetters: letters.length - origins.size,
        },
        states: found.states,
        lost: found.lost,
        accepted: found.rows,
      });
    },
  };
  try {
    await run(alone);
  } finally {
    for (const sink of running) await sink.stop();
    await producer.close();
    await admin.deleteTopics(names);
    await admin.close();
    await db.query(`DROP DATABASE IF EXISTS ${database} SYNC`);
  }
}

/** Events of one campaign, with everything in them that a rollup looks at. */
export function eventsOf(trial: Pick<Trial, 'random'>) {
  const bytes = Buffer.from(Array.from({ length: 6 }, () => trial.random(256)));
  const campaignId = campaignIdFrom(Date.now(), bytes);
  return (ordinal: number, occurredAtMs: number, more: Partial<DeliveryEvent> = {}): DeliveryEvent => {
    const e2eMs = 1 + trial.random(20_000);
    return {
      message_id: messageIdOf(campaignId, ordinal),
      run: 0,
      tenant_id: 'default',
      campaign_id: campaignId,
      ordinal,
      recipient: `p${ordinal}@example.org`,
      kind: 'sent',
      previous_kind: null,
      attempt: 1,
      deferrals: 0,
      tier: '',
      lane: 'bulk',
      channel: 'simulated',
      provider: ordinal % 3 === 0 ? 'second' : 'first',
      reason: '',
      detail: '',
      queued_at: occurredAtMs - e2eMs,
      occurred_at: occurredAtMs,
      provider_ms: 1 + trial.random(300),
      e2e_ms: e2eMs,
      dlq_partition: null,
      dlq_offset: null,
      ...more,
    };
  };
}
