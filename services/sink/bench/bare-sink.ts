/** The floor of sink.bench.ts, a process of its own: consume, decode, insert, commit, as the clients' documentation shows. */
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { createDecoder, RECORD_TYPES } from '@volley/contract';
import kafkajs from 'kafkajs';

const { kafka, topic, group, clickhouse, database, batch } = JSON.parse(process.env.BARE ?? '{}') as Record<
  string,
  string
>;
const client = createClient({
  url: clickhouse as string,
  database: database as string,
  log: { level: ClickHouseLogLevel.OFF },
});
const consumer = new kafkajs.Kafka({ brokers: [kafka as string], logLevel: kafkajs.logLevel.ERROR }).consumer({
  groupId: group as string,
  allowAutoTopicCreation: false,
});
const decode = createDecoder('DeliveryEvent', { get: () => RECORD_TYPES.DeliveryEvent, load: async () => {} });
let rows: object[] = [];
let inserting: Promise<unknown> = Promise.resolve();

await consumer.connect();
await consumer.subscribe({ topic: topic as string, fromBeginning: true });
process.once('SIGTERM', () => process.exit(0));

async function flush(): Promise<void> {
  const values = rows;
  rows = [];
  // One under way while the next is built, as anybody would after a first look.
  await inserting;
  inserting = client.insert({ table: 'delivery_raw', values, format: 'JSONEachRow' });
}
setInterval(() => {
  if (rows.length > 0) void flush();
}, 500);
await consumer.run({
  partitionsConsumedConcurrently: 12,
  async eachBatch({ batch: fetched, resolveOffset, heartbeat, commitOffsetsIfNecessary }) {
    for (const { value, offset, timestamp } of fetched.messages) {
      const decoded = decode(value);
      if (!decoded.ok) throw new Error(decoded.reason);
      const place = { source_partition: fetched.partition, source_offset: offset, appended_at: Number(timestamp) };
      rows.push({ ...decoded.value, ...place });
    }
    if (rows.length >= Number(batch)) await flush();
    resolveOffset(fetched.lastOffset());
    await commitOffsetsIfNecessary();
    await heartbeat();
  },
});
