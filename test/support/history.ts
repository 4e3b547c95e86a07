import type { StatsView } from './api-client.ts';

/** Where a record lies in its topic. */
export interface Place {
  readonly partition: number;
  readonly offset: number;
}

/** A message record of a lane, a tier or held. */
export interface LogMessage extends Place {
  readonly topic: string;
  readonly messageId: string;
  readonly run: number;
  /** From 1; 0 for a direct message, and for a value that cannot be read. */
  readonly ordinal: number;
  readonly recipient: string;
  /** Of key, value and headers as the record first arrived (what a move adds is left out). */
  readonly digest: string;
  /** Id of the redrive that wrote it; empty otherwise. */
  readonly redrive: string;
}

/** A message record that was moved to a tier or to held. */
export interface MovedMessage extends LogMessage {
  /** `5s`, `1m`, `10m`, `1h` or `held`. */
  readonly tier: string;
  readonly attempts: number;
  readonly deferrals: number;
  /** Epoch milliseconds; 0: at once. */
  readonly notBeforeMs: number;
  /** topic/partition/offset/timestamp of the record as it first arrived. */
  readonly origin: string;
}

export interface LogEvent extends Place {
  readonly messageId: string;
  readonly run: number;
  readonly recipient: string;
  readonly kind: string;
  readonly previousKind: string | null;
  readonly attempt: number;
  readonly deferrals: number;
  readonly tier: string;
  readonly reason: string;
  /** Epoch milliseconds of the outcome, and how long the call took. */
  readonly occurredAtMs: number;
  readonly providerMs: number;
  readonly dlqPartition: number | null;
  readonly dlqOffset: number | null;
}

export interface StoredRow extends Place {
  readonly messageId: string;
  readonly kind: string;
  /** Marked as said before, and so left out of every sum; undefined: not known. */
  readonly isRepeat?: boolean;
}

/** Events of one kind in one minute or hour, as ClickHouse keeps them beside the rows. */
export interface RollupCell {
  readonly unit: 'minute' | 'hour';
  /** Epoch milliseconds of its beginning. */
  readonly atMs: number;
  readonly kind: string;
  readonly events: number;
}

export interface DeadLetterAt extends Place {
  readonly messageId: string;
  readonly run: number;
  readonly reason: string;
  readonly digest: string;
  readonly origin: string;
  /** Its value was cut because the log does not take it whole: the bytes cannot be compared. */
  readonly truncated: boolean;
}

/** One call that reached the provider, as the provider itself wrote it down. */
export interface Receipt {
  readonly messageId: string;
  readonly attempt: number;
  readonly accepted: boolean;
  /** Who it was for and when it came, where the provider writes that down. */
  readonly recipient?: string;
  readonly atMs?: number;
}

/** A call of the API as its caller wrote it down. Only `ok` and `refused` promise something; `unknown` got no answer or a 5xx. */
export interface Call {
  readonly outcome: 'ok' | 'refused' | 'unknown';
  /** What makes a repetition recognisable: an Idempotency-Key, or the client's own id. */
  readonly key: string;
  /** The ids that the answer named, or that the call would have made. */
  readonly ids: readonly string[];
}

/** Where a group stands in a partition, against the log as of the same moment. */
export interface Position {
  readonly topic: string;
  readonly partition: number;
  /** -1: no commit. */
  readonly committed: number;
  readonly start: number;
  readonly end: number;
}

/** The dispatcher's commits at one moment, and then (in this order) where the deliveries ended. */
export interface CommitSnapshot {
  readonly when: string;
  readonly commits: readonly Pick<Position, 'topic' | 'partition' | 'committed'>[];
  /** By partition number. */
  readonly deliveriesEnds: readonly number[];
}

/** Everything that any part of the system says about one campaign, after it has ended and settled. Plain data. */
export interface History {
  readonly campaignId: string;
  /** Size of the frozen audience, as `send` answered. */
  readonly expected: number;
  /** Ids of direct messages that the API acknowledged: accepted like those of the audience. */
  readonly direct?: readonly string[];
  /** Ids of direct messages whose call got no answer: each is one message or none. */
  readonly unsure?: readonly string[];
  readonly calls?: readonly Call[];
  readonly status: string;
  readonly stats: StatsView;
  /** Rows of the frozen audience in Postgres. */
  readonly frozen?: number;
  /** The messages by state as ClickHouse counts them. */
  readonly analytics?: Readonly<Record<string, number>>;
  /** The lanes' topics, in offset order per partition. */
  readonly messages: readonly LogMessage[];
  /** Tiers and held. */
  readonly moved: readonly MovedMessage[];
  /** `deliveries`, in offset order per partition. */
  readonly events: readonly LogEvent[];
  readonly deadLetters: readonly DeadLetterAt[];
  /** `delivery_events` in ClickHouse (or what stands for it). */
  readonly rows: readonly StoredRow[];
  /** `throughput_per_minute` and `throughput_per_hour`. */
  readonly rollups?: readonly RollupCell[];
  readonly receipts: readonly Receipt[];
  /** The campaign's own `max_attempts`, or the dispatcher's. */
  readonly maxAttempts?: number;
  /** The groups' places at the end, when nothing is under way. */
  readonly positions?: readonly Position[];
  readonly snapshots?: readonly CommitSnapshot[];
}

/** What a crash may have left behind, at most. Without a crash all of it is zero. */
export interface Allowance {
  /** Messages written to the lane once more. */
  readonly doubledMessages: number;
  /** Accepted calls beyond the first of each message. */
  readonly duplicateSends: number;
  /** Accepted calls beyond the first of any one message. */
  readonly duplicatesOfOne: number;
  /** Terminal events beyond the first of each message and run. */
  readonly doubledEvents: number;
  /** Deferrals that were written before, or after the end. */
  readonly doubledDeferrals: number;
  /** Records of tiers and held beyond the first of each move. */
  readonly doubledMoves: number;
  /** Rows beyond the first of each place in the log. */
  readonly doubledRows: number;
  /** Dead letters beyond the first of each message and run. */
  readonly doubledDeadLetters: number;
}

export const NOTHING_DOUBLED: Allowance = {
  doubledMessages: 0,
  duplicateSends: 0,
  duplicatesOfOne: 0,
  doubledEvents: 0,
  doubledDeferrals: 0,
  doubledMoves: 0,
  doubledRows: 0,
  doubledDeadLetters: 0,
};

/** Of what ends or moves without a call a dispatcher has more under way than it has slots: services/dispatcher/src/pipeline.ts. */
const MOST_WITHOUT_A_CALL = 8_192;

/**
 * The bound of the promise: at most C (slots) a process and death or lost answer, and no message more often than there were
 * deaths. Each such message may leave its event and its dead letter twice as well; its move too, and so may messages that
 * moved without a call (a campaign that is not known yet, a pause).
 */
export function boundOf(facts: { readonly deaths: number; readonly slots: number }): Partial<Allowance> {
  const most = facts.deaths * facts.slots;
  return {
    duplicateSends: most,
    duplicatesOfOne: facts.deaths,
    doubledEvents: most,
    doubledDeferrals: most,
    doubledMoves: Math.max(most, facts.deaths * MOST_WITHOUT_A_CALL),
    doubledDeadLetters: most,
  };
}
