/** The floor of alone.bench.ts, a process of its own: kafkajs as its documentation shows it, nothing of ours. */
import kafkajs from 'kafkajs';

const { kafka, namespace, from, to } = JSON.parse(process.env.BARE ?? '{}') as Record<string, string>;
const client = new kafkajs.Kafka({ brokers: [kafka as string], logLevel: kafkajs.logLevel.ERROR });
const producer = client.producer({ allowAutoTopicCreation: false });
const consumer = client.consumer({ groupId: `${namespace}-bare`, allowAutoTopicCreation: false });
const value = Buffer.alloc(164, 7);
await producer.connect();
await consumer.connect();
await consumer.subscribe({ topic: from as string, fromBeginning: true });
process.once('SIGTERM', () => process.exit(0));
await consumer.run({
  partitionsConsumedConcurrently: 12,
  async eachBatch({ batch, resolveOffset, heartbeat, commitOffsetsIfNecessary }) {
    await producer.send({
      topic: to as string,
      messages: batch.messages.map(({ key }) => ({ key, value, partition: batch.partition })),
    });
    resolveOffset(batch.lastOffset());
    await commitOffsetsIfNecessary();
    await heartbeat();
  },
});
