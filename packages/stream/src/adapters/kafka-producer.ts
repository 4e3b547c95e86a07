import kafkajs, { type RecordMetadata } from 'kafkajs';
import { createBatchWriter, type PartitionAnswer, WriteRejected, type WriterBackend } from '../batch-writer.ts';
import { type ProducerOptions, type StreamProducer, StreamUnavailable } from '../port.ts';
import type { TopicLimits } from '../topic-directory.ts';
import { encodeBatchesInOneGo, sortedInOneGo } from './kafka-batch.ts';
import { type Connection, errorType, type KafkaSettings, openKafka, SHORT_RETRY, within } from './kafka-connection.ts';
import { createLeaders, LeaderMoved, type TopicMessages } from './kafka-leaders.ts';

/** What the broker says of the records themselves. */
const REFUSALS = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'INVALID_TIMESTAMP']);

export async function createKafkaProducer(settings: KafkaSettings, options: ProducerOptions): Promise<StreamProducer> {
  const deadlineMs = options.deadlineMs ?? 30_000;
  const open = () => connectBackend(settings, options.clientId, deadlineMs);

  // The first connection is made here, so that a wrong address shows before the first record.
  let first: WriterBackend | undefined;
  let timer: NodeJS.Timeout | undefined;
  const connecting = open();
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, deadlineMs, undefined);
  });
  try {
    first = await Promise.race([connecting, late]);
  } catch (error) {
    throw new StreamUnavailable(`no producer within ${deadlineMs} ms`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
  if (first === undefined) {
    connecting.then(
      (backend) => backend.abandon(),
      () => {},
    );
    throw new StreamUnavailable(`no producer within ${deadlineMs} ms`);
  }

  return createBatchWriter(options, {
    async connect() {
      const backend = first ?? (await open());
      first = undefined;
      return backend;
    },
    describe: (topic) => describeTopic(settings, options.clientId, topic),
  });
}

async function connectBackend(settings: KafkaSettings, clientId: string, deadlineMs: number): Promise<WriterBackend> {
  encodeBatchesInOneGo();
  // As long as kafkajs retries by itself the broker recognises a repeated request: it must outlast every deadline.
  const retry = { initialRetryTime: 20, multiplier: 2, maxRetryTime: 500, retries: Math.ceil(deadlineMs / 500) + 60 };
  const connection = openKafka(settings, clientId, retry);
  const leaders = createLeaders();
  const producer = connection.kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    // The partition is always given: a partitioner that runs again on a retry could choose another one.
    createPartitioner:
      () =>
      ({ topic, partitionMetadata, message }) => {
        leaders.check(topic, partitionMetadata, message.partition as number);
        return message.partition as number;
      },
    retry,
  });
  async function sendToOne(topics: TopicMessages[]): Promise<PartitionAnswer[]> {
    for (const { messages } of topics) sortedInOneGo(messages);
    let answers: (RecordMetadata & { baseOffset?: string })[];
    try {
      answers = await producer.sendBatch({ acks: -1, topicMessages: topics as never });
    } catch (error) {
      // Nothing of it is under way, and the sequence numbers are those from before: as if it had not been tried.
      if (error instanceof LeaderMoved || (error as Error).cause instanceof LeaderMoved) return sendToLeaders(topics);
      const type = errorType(error);
      settings.log('warn', 'a produce request failed', { clientId, type, error: (error as Error).message });
      if (type !== undefined && REFUSALS.has(type)) throw new WriteRejected(type, { cause: error });
      throw error;
    }
    return answers.map(({ topicName, partition, errorCode, baseOffset }) => ({
      topic: topicName,
      partition,
      errorCode,
      baseOffset: Number(baseOffset ?? -1),
    }));
  }
  /** At once: no two of these requests have a partition in common, and each partition has its own sequence numbers. */
  async function sendToLeaders(topics: readonly TopicMessages[]): Promise<PartitionAnswer[]> {
    const results = await Promise.allSettled(leaders.split(topics).map(sendToOne));
    const failed = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason);
    const refused = failed.find((reason) => reason instanceof WriteRejected);
    if (refused !== undefined || failed.length === results.length) throw refused ?? failed[0];
    return results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
  }
  try {
    await producer.connect();
  } catch (error) {
    connection.abandon();
    throw error;
  }
  return {
    send: sendToLeaders,
    close: () => closeProducer(connection, producer.disconnect()),
    abandon: () => connection.abandon(),
  };
}

async function closeProducer(connection: Connection, disconnecting: Promise<void>): Promise<void> {
  await within(2_000, disconnecting);
  connection.abandon();
}

/** Asked once for each topic in a producer's life, over a connection of its own. */
async function describeTopic(settings: KafkaSettings, clientId: string, topic: string): Promise<TopicLimits | null> {
  const connection = openKafka(settings, clientId, SHORT_RETRY);
  const admin = connection.kafka.admin();
  try {
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const partitions = topics[0]?.partitions.length ?? 0;
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: ['max.message.bytes'] }],
    });
    const value = Number(resources[0]?.configEntries[0]?.configValue);
    return { partitions, maxRecordBytes: value > 0 ? value : 1_048_588 };
  } catch (error) {
    const type = errorType(error);
    if (type === 'UNKNOWN_TOPIC_OR_PARTITION' || type === 'INVALID_TOPIC_EXCEPTION') return null;
    throw error;
  } finally {
    await within(1_000, admin.disconnect());
    connection.abandon();
  }
}
