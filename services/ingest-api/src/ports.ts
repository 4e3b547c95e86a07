import type { ReplayJob } from '@volley/contract/replays';
import type { MetricHandle } from '@volley/runtime';
import type { Campaign, CampaignContent, StoredFact } from './core/campaign.ts';
import type { CampaignView } from './core/campaign-record.ts';
import type { ContactPatch, LineError } from './core/contact.ts';
import type { CountedTo } from './core/freshness.ts';
import type { FrozenRow } from './core/message.ts';
import type { CampaignPart, Tally } from './core/progress.ts';
import type { Result } from './core/result.ts';
import type { Segment } from './core/segment.ts';
import type { StatsView } from './core/stats.ts';

/*
 * What the pipeline asks of the world, and what the HTTP side asks of the pipeline. Each comment is an obligation.
 */
export type { Campaign, CampaignContent, CampaignFact, StoredFact } from './core/campaign.ts';
export type { CampaignView } from './core/campaign-record.ts';
export type { ContactPatch, LineError } from './core/contact.ts';
export type { FrozenRow } from './core/message.ts';
export type { CampaignPart, Tally } from './core/progress.ts';
export type { Failure, FailureDetail, Result } from './core/result.ts';
export type { Segment } from './core/segment.ts';
export type { StatsView } from './core/stats.ts';

/** A store could not be asked within its deadline. What was attempted may or may not have happened. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  readonly store: 'postgres' | 'clickhouse' | 'log';
  constructor(store: 'postgres' | 'clickhouse' | 'log', message: string) {
    super(message);
    this.store = store;
  }
}

// ---- campaigns and contacts -------------------------------------------------------------------------------------

/** A stored answer under an Idempotency-Key. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}
export interface IdempotencyKey {
  readonly key: string;
  /** Hash of method, route and body. */
  readonly fingerprint: string;
}

/** One transaction. Nothing of it is there unless the work returned and the commit was acknowledged. */
export interface CampaignTransaction {
  /** All events of a campaign by version; empty when there is none. */
  facts(campaignId: string): Promise<StoredFact[]>;
  /** The event and its projection. 'conflict': another command took this version; the work must return without effect. */
  append(stored: StoredFact, state: Campaign): Promise<'appended' | 'conflict'>;
  /**
   * Freezes the audience of a campaign that still has `version`: one INSERT … SELECT, ordinals from 1 without a gap.
   * Answers how many rows.
   */
  freeze(campaign: Campaign, segment: Segment): Promise<number | 'conflict'>;
  /** As that, with the audience of another campaign: as it was frozen, or of one that was never sent, as it is now. */
  freezeAs(campaign: Campaign, source: Campaign, segment: Segment): Promise<number | 'conflict'>;
  /** The answer stored under this key, if any; 'other': the key belongs to another request. */
  recall(tenantId: string, key: IdempotencyKey): Promise<Answer | 'other' | undefined>;
  /** A redrive is writing messages of this campaign, or progress has not counted yet what it wrote. */
  redriven(campaignId: string): Promise<boolean>;
  /** 'conflict': the same key was stored meanwhile. */
  remember(tenantId: string, key: IdempotencyKey, answer: Answer): Promise<'stored' | 'conflict'>;
  addReplay(job: ReplayJob): Promise<void>;
}

/** `undo`: rolls everything back and still answers. */
export type Outcome<T> = { readonly commit: T } | { readonly undo: T };

export interface CampaignPage {
  readonly before?: string;
  readonly status?: string;
  /** A part of the name, without case. */
  readonly name?: string;
  readonly channel?: string;
  readonly limit: number;
}

export interface CampaignStore {
  transaction<T>(work: (tx: CampaignTransaction) => Promise<Outcome<T>>): Promise<T>;
  find(tenantId: string, campaignId: string): Promise<Campaign | undefined>;
  /** Newest first, below `before`. */
  list(tenantId: string, page: CampaignPage): Promise<Campaign[]>;
  /** With an id in this range, both ends included. */
  between(tenantId: string, range: { from: string; to: string }): Promise<Campaign[]>;
}

