import type { StreamClient, StreamConsumer } from '../port.ts';
import { createKafkaAdmin } from './kafka-admin.ts';
import type { Log } from './kafka-connection.ts';
import { createKafkaConsumer } from './kafka-consumer.ts';
import { followKafka, readKafkaRanges } from './kafka-follow.ts';
import { createKafkaProducer } from './kafka-producer.ts';

export type { Log, LogLevel } from './kafka-connection.ts';

export interface KafkaClientOptions {
  readonly brokers: readonly string[];
  /** For what has no clientId of its own: questions and ranges. */
  readonly clientId: string;
  readonly log?: Log;
}

/** The port on kafkajs 2.2.4. Nothing connects before it is used. */
export function createKafkaClient(options: KafkaClientOptions): StreamClient {
  const settings = { brokers: options.brokers, log: options.log ?? (() => {}) };
  const closers = new Set<() => Promise<void>>();

  /** What was closed by its owner is forgotten: an admin is opened for a few questions at a time. */
  const opened = <T extends { close(): Promise<void> }>(made: T): T => {
    const close = () => {
      closers.delete(close);
      return made.close();
    };
    closers.add(close);
    return { ...made, close };
  };

  return {
    producer: async (of) => opened(await createKafkaProducer(settings, of)),
    consumer(of): StreamConsumer {
      const consumer = createKafkaConsumer(settings, of);
      closers.add(() => consumer.stop());
      return consumer;
    },
    async follow(of) {
      const follower = await followKafka(settings, of);
      closers.add(() => follower.stop());
      return follower;
    },
    readRanges: (of) => readKafkaRanges(settings, options.clientId, of),
    admin: async () => opened(createKafkaAdmin(settings, options.clientId)),
    async close() {
      await Promise.all([...closers].map((close) => close()));
      closers.clear();
    },
  };
}
