/**
 * The ledger's rebuild: how long a process that takes over stands still, and what it costs in memory. A million events lie
 * in deliveries and the hints stand at its start, so all of them are read and kept. Floor: the same records read with
 * nothing done to them. `VOLLEY_TEST_KAFKA=host:port node bench/ledger.bench.ts [events] [partitions]`.
 */
import { randomBytes } from 'node:crypto';
import { campaignIdFrom, createEncoder, messageIdOf, RECORD_TYPES } from '@volley/contract';
import { createLogger } from '@volley/runtime';
import { createKafkaClient } from '@volley/stream/kafka';
import { createLedgerReader } from '../src/adapters/ledger-reader.ts';
import { createHints } from '../src/core/hints.ts';
import { createLedger } from '../src/core/ledger.ts';
import { deliveryEvent } from '../test/adapters/ledger-support.ts';

const events = Number(process.argv[2] ?? 1_000_000);
const partitions = Number(process.argv[3] ?? 12);
const kafka = process.env.VOLLEY_TEST_KAFKA ?? '';
if (kafka === '') throw new Error('VOLLEY_TEST_KAFKA is not set: `npm run bench` sets it');

const client = createKafkaClient({ brokers: [kafka], clientId: 'ledger-bench' });
const admin = await client.admin();
const topic = `ledger-bench-${randomBytes(4).toString('hex')}`;
await admin.ensureTopics([{ topic, partitions, replicationFactor: 1, config: {} }]);

const campaigns = Array.from({ length: partitions }, () => campaignIdFrom(Date.now(), randomBytes(6)));
const producer = await client.producer({ clientId: 'ledger-bench' });
const encode = createEncoder('DeliveryEvent', 1);
const each = Math.floor(events / partitions);
const total = each * partitions;
for (let from = 1; from <= each; from += 500) {
  const values = campaigns.flatMap((campaign_id, partition) =>
    Array.from({ length: Math.min(500, each - from + 1) }, (_, i) => {
      const event = deliveryEvent(from + i, { campaign_id, message_id: messageIdOf(campaign_id, from + i) });
      return { topic, partition, key: campaign_id, value: encode(event) };
    }),
  );
  await producer.send(values);
}
await producer.close();

const rss = () => {
  globalThis.gc?.();
  return process.memoryUsage().rss / 2 ** 20;
};
const ranges = campaigns.map((_, partition) => ({ topic, partition, from: 0, to: each }));

async function bare(): Promise<number> {
  let read = 0;
  const startMs = performance.now();
  await client.readRanges({
    ranges,
    onRecord: () => {
      read += 1;
    },
  });
  return read / ((performance.now() - startMs) / 1_000);
}

async function rebuild() {
  const ledger = createLedger();
  const startMs = performance.now();
  await new Promise<void>((resolve) => {
    const reader = createLedgerReader({
      client,
      deliveriesTopic: topic,
      store: { get: () => RECORD_TYPES.DeliveryEvent, load: async () => {} },
      schemas: { ensure: async () => {} },
      ledger,
      hints: createHints(ledger),
      onOpen: () => {},
      onUndecodable: () => {
        throw new Error('an event cannot be decoded');
      },
      onRead: () => resolve(),
      monotonicMs: () => performance.now(),
      random: Math.random,
      log: createLogger('bench', 'error'),
    });
    reader.assigned(
      ranges.map(({ partition }) => ({ topic: 'lane', partition, committed: 0, metadata: '', logEnd: 1_000_000 })),
    );
  });
  return { ledger, ms: performance.now() - startMs };
}

// The first reading warms up the code and what the client keeps; the second is the floor.
await bare();
const floor = await bare();
const beforeMib = rss();
const { ledger, ms } = await rebuild();
const afterMib = rss();
const state = ledger.state();
if (state.events !== total) throw new Error(`${state.events} events of ${total}`);
await admin.deleteTopics([topic]);
await client.close();

const rows = [
  { name: 'bare read', value: floor, unit: 'records/s', note: 'readRanges, nothing done' },
  { name: 'rebuild', value: total / (ms / 1_000), unit: 'events/s', floor: 'bare read', note: 'decoded and kept' },
  { name: 'time', value: ms / 1_000, unit: 's', note: `${total} events, ${partitions} partitions` },
  { name: 'memory growth', value: afterMib - beforeMib, unit: 'MiB RSS', note: 'after the reading, over the bare one' },
  { name: 'tables', value: state.bytes / 2 ** 20, unit: 'MiB', note: 'of it' },
];
process.stdout.write(`${JSON.stringify({ bench: `ledger rebuild, ${total} events`, rows })}\n`);
