import type { CampaignEvent, Decoded, Lane, Message, RetryTier, Topics } from '@volley/contract';
import type { Clock, Failpoints } from '@volley/runtime';
import type { CampaignState } from './core/campaign-book.ts';
import type { Failure } from './core/classify.ts';
import type { GuardLimits } from './core/dead-letter-guard.ts';
import type { RetryPolicy } from './core/decide.ts';
import type { EventEffect, KeptEffect } from './core/effect.ts';
import type { Hints } from './core/hints.ts';
import type { Tracked } from './core/job.ts';
import type { Ledger } from './core/ledger.ts';
import type { Backlog, Limits, ProviderLimits } from './core/limits.ts';
import type { Written } from './core/order-of-effects.ts';
import type { OutgoingMessage, RenderResult } from './core/outgoing.ts';

export type { CampaignState } from './core/campaign-book.ts';
export type { Failure } from './core/classify.ts';
export type { Tracked } from './core/job.ts';
export type { OutgoingMessage, RenderResult } from './core/outgoing.ts';

/** What a provider said to one call. */
export type SendOutcome =
  | { readonly ok: true; readonly detail: string }
  | { readonly ok: false; readonly failure: Failure };

/**
 * A way to a recipient.
 * - Every expected failure is a value; a rejection is a bug and ends the process.
 * - `attempt` counts from 1; attempts of one message carry the same message id, which is the provider's idempotency key.
 * - When `signal` aborts, the call's resources are freed; what it still resolves to is ignored.
 * - Any number of calls may run at once; the pipeline keeps to the provider's `concurrency`.
 * - `close` ends idle connections. Idempotent.
 */
export interface Channel {
  send(
    message: OutgoingMessage,
    call: { readonly attempt: number; readonly signal: AbortSignal },
  ): Promise<SendOutcome>;
  close(): Promise<void>;
}

/** A provider that this process can reach. */
export interface Route extends ProviderLimits {
  readonly kind: 'simulated' | 'smtp' | 'webhook';
  readonly from: string | undefined;
  readonly channel: Channel;
}

/**
 * Undefined: no provider of that channel and name is configured here. An empty name means the first of the channel. A
 * tenant of rehearsals gets what sends nothing, under the name of a rehearsal, and any other tenant a real one.
 */
export interface Routes {
  find(channel: string, provider: string, tenantId: string): Route | undefined;
}

/** Templates are compiled on first use and forgotten when memory asks for it; rendering never throws. */
export interface Renderer {
  render(campaign: CampaignState, message: Message): RenderResult;
  /** The campaign has changed or ended. */
  forget(campaignId: string): void;
}

/**
 * Where effects go. Both calls resolve only when all in-sync replicas have everything, in the order given, and try for
 * ever until then: an effect is never given up, its partition just stands still. Neither rejects.
 */
export interface DeliveryLog {
  /** Dead letters and moved records. Both answer where each one lies, in the order given. */
  keep(effects: readonly KeptEffect[]): Promise<readonly Written[]>;
  /** Each in the partition number of its message. */
  events(events: readonly EventEffect[]): Promise<readonly Written[]>;
}

/** The consumer loop of packages/stream, as far as the pipeline uses it. */
interface Assignment {
  /** All effects of this record are acknowledged. Ignored when its epoch is over. */
  settle(tracked: Tracked): void;
  /** -1 while no assignment holds. */
  currentEpoch(): number;
  /** Monotonic time of the group coordinator's last answer. */
  lastHeartbeatMs(): number;
  /** Commits watermarks and what is said beside them; resolves also when that could not be done. */
  commitNow(): Promise<unknown>;
  /** Nothing more of it is to be handed over, and readiness says why. */
  stopPartition(topic: string, partition: number, why: string): void;
}

/** A topic partition that is ours now, and the next offset of its log as of then. */
export interface Assigned {
  readonly topic: string;
  readonly partition: number;
  readonly logEnd: number;
}

