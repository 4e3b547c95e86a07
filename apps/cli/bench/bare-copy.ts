/**
 * Floor of end-to-end.bench.ts, in a process of its own and with Node as it comes: kafkajs reads the messages that fan-out wrote
 * and writes a record of an event's size for each. Says at its end what it held at most.
 */
import { readFileSync } from 'node:fs';
import kafkajs from 'kafkajs';

const [broker = '', from = '', to = '', count = '0'] = process.argv.slice(2);
const kafka = new kafkajs.Kafka({ clientId: 'bench-copy', brokers: [broker], logLevel: kafkajs.logLevel.ERROR });
const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
const consumer = kafka.consumer({ groupId: 'bench-copy', maxWaitTimeInMs: 100 });
const value = Buffer.alloc(164, 7);
let copied = 0;
await producer.connect();
await consumer.connect();
await consumer.subscribe({ topic: from, fromBeginning: true });
await new Promise<void>((resolve, reject) => {
  consumer
    .run({
      partitionsConsumedConcurrently: 12,
      async eachBatch({ batch }) {
        await producer.send({ topic: to, messages: batch.messages.map(({ key }) => ({ key, value })) });
        copied += batch.messages.length;
        if (copied >= Number(count)) resolve();
      },
    })
    .catch(reject);
});
const peakMib = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) / 1_024;
process.stdout.write(`${JSON.stringify({ peakMib })}\n`, () => process.exit());
