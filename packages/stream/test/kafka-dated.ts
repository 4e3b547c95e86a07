import kafkajs from 'kafkajs';

/** Writes records with timestamps of the writer's choice, into a topic that takes them (`message.timestamp.type=CreateTime`). */
export interface DatedWriter {
  send(topic: string, partition: number, records: readonly DatedRecord[]): Promise<void>;
}

export interface DatedRecord {
  readonly key: string;
  readonly value: Buffer;
  readonly timestampMs: number;
}

export async function withDatedWriter<T>(kafka: string, run: (writer: DatedWriter) => Promise<T>): Promise<T> {
  const client = new kafkajs.Kafka({ brokers: kafka.split(','), logLevel: kafkajs.logLevel.NOTHING });
  const producer = client.producer();
  await producer.connect();
  try {
    return await run({
      async send(topic, partition, records) {
        const messages = records.map(({ timestampMs, ...rest }) => ({
          ...rest,
          partition,
          timestamp: String(timestampMs),
        }));
        for (let i = 0; i < messages.length; i += 500)
          await producer.send({ topic, messages: messages.slice(i, i + 500) });
      },
    });
  } finally {
    await producer.disconnect();
  }
}