export interface Contact {
  readonly contact_id: string;
  readonly recipient: string;
  readonly name: string | null;
  readonly tags: readonly string[];
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface Upserted {
  readonly imported: number;
  readonly updated: number;
  /** Left out: with their attributes the contact would not fit a message any more. */
  readonly tooLarge: readonly ContactPatch[];
}

export interface ContactStore {
  /**
   * All chunks in one transaction: if `chunks` throws, nothing of them is there. Within a chunk every address is unique.
   * `addTag` joins the tags that a line gives, else those that the contact has.
   * 'busy': another import of this tenant is under way (two at once could lock each other's rows in turns).
   */
  upsert(tenantId: string, chunks: AsyncIterable<readonly ContactPatch[]>, addTag?: string): Promise<Upserted | 'busy'>;
  list(tenantId: string, page: { after?: string; segment: Segment; limit: number }): Promise<Contact[]>;
  remove(tenantId: string, contactId: string): Promise<boolean>;
  /** By its address, without case. */
  byAddress(tenantId: string, address: string): Promise<Contact | undefined>;
  /** The query of `freeze`, without freezing: size, and the first rows by ordinal. */
  audience(tenantId: string, segment: Segment, limit: number): Promise<{ total: number; rows: FrozenRow[] }>;
}

/**
 * A role is a round that the process calls again and again. true: there is more to do at once; 'waiting': there will be more
 * without anybody's word, so the next round comes as soon as rounds do.
 */
export type Round = (stopping?: AbortSignal) => Promise<boolean | 'waiting'>;
/** Handles of src/metrics.ts by their key. */
export type Metric = Readonly<Record<string, MetricHandle>>;

// ---- background roles -------------------------------------------------------------------------------------------

/** `valid()`: nobody else can hold it yet, by the monotonic clock, counted from before it was asked for. */
export interface Lease {
  readonly fence: number;
  valid(): boolean;
}

export interface Leases {
  /** Takes or renews; undefined while another owner has it. Asks the store only when half of the time is over. */
  hold(name: string): Promise<Lease | undefined>;
  /** Gives back all that are held, so that the next owner need not wait. */
  release(): Promise<void>;
}

export interface Outbox {
  /** Campaigns with events that are not published yet, with all their events; besides them those named in `also`. */
  due(
    limit: number,
    also: readonly string[],
  ): Promise<{ campaignId: string; publishedVersion: number; facts: StoredFact[] }[]>;
  /** Never lowers a version. Does nothing when the lease has moved on. */
  advance(lease: { name: string; fence: number }, published: ReadonlyMap<string, number>): Promise<void>;
}

/** A campaign under way, as fan-out sees it. */
export interface UnderWay {
  readonly campaign: Campaign;
  /** Rows written to the log as of the last checkpoint. */
  readonly written: number;
  /** As progress last saved them, by partition. */
  readonly tallies: ReadonlyMap<number, Tally>;
  /** Nothing is left to write: also where nothing was frozen. */
  readonly finished: boolean;
  /** The event that made it running is in the log: dispatchers need not wait for it. */
  readonly published: boolean;
}

export interface Checkpoint {
  readonly ordinal: number;
  /** By partition; undefined: nothing was written behind `ordinal`, ever or since it was given back. */
  readonly logEnds: Readonly<Record<string, number>> | undefined;
}

export interface FanoutStore {
  underWay(): Promise<UnderWay[]>;
  /** Takes the lease of one campaign; undefined while another owner has it. */
  claim(campaignId: string): Promise<{ lease: Lease; checkpoint: Checkpoint } | undefined>;
  /** Frozen rows above an ordinal, in order. */
  page(campaignId: string, afterOrdinal: number, limit: number): Promise<FrozenRow[]>;
  /** Saves and renews the lease; undefined when another owner has it now. `release` gives it back. */
  checkpoint(
    campaignId: string,
    fence: number,
    checkpoint: Checkpoint,
    mode?: 'finished' | 'release',
  ): Promise<Lease | undefined>;
}

export interface ProgressSave {
  readonly topic: string;
  /** The log that the offsets belong to; another one than was saved before is refused like another owner. */
  readonly cluster: string;
  readonly partitions: readonly {
    readonly partition: number;
    /** As loaded or last saved: if the store has another, somebody else owns the partition and nothing is written. */
    readonly from: number;
    readonly next: number;
    readonly logEnd: number;
    readonly eventAtMs: number | null;
    readonly changed: readonly { readonly campaignId: string; readonly part: CampaignPart }[];
  }[];
}

export interface SavedOffset {
  readonly next: number;
  /** null: not known, saved by an older version. */
  readonly cluster: string | null;
}

export interface ProgressStore {
  /** Next offset to count and the log it belongs to, by partition; absent where nothing was ever saved. */
  offsets(topic: string, partitions: readonly number[]): Promise<Map<number, SavedOffset>>;
  /** undefined: there is no such campaign, or it was never sent. */
  part(campaignId: string, partition: number): Promise<CampaignPart | undefined>;
  /** All in one transaction. */
  save(save: ProgressSave): Promise<'saved' | 'fenced'>;
  /** Of the campaigns under way: those that are `isComplete` and not held by a redrive, and how many have a surplus. */
  complete(): Promise<{ done: { campaignId: string; failures: boolean }[]; surplus: number }>;
}

// ---- reading ----------------------------------------------------------------------------------------------------

export interface ProgressReader {
  /** As saved, by partition. Whoever asked before it how far was counted finds all of that in them. */
  tallies(campaignId: string): Promise<Map<number, Tally>>;
  /** As saved, by partition. */
  countedTo(topic: string): Promise<Map<number, CountedTo>>;
}

/** Live numbers of the progress role, when it runs in this process. */
export interface LiveProgress {
  tallies(campaignId: string): ReadonlyMap<number, Tally>;
  /** By partition; empty where the role does not run. */
  countedTo(): ReadonlyMap<number, CountedTo>;
}

export interface FrozenRecipients {
  /** The first above an ordinal. */
  page(campaignId: string, after: number, limit: number): Promise<FrozenRow[]>;
  /** Of one address (without case) among the ordinals above `after`, up to and with `last`: it looks at all of these. */
  ofRecipient(campaignId: string, recipient: string, after: number, last: number): Promise<FrozenRow[]>;
  byOrdinals(campaignId: string, ordinals: readonly number[]): Promise<FrozenRow[]>;
  /** By key. */
  ofContact(campaignId: string, contactId: string): Promise<FrozenRow | undefined>;
}

// ---- what the HTTP side uses --------------------------------------------------------------------------------------

export type CommandName = 'send' | 'close' | 'pause' | 'resume' | 'cancel';

/** Commands. All of them are durable when they answer with ok. */
export interface CampaignCommands {
  create(content: CampaignContent, key?: IdempotencyKey): Promise<Result<Answer & { campaign?: CampaignView }>>;
  /** `ifVersion`: fails with `version_mismatch` when the campaign has another one. */
  change(campaignId: string, changes: Partial<CampaignContent>, ifVersion?: number): Promise<Result<CampaignView>>;
  remove(campaignId: string, ifVersion?: number): Promise<Result<void>>;
  /** A repeat under `key` gets the first answer, whatever version the campaign has by then. */
  command(campaignId: string, name: CommandName, key?: IdempotencyKey, ifVersion?: number): Promise<Result<Answer>>;
}

/** One line of an import: its fields, or why it could not even be read. */
export type ImportLine =
  | { readonly line: number; readonly fields: Readonly<Record<string, unknown>> }
  | ({ readonly fields?: undefined } & LineError);

export interface ImportReport {
  readonly imported: number;
  readonly updated: number;
  readonly rejected: number;
  readonly errors: readonly LineError[];
}

export interface ContactImport {
  /** Reads `lines` once. If it throws, nothing of the import is there. `addTag` goes to every contact of them. */
  run(lines: AsyncIterable<readonly ImportLine[]>, addTag?: string): Promise<Result<ImportReport>>;
}

export interface Preview {
  readonly total: number;
  /** The segment rule in words. */
  readonly explanation: string;
  readonly sample: readonly {
    readonly recipient: string;
    readonly rendered: string | null;
    readonly subject: string | null;
    readonly error: { readonly reason: string; readonly detail: string } | null;
  }[];
}

export interface CampaignReads {
  /** Counts do not wait for the analytics store. */
  stats(campaignId: string): Promise<Result<StatsView>>;
  preview(campaignId: string, limit: number): Promise<Result<Preview>>;
}
