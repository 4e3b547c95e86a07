import type { OutgoingMessage } from '../batch-writer.ts';

export interface TopicMessages {
  readonly topic: string;
  readonly messages: OutgoingMessage[];
}

interface PartitionLeader {
  readonly partitionId: number;
  readonly leader: number;
}

/** Before a request is made: it would go to another broker than the one it was made for, or to several. */
export class LeaderMoved extends Error {
  override readonly name = 'LeaderMoved';
  /** For kafkajs. */
  readonly retriable = false;
}

const UNKNOWN = -2;

/**
 * A `sendBatch` of kafkajs may go to one broker only, at each of its attempts. Where it goes to several, and one of them
 * fails, kafkajs begins the next attempt while the others are still under way, under sequence numbers that count them in.
 * - What they had not answered yet is written twice (35 lost answers among three brokers left 50 records twice).
 * - When one of them fails after that, its numbers are taken back although later ones are in the log: the broker takes the
 *   next request for a repetition, and acknowledges what it does not write.
 * - An answer that a broker has given stands for a partition that moves to it later (tulios/kafkajs#1303, #1798).
 */
export function createLeaders() {
  const known = new Map<string, { of: readonly PartitionLeader[]; leaders: Map<number, number> }>();
  /** Leader by partition, as the request was made for. */
  const expected = new Map<string, Map<number, number>>();
  /** Of the partitions of which nothing was known when the request was made. */
  let ofUnknown: number | undefined;

  return {
    /** For each message of each attempt, with what kafkajs knows of its topic at this moment. Throws LeaderMoved. */
    check(topic: string, partitions: readonly PartitionLeader[], partition: number): void {
      let seen = known.get(topic);
      if (seen?.of !== partitions) {
        seen = { of: partitions, leaders: new Map(partitions.map(({ partitionId, leader }) => [partitionId, leader])) };
        known.set(topic, seen);
      }
      const now = seen.leaders.get(partition) ?? UNKNOWN;
      let then = expected.get(topic)?.get(partition) ?? UNKNOWN;
      if (then === UNKNOWN) {
        ofUnknown ??= now;
        then = ofUnknown;
      }
      if (now !== then) throw new LeaderMoved(`${topic} ${partition}: its leader is ${now}, not ${then}`);
    },

    /** The same messages in their order, a list of topics for each leader. What is not known goes together. */
    split(topics: readonly TopicMessages[]): TopicMessages[][] {
      ofUnknown = undefined;
      const parts = new Map<number, Map<string, OutgoingMessage[]>>();
      for (const { topic, messages } of topics) {
        const leaders = known.get(topic)?.leaders;
        const made = expected.get(topic) ?? new Map<number, number>();
        expected.set(topic, made);
        for (const message of messages) {
          const leader = leaders?.get(message.partition) ?? UNKNOWN;
          if (made.get(message.partition) !== leader) made.set(message.partition, leader);
          const part = parts.get(leader) ?? new Map<string, OutgoingMessage[]>();
          const there = part.get(topic) ?? [];
          if (there.push(message) === 1) parts.set(leader, part.set(topic, there));
        }
      }
      return [...parts.values()].map((part) => [...part].map(([topic, messages]) => ({ topic, messages })));
    },
  };
}
