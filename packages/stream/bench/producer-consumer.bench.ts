// Bare kafkajs and our producer and consumer, one after the other on the same broker and topic layout.
// node packages/stream/bench/producer-consumer.bench.ts host:port [records] ; prints a table, writes JSON to stdout's last line.
import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { createKafkaClient } from '../src/adapters/kafka.ts';
import { createConsumerLoop } from '../src/index.ts';

const broker = process.argv[2] ?? process.env.VOLLEY_TEST_KAFKA ?? '127.0.0.1:9092';
const records = Number(process.argv[3] ?? 200_000);
const partitions = 12;
const value = Buffer.alloc(300, 'v');
const client = createKafkaClient({ brokers: [broker], clientId: 'bench' });
const admin = await client.admin();
const bare = new kafkajs.Kafka({ brokers: [broker], clientId: 'bench-bare', logLevel: kafkajs.logLevel.NOTHING });

interface Row {
  readonly name: string;
  readonly perSecond: number;
  readonly cpuSeconds: number;
}
const rows: Row[] = [];

async function measure(name: string, work: () => Promise<void>): Promise<void> {
  const cpu = process.cpuUsage();
  const before = performance.now();
  await work();
  const seconds = (performance.now() - before) / 1_000;
  const used = process.cpuUsage(cpu);
  rows.push({ name, perSecond: Math.round(records / seconds), cpuSeconds: (used.user + used.system) / 1e6 });
}

async function freshTopic(): Promise<string> {
  const topic = `bench-${randomUUID().slice(0, 8)}`;
  await admin.ensureTopics([{ topic, partitions, replicationFactor: 1, config: {} }]);
  return topic;
}

const bareTopic = await freshTopic();
const ourTopic = await freshTopic();
const singleTopic = await freshTopic();

const bareProducer = bare.producer({
  idempotent: true,
  maxInFlightRequests: 1,
  createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
});
await bareProducer.connect();
await measure('produce: bare kafkajs, batches of 1,000', async () => {
  for (let i = 0; i < records; i += 1_000) {
    const messages = Array.from({ length: 1_000 }, (_, j) => ({ partition: (i + j) % partitions, key: 'k', value }));
    await bareProducer.sendBatch({ topicMessages: [{ topic: bareTopic, messages }] });
  }
});
await bareProducer.disconnect();

const producer = await client.producer({ clientId: 'bench' });
await measure('produce: ours, calls of 1,000', async () => {
  let waiting: Promise<unknown>[] = [];
  for (let i = 0; i < records; i += 1_000) {
    waiting.push(
      producer.send(
        Array.from({ length: 1_000 }, (_, j) => ({
          topic: ourTopic,
          partition: (i + j) % partitions,
          key: 'k',
          value,
        })),
      ),
    );
    if (waiting.length === 8) {
      await Promise.all(waiting);
      waiting = [];
    }
  }
  await Promise.all(waiting);
});
await measure('produce: ours, one record a call, 4,000 outstanding', async () => {
  let sent = 0;
  const one = async () => {
    while (sent < records) {
      const partition = sent++ % partitions;
      await producer.send([{ topic: singleTopic, partition, key: 'k', value }]);
    }
  };
  await Promise.all(Array.from({ length: 4_000 }, one));
});

const bareConsumer = bare.consumer({ groupId: `bare-${bareTopic}`, maxWaitTimeInMs: 100 });
await bareConsumer.connect();
await bareConsumer.subscribe({ topic: bareTopic, fromBeginning: true });
await measure('consume: bare kafkajs, eachBatch', async () => {
  await new Promise<void>((resolve, reject) => {
    let seen = 0;
    bareConsumer
      .run({
        eachBatch: async ({ batch }) => {
          seen += batch.messages.length;
          if (seen >= records) resolve();
        },
      })
      .catch(reject);
  });
});
await bareConsumer.disconnect();

await measure('consume: our loop, every record settled and committed', async () => {
  await new Promise<void>((resolve, reject) => {
    let seen = 0;
    const loop = createConsumerLoop({
      client,
      groupId: `ours-${ourTopic}`,
      topics: [ourTopic],
      clientId: 'bench',
      handler: {
        onRecords(tracked) {
          seen += tracked.length;
          // In another turn, as real work is.
          setImmediate(() => {
            for (const record of tracked) loop.settle(record);
            if (seen >= records) loop.stop(1_000).then(resolve, reject);
          });
        },
        onPartitionStopped: (_, why) => reject(new Error(why)),
        onFatal: reject,
      },
    });
    loop.start().catch(reject);
  });
});

await admin.deleteTopics([bareTopic, ourTopic, singleTopic]);
await client.close();
for (const { name, perSecond, cpuSeconds } of rows) {
  console.error(
    `${name.padEnd(56)} ${String(perSecond).padStart(8)} records/s ${cpuSeconds.toFixed(2).padStart(6)} CPU s`,
  );
}
const floorOf = (name: string) =>
  rows.find((r) => r.name !== name && r.name.includes('bare') && /produc/.test(r.name) === /produc/.test(name));
console.log(
  JSON.stringify({
    bench: `stream, ${records} records of ${value.length} bytes, ${partitions} partitions`,
    rows: rows.map(({ name, perSecond, cpuSeconds }) => {
      const floor = name.includes('bare') ? undefined : floorOf(name);
      return {
        name,
        value: perSecond,
        unit: 'records/s',
        note: `${cpuSeconds.toFixed(2)} s CPU`,
        ...(floor ? { floor: floor.name } : {}),
      };
    }),
  }),
);
