/**
 * Stock kafkajs in a process of its own, for benches that are about something else: this package changes some of kafkajs' prototypes
 * wherever it is loaded. Is told by message what to send (fork with `serialization: 'advanced'`), answers seconds and CPU seconds.
 */
import { once } from 'node:events';
import kafkajs, { type Message } from 'kafkajs';

interface Work {
  readonly broker: string;
  readonly topic: string;
  /** One batch, sent again and again, each when the one before was acknowledged. */
  readonly records: Message[];
  readonly batches: number;
  readonly warmUpBatches: number;
}

const [work] = (await once(process, 'message')) as [Work];
const kafka = new kafkajs.Kafka({ clientId: 'bare', brokers: [work.broker], logLevel: kafkajs.logLevel.NOTHING });
const producer = kafka.producer({
  idempotent: true,
  maxInFlightRequests: 1,
  createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
});
await producer.connect();
const send = () => producer.send({ topic: work.topic, acks: -1, messages: work.records });
for (let i = 0; i < work.warmUpBatches; i++) await send();
const cpu = process.cpuUsage();
const beganMs = performance.now();
for (let i = 0; i < work.batches; i++) await send();
const seconds = (performance.now() - beganMs) / 1_000;
const { user, system } = process.cpuUsage(cpu);
await producer.disconnect();
process.send?.({ seconds, cpuSeconds: (user + system) / 1e6 }, () => process.exit(0));
