import type { DeadLetterCountView, DeadLetterDetailView, DeadLetterView, RedriveView } from '@volley/contract/http';
import type { StreamRecord } from '@volley/stream';
import type { Campaign } from './core/campaign.ts';
import type {
  DeadLetter,
  DeadLetterFilter,
  EndedMessage,
  LeftCause,
  LetterCursor,
  LetterPlace,
  Mark,
  NewRedrive,
  RedriveJob,
} from './core/redrive.ts';
import type { Lease } from './ports.ts';

/* What redrives and the list of dead letters ask of the world, and what the HTTP side asks of them. */
export type {
  DeadLetter,
  DeadLetterFilter,
  EndedMessage,
  LeftCause,
  LetterCursor,
  LetterPlace,
  Mark,
  NewRedrive,
  RedriveJob,
} from './core/redrive.ts';

/** What stands failed or dead. Rejects with StoreUnavailable when ClickHouse does not answer; seconds behind the log. */
export interface DeadLetterIndex {
  /** Those that failed at `beforeMs` or earlier: newest first, or by campaign and id; after the cursor of that order. */
  page(want: {
    readonly filter: DeadLetterFilter;
    readonly beforeMs?: number;
    readonly newestFirst?: { readonly after?: { readonly occurredAtMs: number; readonly message_id: string } };
    readonly after?: LetterCursor;
    readonly limit: number;
  }): Promise<DeadLetter[]>;
  find(messageId: string): Promise<DeadLetter | undefined>;
  /** Messages of one campaign that stand expired since `beforeMs` or earlier, by id. */
  expired(want: {
    readonly campaignId: string;
    readonly beforeMs: number;
    readonly after?: string;
    readonly limit: number;
  }): Promise<EndedMessage[]>;
}

/**
 * The letters at these places, by `placeKey`; one that the log no longer has is in neither. `postponed`: places whose
 * letters would be more than fits into memory at once; never all of them.
 */
export type LetterReader = (
  places: readonly LetterPlace[],
) => Promise<{ readonly found: Map<string, StreamRecord>; readonly postponed: ReadonlySet<string> }>;

export interface RedriveJobs {
  create(job: NewRedrive): Promise<RedriveJob>;
  find(tenantId: string, redriveId: string): Promise<RedriveJob | undefined>;
  /** Newest first, below `before`. */
  list(tenantId: string, page: { before?: string; limit: number }): Promise<RedriveJob[]>;
  /** Durable: the role stops it after what it is writing. Does nothing to one that has ended. */
  cancel(tenantId: string, redriveId: string): Promise<RedriveJob | undefined>;
  /** What somebody has done with these, by `markKey`; absent: nothing. */
  marked(marks: readonly Pick<Mark, 'message_id' | 'run'>[]): Promise<Map<string, 'redriven' | 'purged'>>;
}

export interface ClaimedRedrive {
  readonly lease: Lease;
  readonly job: RedriveJob;
  readonly cursor: LetterCursor | undefined;
  /** The index has nothing more for it. */
  readonly allSelected: boolean;
}

/** The role's side of a job. What takes a fence does nothing, and answers undefined, when another owner has the job now. */
export interface RedriveStore {
  due(): Promise<{ redriveId: string; cancelRequested: boolean }[]>;
  claim(redriveId: string): Promise<ClaimedRedrive | undefined>;
  /**
   * One transaction: what is not marked yet by anybody is marked for this job, the cursor moves, and from then on none of
   * these campaigns comes to its end. Only with no mark pending: campaigns of earlier pages are let go.
   */
  select(
    redriveId: string,
    fence: number,
    page: { marks: readonly Mark[]; cursor: LetterCursor | undefined; last: boolean },
  ): Promise<{ lease: Lease; selected: number } | undefined>;
  /** Marked and not settled, by campaign and place in the log: neighbours are read together. */
  pending(redriveId: string, limit: number): Promise<Mark[]>;
  /** `outstanding`: messages of it in the log that have not ended, as of the last save of progress. */
  standing(
    campaignId: string,
  ): Promise<{ campaign: Campaign; publishedVersion: number; outstanding: number } | undefined>;
  /**
   * One transaction: what was redriven, and what was left as it stands, which anybody may select again. `eventEnds`: next
   * offset after the `redriven` events by partition; until progress has counted these the campaign does not come to its end.
   */
  settle(
    redriveId: string,
    fence: number,
    done: {
      readonly redriven: readonly Mark[];
      readonly left: readonly { readonly mark: Mark; readonly cause: LeftCause }[];
      readonly campaignId?: string;
      readonly eventEnds?: Readonly<Record<number, number>>;
    },
  ): Promise<Lease | undefined>;
  finish(redriveId: string, fence: number, status: 'done' | 'cancelled'): Promise<boolean>;
  /** Gives the lease back. */
  release(redriveId: string, fence: number): Promise<void>;
}

/** What an operator may do with dead letters. */
export interface DeadLetterDesk {
  /** Newest first, without those that somebody has redriven or purged. `next`: where the next page begins. */
  list(page: {
    filter: DeadLetterFilter;
    limit: number;
    after?: { readonly occurredAtMs: number; readonly message_id: string } | undefined;
  }): Promise<{ data: DeadLetterView[]; next: { occurredAtMs: number; message_id: string } | undefined }>;
  /** undefined: this message stands neither failed nor dead. */
  show(messageId: string): Promise<DeadLetterDetailView | undefined>;
  /** Counts, and unless it is a dry run makes the job that a redrive role takes up. */
  ask(wanted: {
    readonly action: RedriveJob['action'];
    readonly filter: DeadLetterFilter;
    readonly limit: number | null;
    readonly rate_per_second: number | null;
    readonly reason_text: string;
    readonly dry_run: boolean;
  }): Promise<DeadLetterCountView | RedriveView>;
  redrives(page: { before?: string; limit: number }): Promise<RedriveView[]>;
  redrive(redriveId: string): Promise<RedriveView | undefined>;
  cancel(redriveId: string): Promise<RedriveView | undefined>;
}
