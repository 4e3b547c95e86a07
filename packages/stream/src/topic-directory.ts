import type { OutgoingRecord } from './port.ts';

export interface TopicLimits {
  readonly partitions: number;
  /** Largest record batch the topic takes. */
  readonly maxRecordBytes: number;
}

export interface TopicDirectory {
  known(topic: string): TopicLimits | undefined;
  /** It may have changed: whoever needs it next asks again. */
  forget(topic: string): void;
  /**
   * Asks until the topic is known ('known'), was denied for longer than the grace ('unknown'), or nobody waits any
   * more ('given up'). A log that cannot be asked is asked again.
   */
  resolve(topic: string, wanted: () => boolean): Promise<'known' | 'unknown' | 'given up'>;
  /** Why this record can never be written, 'ask again' where that may be out of date, undefined where it can. */
  refusal(record: OutgoingRecord, bytes: number, limits: TopicLimits): string | undefined;
}

/** Batch header and the least a record costs: above a topic's limit with only these, a record can never fit. */
export const SMALLEST_ENVELOPE_BYTES = 68;

/** A topic that was just created is not known to every broker at once. */
const UNKNOWN_GRACE_MS = 1_500;
/** For so long after a denial one question is enough, so that a wrong name does not stall the others each time. */
const UNKNOWN_MEMORY_MS = 10_000;

/**
 * What a writer must know of a topic before it sends: kafkajs silently drops records of a partition that does not
 * exist, retries an unknown topic for ever, and reports a record that is too large without saying which it was.
 */
export function createTopicDirectory(describe: (topic: string) => Promise<TopicLimits | null>): TopicDirectory {
  const limits = new Map<string, TopicLimits>();
  const unknownUntilMs = new Map<string, number>();
  const lookedAgainAtMs = new Map<string, number>();

  return {
    known: (topic) => limits.get(topic),
    forget: (topic) => {
      limits.delete(topic);
    },
    async resolve(topic, wanted) {
      const graceUntilMs = performance.now() + UNKNOWN_GRACE_MS;
      for (let pauseMs = 20; ; pauseMs = Math.min(500, pauseMs * 2)) {
        let found: TopicLimits | null | undefined;
        try {
          found = await describe(topic);
        } catch {
          found = undefined;
        }
        if (found) {
          limits.set(topic, found);
          unknownUntilMs.delete(topic);
          return 'known';
        }
        const now = performance.now();
        if (found === null && (now > graceUntilMs || (unknownUntilMs.get(topic) ?? 0) > now)) {
          unknownUntilMs.set(topic, now + UNKNOWN_MEMORY_MS);
          return 'unknown';
        }
        if (!wanted()) return 'given up';
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    },
    refusal({ topic, partition }, bytes, { partitions, maxRecordBytes }) {
      if (!Number.isInteger(partition) || partition < 0 || partition >= partitions) {
        // Partitions may have been added since: look again, at most once a second.
        if (performance.now() - (lookedAgainAtMs.get(topic) ?? -Infinity) > 1_000) {
          lookedAgainAtMs.set(topic, performance.now());
          return 'ask again';
        }
        return `${topic} has no partition ${partition}, it has ${partitions}`;
      }
      if (bytes + SMALLEST_ENVELOPE_BYTES > maxRecordBytes) {
        return `a record of ${bytes} bytes does not fit into ${topic}, which takes ${maxRecordBytes}`;
      }
      return undefined;
    },
  };
}
