/** The floor of replay.bench.ts, a process of its own: kafkajs as its documentation shows it, and each value decoded. */
import { createDecoder, RECORD_TYPES } from '@volley/contract';
import kafkajs from 'kafkajs';

const { kafka, topic, group, total } = JSON.parse(process.env.BARE ?? '{}') as Record<string, string>;
const consumer = new kafkajs.Kafka({ brokers: [kafka as string], logLevel: kafkajs.logLevel.ERROR }).consumer({
  groupId: group as string,
  allowAutoTopicCreation: false,
});
const decode = createDecoder('DeliveryEvent', { get: () => RECORD_TYPES.DeliveryEvent, load: async () => {} });
let read = 0;
let warm: { atMs: number; cpuUs: number } | undefined;
const usage = () => ({ atMs: performance.now(), cpuUs: process.cpuUsage().user + process.cpuUsage().system });

await consumer.connect();
await consumer.subscribe({ topic: topic as string, fromBeginning: true });
await consumer.run({
  partitionsConsumedConcurrently: 12,
  autoCommit: false,
  async eachBatch({ batch, resolveOffset }) {
    for (const { value } of batch.messages) if (!decode(value).ok) throw new Error('not decoded');
    read += batch.messages.length;
    resolveOffset(batch.lastOffset());
    const now = usage();
    if (warm === undefined && read >= Number(total) / 5) warm = now;
    if (read < Number(total) || warm === undefined) return;
    const events = (Number(total) * 4) / 5;
    const cpuUs = (now.cpuUs - warm.cpuUs) / events;
    process.stdout.write(`${JSON.stringify({ perSecond: events / ((now.atMs - warm.atMs) / 1_000), cpuUs })}\n`, () =>
      process.exit(0),
    );
  },
});
