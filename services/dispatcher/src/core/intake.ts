import type { Decoded, Message } from '@volley/contract';
import type { Tally } from './dead-letter-guard.ts';
import type { Tracked } from './job.ts';

/**
 * From bytes to messages, in log order per partition. A record whose schema is not known yet holds its partition, and
 * only that one, until the registry has answered: the registry being away is never a reason to give a record up.
 */
export interface Intake {
  /** Records of one partition, in offset order. */
  offer(records: readonly Tracked[]): void;
  /** The assignment is over: what waits is dropped. */
  clear(): void;
  /** Partitions that wait for the registry. */
  blocked(): number;
}

export function createIntake(options: {
  readonly decode: (bytes: Buffer | null) => Decoded<Message>;
  /** Resolves when the schema is known, or known not to exist. Never rejects: it asks until it is told. */
  readonly ensureSchema: (schemaId: number) => Promise<void>;
  /** Takes a message, or says why the record is none. */
  readonly accept: (tracked: Tracked, message: Message) => string | undefined;
  readonly refuse: (
    tracked: Tracked,
    reason: 'undecodable' | 'unknown_schema' | 'wrong_record',
    detail: string,
    /** What its value says, where that can be read. */
    message: Message | undefined,
  ) => void;
  /** What this partition has carried: beyond a limit nothing more of it is taken, and `tripped` is called. */
  readonly tallyOf: (topic: string, partition: number) => Tally;
  readonly tripped: (tracked: Tracked, why: string) => void;
  /** After a partition went on by itself: there may be something to start. */
  readonly resumed: () => void;
}): Intake {
  let backlogs = new Map<string, Tracked[]>();

  /** Index of the first record that must wait, or the length. */
  const takeUntilUnknown = (records: readonly Tracked[]): { next: number; schemaId: number } => {
    const { topic, partition } = (records[0] as Tracked).record;
    const tally = options.tallyOf(topic, partition);
    for (let i = 0; i < records.length && tally.tripped === undefined; i++) {
      const tracked = records[i] as Tracked;
      const decoded = options.decode(tracked.record.value);
      if (!decoded.ok && decoded.reason === 'needs_schema') return { next: i, schemaId: decoded.schemaId };
      const flaw = decoded.ok ? options.accept(tracked, decoded.value) : decoded.detail;
      if (flaw === undefined) {
        tally.message();
        continue;
      }
      tally.noMessage();
      // The one at which it trips stays where it is: the next owner looks at it again.
      if (tally.tripped !== undefined) options.tripped(tracked, tally.tripped);
      else if (decoded.ok) options.refuse(tracked, 'undecodable', flaw, decoded.value);
      else options.refuse(tracked, decoded.reason, flaw, undefined);
    }
    return { next: records.length, schemaId: -1 };
  };

  const wait = async (key: string, backlog: Tracked[], firstId: number): Promise<void> => {
    for (let schemaId = firstId; ; ) {
      await options.ensureSchema(schemaId);
      if (backlogs.get(key) !== backlog) return;
      const taken = takeUntilUnknown(backlog);
      backlog.splice(0, taken.next);
      if (backlog.length === 0) {
        backlogs.delete(key);
        return options.resumed();
      }
      options.resumed();
      schemaId = taken.schemaId;
    }
  };

  return {
    offer(records) {
      const first = records[0];
      if (first === undefined) return;
      const key = `${first.record.topic}/${first.record.partition}`;
      const waiting = backlogs.get(key);
      if (waiting !== undefined) {
        for (const tracked of records) waiting.push(tracked);
        return;
      }
      const taken = takeUntilUnknown(records);
      if (taken.next === records.length) return;
      const backlog = records.slice(taken.next);
      backlogs.set(key, backlog);
      void wait(key, backlog, taken.schemaId);
    },
    clear() {
      backlogs = new Map();
    },
    blocked: () => backlogs.size,
  };
}
