import { randomUUID } from 'node:crypto';
import type { ExecutionContext, TestFn } from 'ava';
import { createConsumerLoop } from '../consumer-loop.ts';
import type { ConsumerLoopOptions, LoopHandler, TrackedRecord } from '../loop.ts';
import type {
  AssignedPartition,
  ConsumerOptions,
  OutgoingRecord,
  RecordBatch,
  StreamClient,
  StreamRecord,
} from '../port.ts';

export interface Harness {
  client(): StreamClient;
  /** Everything below `to` is gone, as retention or deleteRecords does it. */
  truncate(topic: string, partition: number, to: number): Promise<void>;
}

/** One test: its own client, topics and groups. Everything opened through the client is closed at its end. */
export interface Bench {
  readonly t: ExecutionContext;
  readonly harness: Harness;
  readonly client: StreamClient;
  /** Unique to this test. */
  name(what: string): string;
  topic(partitions: number, config?: Record<string, string>): Promise<string>;
  /** Fills a partition with `count` records whose values are '0', '1', … */
  fill(topic: string, partition: number, count: number, bytes?: number): Promise<void>;
}

export type Declare = (title: string, body: (bench: Bench) => Promise<void>) => void;

export function declareWith(test: TestFn, open: () => Harness): Declare {
  return (title, body) => {
    test(title, async (t) => {
      const harness = open();
      const client = harness.client();
      const id = randomUUID().slice(0, 8);
      const admin = await client.admin();
      const topics: string[] = [];
      const bench: Bench = {
        t,
        harness,
        client,
        name: (what) => `${what}-${id}`,
        async topic(partitions, config = {}) {
          const topic = `conformance-${id}-${topics.length}`;
          topics.push(topic);
          await admin.ensureTopics([{ topic, partitions, replicationFactor: 1, config }]);
          return topic;
        },
        async fill(topic, partition, count, bytes = 0) {
          // Small batches: a log answers with whole ones, so they are the step in which read-ahead overshoots.
          const producer = await client.producer({ clientId: `fill-${id}`, maxBatchBytes: 32 * 1024 });
          const records = Array.from({ length: count }, (_, i) => text(topic, partition, `${i}`.padEnd(bytes, '.')));
          await producer.send(records);
          await producer.close();
        },
      };
      try {
        await body(bench);
      } finally {
        await admin.deleteTopics(topics);
        await client.close();
      }
    });
  };
}

export const text = (topic: string, partition: number, value: string): OutgoingRecord => ({
  topic,
  partition,
  key: null,
  value: Buffer.from(value),
});

export const textOf = ({ value }: StreamRecord): string => value?.toString() ?? '';

/** Waits for a condition, and says which one did not come. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, withinMs = 20_000) {
  const deadlineAtMs = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadlineAtMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export interface Collected {
  readonly events: ('assigned' | 'revoked' | 'batch')[];
  readonly batches: RecordBatch[];
  readonly assignments: { epoch: number; partitions: readonly AssignedPartition[] }[];
  readonly revoked: number[];
  readonly fatal: Error[];
}

export function collecting(
  client: StreamClient,
  groupId: string,
  topics: string[],
  clientId: string,
  more: Pick<ConsumerOptions, 'exclusive'> = {},
) {
  const seen: Collected = { events: [], batches: [], assignments: [], revoked: [], fatal: [] };
  const consumer = client.consumer({
    groupId,
    topics,
    clientId,
    heartbeatIntervalMs: 200,
    ...more,
    events: {
      onBatch(batch) {
        seen.events.push('batch');
        seen.batches.push(batch);
      },
      onAssigned(epoch, partitions) {
        seen.events.push('assigned');
        seen.assignments.push({ epoch, partitions });
      },
      onRevoked(epoch) {
        seen.events.push('revoked');
        seen.revoked.push(epoch);
      },
      onFatal: (error) => seen.fatal.push(error),
    },
  });
  const records = () => seen.batches.flatMap((batch) => batch.records);
  const epoch = () => seen.assignments[seen.assignments.length - 1]?.epoch ?? -1;
  return { consumer, seen, records, epoch };
}

/** A loop whose records are kept for the test to settle. */
export function looping(
  client: StreamClient,
  groupId: string,
  topics: string[],
  clientId: string,
  more: Partial<Omit<ConsumerLoopOptions, 'handler'>> & Pick<LoopHandler, 'metadata' | 'needsMore'> = {},
) {
  const { metadata, needsMore, ...options } = more;
  const held: TrackedRecord[] = [];
  const all: StreamRecord[] = [];
  const stopped: { partition: number; topic: string; why: string }[] = [];
  const fatal: Error[] = [];
  const assignments: (readonly AssignedPartition[])[] = [];
  const revoked: number[] = [];
  const loop = createConsumerLoop({
    client,
    groupId,
    topics,
    clientId,
    commitIntervalMs: 20,
    heartbeatIntervalMs: 200,
    ...options,
    handler: {
      onRecords(records) {
        held.push(...records);
        for (const { record } of records) all.push(record);
      },
      onAssigned: (partitions) => assignments.push(partitions),
      onRevoked: (epoch) => revoked.push(epoch),
      onPartitionStopped: (of, why) => stopped.push({ ...of, why }),
      onFatal: (error) => fatal.push(error),
      ...(metadata === undefined ? {} : { metadata }),
      ...(needsMore === undefined ? {} : { needsMore }),
    },
  });
  /** Settles what the test chooses, and forgets it. */
  const settle = (choose: (record: StreamRecord) => boolean = () => true) => {
    const keep: TrackedRecord[] = [];
    for (const tracked of held.splice(0)) {
      if (choose(tracked.record)) loop.settle(tracked);
      else keep.push(tracked);
    }
    held.push(...keep);
  };
  return { loop, held, all, stopped, fatal, assignments, revoked, settle };
}
