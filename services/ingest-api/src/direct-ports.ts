import type { Lane } from '@volley/contract';
import type { Ack } from '@volley/stream';
import type { LineError } from './core/contact.ts';
import type { DirectRecord } from './core/direct.ts';
import type { Result } from './core/result.ts';
import type { ImportLine } from './ports.ts';

/* What direct messages ask of the world, and what the HTTP side asks of them. */
export type { DirectRecord } from './core/direct.ts';

/** Messages of one campaign that are taken together, each under another id. */
export interface Reservation {
  readonly campaignId: string;
  readonly tenantId: string;
  readonly lane: Lane;
  /** Undefined: a request of its own. */
  readonly request: number | undefined;
  readonly records: readonly DirectRecord[];
  /** By partition of the records: they will lie in the log at these offsets or above. */
  readonly logFrom: Readonly<Record<number, number>>;
  /** Earlier batches that the log has acknowledged: they are forgotten with this. */
  readonly written: readonly number[];
}

export type Known =
  /** Taken now, and counted. */
  | 'new'
  /** Came in this request before. */
  | 'own'
  /** Came in another request, and the log has it. */
  | 'known'
  /** Came in another request, of which the log may not have it: written once more. */
  | 'again';

export interface Reserved {
  readonly request: number;
  /** Undefined: nothing of it is to be written. */
  readonly batch: number | undefined;
  /** One for each record of the reservation, in its order. */
  readonly known: readonly Known[];
  /** What the log must be given, `new` and `again`; in the partition of the first time. */
  readonly write: readonly DirectRecord[];
}

export interface DirectBatch {
  readonly batch: number;
  readonly campaignId: string;
  readonly tenantId: string;
  readonly lane: Lane;
  readonly logFrom: Readonly<Record<number, number>>;
  /** What core/direct.ts packed. */
  readonly records: Buffer;
}

export interface DirectStore {
  /**
   * One transaction: what is new is counted, and everything that has to be written is kept until it is said to be. From then
   * on it belongs to the campaign, whatever becomes of this process. 'refused': the campaign takes none, nothing happened.
   */
  reserve(reservation: Reservation): Promise<Reserved | 'refused'>;
  /** The log has them. */
  written(batches: readonly number[]): Promise<void>;
  /** A batch that was left behind, oldest first; nobody else gets it for a while. */
  due(): Promise<DirectBatch | undefined>;
  /** Forgets some of the named messages of campaigns that have ended; answers whether there may be more. */
  forget(): Promise<boolean>;
}

/** The lanes in the log, as far as direct messages need to know them. */
export interface LaneLog {
  /** Records that dispatchers have not committed yet, in the fullest of these partitions; undefined: not known. */
  backlog(lane: Lane, partitions: readonly number[]): Promise<number | undefined>;
  /** At or below what is written from now on, by partition. Does not ask: it may be a while ago. undefined: never known. */
  endsAt(lane: Lane, partitions: readonly number[]): Record<number, number> | undefined;
  saw(lane: Lane, acks: readonly Ack[]): void;
  /** Which of these messages are there, from these offsets on to the end. That may be a whole lane: only those are kept. */
  whichOf(
    messageIds: ReadonlySet<string>,
    lane: Lane,
    from: Readonly<Record<number, number>>,
  ): Promise<ReadonlySet<string>>;
}

export interface DirectCounts {
  readonly accepted: number;
  readonly duplicate: number;
  readonly rejected: number;
}

/** Direct messages. What is answered with ok is in the log. */
export interface DirectMessages {
  /** `key`: names a message that has no id. */
  one(
    campaignId: string,
    fields: Readonly<Record<string, unknown>>,
    key?: string,
  ): Promise<Result<{ message_id: string; duplicate: boolean }>>;
  /** Reads `lines` once, not faster than the log takes them. A failure names how far it is certain (`acknowledged_lines`). */
  many(
    campaignId: string,
    lines: AsyncIterable<readonly ImportLine[]>,
    key?: string,
  ): Promise<Result<DirectCounts & { errors: readonly LineError[] }>>;
  /** One message outside the statistics. */
  test(campaignId: string, to: string): Promise<Result<{ message_id: string }>>;
}