/** Asks the registry until it has answered: resolves when the schema is known, or confirmed not to exist. Never rejects. */
export interface Schemas {
  ensure(schemaId: number): Promise<void>;
}

/** What operators see. Calls are cheap: some come once a message. */
export interface Watch {
  attempt(channel: string, result: string, providerMs: number): void;
  /** These events are acknowledged. */
  recorded(effects: readonly EventEffect[]): void;
  /** These dead letters and moved records are acknowledged. */
  kept(effects: readonly KeptEffect[]): void;
  /** A dead letter that no message could be named for: it is kept, and counted nowhere else. */
  unattributed(): void;
  /** An answer that came after its deadline; `accepted`: the provider has it, and a retry may double it. */
  lateAnswer(accepted: boolean): void;
  /** A record that needed no send, because its message had ended before. */
  skippedRepeat(): void;
  /** A test message came to its end, of which nothing is written. */
  test(end: string): void;
}

export interface PipelineOptions {
  readonly decode: (bytes: Buffer | null) => Decoded<Message>;
  readonly schemas: Schemas;
  readonly renderer: Renderer;
  readonly routes: Routes;
  readonly limits: Limits;
  readonly ledger: Pick<Ledger, 'isOpen' | 'look' | 'note'>;
  readonly hints: Pick<Hints, 'note' | 'mark'>;
  readonly topics: Topics;
  readonly tiers: readonly RetryTier[];
  readonly policy: RetryPolicy;
  readonly log: DeliveryLog;
  readonly assignment: Assignment;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly failpoints: Failpoints;
  readonly watch: Watch;
  /** C: messages whose attempt is under way or whose event is not acknowledged yet. What a crash can double, at most. */
  readonly slots: number;
  readonly retryBaseMs: number;
  readonly retryCapMs: number;
  /** One attempt, with everything that belongs to it. */
  readonly sendDeadlineMs: number;
  readonly sessionTimeoutMs: number;
  /** How long what cannot run may stand, and what is in memory waits for its campaign to be resumed. */
  readonly standMs?: number;
  readonly pauseGraceMs?: number;
  readonly guard?: GuardLimits;
  /** A bug, or an assignment that ended unnoticed: the process must end at once. Nothing is started or written after it. */
  readonly onFatal: (error: Error) => void;
}

export interface Pipeline {
  /** A record of the campaign topic; to be fed up to the topic's end before the first message. */
  onCampaign(event: CampaignEvent): void;
  /** A tombstone of the campaign topic. */
  onCampaignRemoved(campaignId: string): void;
  /** The handler of the consumer loop: enqueues. */
  onRecords(records: readonly Tracked[], logEnd: number): void;
  onAssigned(partitions: readonly Assigned[]): void;
  /** The ledger of this partition number is read: its records may start. */
  onLedgerOpen(partition: number): void;
  onRevoked(): void;
  /** What is held on this name may be able to go on. */
  wake(on: string): void;
  /** To be called a few times a second: deadlines of sends, and whether this process has been presumed dead. */
  tick(): void;
  /** Starts nothing new, lets what runs end within `deadlineMs`, then aborts it. True: everything was acknowledged. */
  stop(deadlineMs: number): Promise<boolean>;
  state(): PipelineState;
  /** What waits in memory, by campaign: the weights of this process's shares. */
  backlog(): readonly Backlog[];
}

export interface PipelineState {
  readonly running: number;
  readonly waiting: number;
  readonly campaigns: number;
  /** Effects that the log has not acknowledged yet. */
  readonly unacknowledged: number;
  /** Partitions that wait for the schema registry. */
  readonly awaitingSchema: number;
  /** Batches that wait for the ledger of their number. */
  readonly awaitingLedger: number;
  /** Records of tiers that are not due yet, and of held that wait for a pass. */
  readonly notDue: number;
  readonly keptBack: number;
  readonly lanes: Readonly<Record<Lane, { readonly running: number; readonly waiting: number }>>;
  readonly held: readonly { readonly campaignId: string; readonly on: string; readonly sinceMs: number }[];
}
