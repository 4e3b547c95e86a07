/**
 * Stock kafkajs in a process of its own, as it comes: a producer and a member of a group on a topic of 12 partitions. Does nothing
 * until it is told `go`; then sends a record every 100 ms and answers how long each took from before `send` to its reader.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';

const [broker = '', count = '0'] = process.argv.slice(2);
const topic = `bench-idle-${randomUUID().slice(0, 8)}`;
const kafka = new kafkajs.Kafka({ clientId: topic, brokers: [broker], logLevel: kafkajs.logLevel.NOTHING });
const admin = kafka.admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic, numPartitions: 12, replicationFactor: 1 }] });
const producer = kafka.producer({
  ...{ idempotent: true, maxInFlightRequests: 1, createPartitioner: kafkajs.Partitioners.DefaultPartitioner },
});
await producer.connect();
const consumer = kafka.consumer({ groupId: topic });
const times: number[] = [];
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
await consumer.run({
  eachMessage: async ({ message }) => void times.push(performance.now() - Number(message.key?.toString())),
});
await joined;
process.once('message', async () => {
  for (let i = 0; i < Number(count); i++) {
    const key = String(performance.now());
    await producer.send({ topic, acks: -1, messages: [{ partition: i % 12, key, value: Buffer.alloc(200) }] });
    await sleep(100);
  }
  while (times.length < Number(count)) await sleep(50);
  process.send?.(times.sort((a, b) => a - b));
  await Promise.all([consumer.disconnect(), producer.disconnect()]);
  await admin.deleteTopics({ topics: [topic] });
  await admin.disconnect();
  process.exit(0);
});
process.send?.('ready');
