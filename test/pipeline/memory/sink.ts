import { groupsOf } from '@volley/contract';
import { createMetrics, sleep, systemClock } from '@volley/runtime';
import { type ConsumerLoop, createConsumerLoop } from '@volley/stream';
import { createLog } from '../../../services/sink/src/adapters/log.ts';
import { createMemoryRowStore } from '../../../services/sink/src/adapters/row-store-memory.ts';
import { COLUMNS } from '../../../services/sink/src/core/to-row.ts';
import { CATALOGUE } from '../../../services/sink/src/metrics.ts';
import { createPipeline } from '../../../services/sink/src/pipeline.ts';
import type { Answer } from '../../../services/sink/src/ports.ts';
import type { StoredRow } from '../../support/history.ts';
import { inert, quiet, type Service, type Surroundings } from './process.ts';

const answerOf = (effect: Promise<unknown>): Promise<Answer> =>
  effect.then(
    () => ({ ok: true }),
    (error: Error) => ({ ok: false, error: error.message }),
  );
const column = (name: (typeof COLUMNS)[number]) => COLUMNS.indexOf(name);
const [campaign, partition, offset, messageId, kind] = (
  ['campaign_id', 'source_partition', 'source_offset', 'message_id', 'kind'] as const
).map(column) as [number, number, number, number, number];

/** As the sink's main puts it together, on the memory log and rows in memory. */
export async function startSink(s: Surroundings): Promise<Service & { rows(campaignId: string): StoredRow[] }> {
  const clientId = `${s.namespace}-sink-0`;
  const store = createMemoryRowStore();
  const producer = await s.client.producer({ clientId: `${clientId}-dead-letters` });
  let loop: ConsumerLoop | undefined;
  const pipeline = createPipeline({
    cluster: 'memory',
    topic: s.topics.deliveries,
    deadLetterTopic: s.topics.deliveriesDlq,
    limits: { maxRows: 50_000, maxBytes: 8 * 1024 * 1024, lingerMs: 20, maxInserts: 2, pressedBytes: 16 * 1024 * 1024 },
    schemas: { get: (id) => s.schemas.get(id), load: (id) => answerOf(s.schemas.load(id)) },
    store,
    deadLetters: { send: (records) => answerOf(producer.send(records)) },
    log: createLog(s.client, s.topics.deliveries),
    progress: {
      settleTo: (range) => loop?.settleTo({ topic: s.topics.deliveries, ...range }),
      commitNow: async () => (await loop?.commitNow()) ?? 'failed',
      isMember: () => true,
      release: (partition) => loop?.release(s.topics.deliveries, partition),
      stopPartition: (partition, why) => loop?.stopPartition(s.topics.deliveries, partition, why),
    },
    clock: systemClock,
    waitBefore: () => 10,
    sleep,
    failpoints: inert,
    metrics: createMetrics(CATALOGUE, false).m,
    logger: quiet,
    onFatal: s.fatal,
  });
  loop = createConsumerLoop({
    client: s.client,
    groupId: groupsOf(s.namespace).sink,
    inTurns: true,
    topics: [s.topics.deliveries],
    clientId,
    handler: {
      ...pipeline.handler,
      onPartitionStopped: (at, why) => s.fatal(new Error(`${at.topic} ${at.partition} stopped: ${why}`)),
      onFatal: s.fatal,
    },
  });
  await loop.start();
  return {
    rows: (campaignId) =>
      store
        .rows()
        .filter((row) => row[campaign] === campaignId)
        .map((row) => ({
          partition: Number(row[partition]),
          offset: Number(row[offset]),
          messageId: String(row[messageId]),
          kind: String(row[kind]),
        })),
    async stop() {
      pipeline.flush();
      await loop?.stop(1_000);
      pipeline.close();
      await producer.close();
    },
  };
}
