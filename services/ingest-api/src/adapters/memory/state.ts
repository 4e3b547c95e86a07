import type { MemoryReplays } from '@volley/contract/replays-memory';
import type { LetterCursor, Mark, RedriveJob } from '../../dead-letter-ports.ts';
import type { DirectBatch } from '../../direct-ports.ts';
import type { Answer, Campaign, Checkpoint, Contact, FrozenRow, StoredFact, Tally } from '../../ports.ts';
import type { StandingReplay } from '../../replay-ports.ts';

/** What the tables of sql/ hold, as maps. One process, so what is written in one tick is one transaction. */
export interface MemoryState {
  readonly campaigns: Map<string, CampaignRow>;
  readonly recipients: Map<string, readonly FrozenRow[]>;
  /** tenant and address without case -> contact, in the order of their first import. */
  readonly contacts: Map<string, ContactRow>;
  /** tenant and Idempotency-Key. */
  readonly keys: Map<string, { fingerprint: string; answer: Answer }>;
  readonly leases: Map<string, LeaseRow>;
  readonly fanout: Map<string, FanoutRow>;
  /** topic and partition -> next offset and what goes with it. */
  readonly offsets: Map<string, { next: number; cluster: string; logEnd: number; eventAtMs: number | null }>;
  /** campaign -> partition -> counts. */
  readonly parts: Map<string, Map<number, Tally>>;
  readonly redrives: RedriveTables;
  readonly replays: MemoryReplays;
  /** By replay: who asked for what. */
  readonly replayActions: Map<string, StandingReplay['actions']>;
  readonly direct: DirectTables;
}

export interface CampaignRow {
  readonly state: Campaign;
  readonly facts: readonly StoredFact[];
  readonly publishedVersion: number;
  /** Beside the fold, as in Postgres. */
  readonly accepted: number;
}

export interface ContactRow extends Contact {
  readonly tenantId: string;
}

export interface LeaseRow {
  readonly owner: string;
  readonly fence: number;
  readonly untilMs: number;
}

export interface FanoutRow extends LeaseRow {
  readonly checkpoint: Checkpoint;
  readonly finished: boolean;
}

/** The tables of sql/0006_redrive.sql. */
export interface RedriveTables {
  readonly jobs: Map<string, RedriveRow>;
  /** By `markKey`. */
  readonly marks: Map<
    string,
    Mark & { readonly redriveId: string; readonly state: 'selected' | 'redriven' | 'purged' }
  >;
  readonly campaigns: Map<
    string,
    { redriveId: string; campaignId: string; open: boolean; ends: Record<number, number> }
  >;
  /** Topic of the delivery events, as `offsets` names it. */
  topic: string;
}

export interface RedriveRow extends LeaseRow {
  readonly job: RedriveJob;
  readonly cursor: LetterCursor | undefined;
  readonly allSelected: boolean;
  readonly cancelRequested: boolean;
}

/** The tables of sql/0007_direct.sql. */
export interface DirectTables {
  request: number;
  batch: number;
  readonly batches: Map<number, DirectBatch & { readonly request: number; dueAtMs: number }>;
  readonly messages: Map<string, { readonly campaignId: string; readonly request: number; readonly partition: number }>;
}

export const createMemoryState = (): MemoryState => ({
  campaigns: new Map(),
  recipients: new Map(),
  contacts: new Map(),
  keys: new Map(),
  leases: new Map(),
  fanout: new Map(),
  offsets: new Map(),
  parts: new Map(),
  direct: { request: 0, batch: 0, batches: new Map(), messages: new Map() },
  replays: new Map(),
  replayActions: new Map(),
  redrives: { jobs: new Map(), marks: new Map(), campaigns: new Map(), topic: '' },
});

/** A store answers later, never in the same tick: what relies on that would break against a real one. */
export const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
