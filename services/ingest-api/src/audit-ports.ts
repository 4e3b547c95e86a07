import type { AuditView, CampaignAuditView, PartitionAuditView } from '@volley/contract/http';
import type { CampaignFacts, CampaignFigure, Named, StoredCampaign } from './core/audit.ts';
import type { StoredPartition } from './core/audit-partitions.ts';

/* What an audit asks of the control store, of ClickHouse and of the log, and what the HTTP side asks of it. */
export type { CampaignFacts, Named, StoredCampaign } from './core/audit.ts';
export type { StoredPartition } from './core/audit-partitions.ts';

export interface AuditRun {
  readonly runId: number;
  readonly startedAtMs: number;
  readonly finishedAtMs: number | null;
  readonly checked: number;
  readonly failed: number;
  readonly left: number;
  /** As of the end of the run; null: not yet, or they could not be compared. */
  readonly partitions: readonly PartitionAuditView[] | null;
}

/** Every method rejects with StoreUnavailable when Postgres does not answer. */
export interface AuditStore {
  /** All of one moment; undefined: there is no such campaign, or it was never sent. */
  facts(campaignId: string, topic: string): Promise<CampaignFacts | undefined>;
  /** The last one counts; one that could not tell (`lagging`, `not_kept`) does not take the place of a difference. `seen`: of the facts compared. */
  save(audit: CampaignAuditView, seen: string): Promise<void>;
  /**
   * First the campaigns that are due: they have changed since their last audit, or it found a difference or could not
   * tell. Then those that were sent since `keptFromMs` and were not audited for half a day: what was stored may be lost.
   * Of both the longest unaudited come first. At most `limit`; `due`: how many are due. What was audited since `beforeMs`
   * and has not changed is not among them.
   */
  due(o: { beforeMs: number; keptFromMs: number; limit: number }): Promise<{ campaignIds: string[]; due: number }>;
  lastRun(): Promise<AuditRun | undefined>;
  /** `startedAtMs` is its time: what was audited after it is done. */
  beginRun(startedAtMs: number): Promise<AuditRun>;
  saveRun(run: AuditRun): Promise<void>;
  /** Of the last run that could compare the partitions, and when the last one ended that could compare everything. */
  lastFound(): Promise<{ partitions: AuditRun['partitions']; completeAtMs: number | null }>;
  /** Of all last audits; `different`: the first 100. */
  summary(): Promise<Pick<AuditView, 'campaigns' | 'differences' | 'different'>>;
}

/** Every method rejects with StoreUnavailable when ClickHouse does not answer, and with the reason of `gone` once that is set. */
export interface AuditReader {
  /** `cut`: next offset that progress counts; `committed`: of the sink's group, asked before. Both by partition. */
  campaign(facts: CampaignFacts, committed: readonly number[], gone?: AbortSignal): Promise<StoredCampaign>;
  /** What a figure's difference is made of: at most `limit`, oldest first. */
  ids(figure: CampaignFigure, facts: CampaignFacts, limit: number, gone?: AbortSignal): Promise<Named[]>;
  repeats(facts: CampaignFacts, limit: number, gone?: AbortSignal): Promise<Named[]>;
  partitions(gone?: AbortSignal): Promise<StoredPartition[]>;
  /** Offsets of [from, to) that no row has, lowest first, at most `limit`. */
  missingOffsets(partition: number, from: number, to: number, limit: number, gone?: AbortSignal): Promise<number[]>;
  /** Offsets that several rows have, lowest first, at most `limit`. */
  doubledOffsets(partition: number, limit: number, gone?: AbortSignal): Promise<number[]>;
}

/** Rejects with StreamUnavailable when the log does not answer. */
export interface AuditLog {
  /** Next offset that the sink has not stored, by partition; -1: it has committed nothing. */
  committed(): Promise<number[]>;
  bounds(): Promise<{ start: number; end: number }[]>;
  /** Distinct offsets of deliveries that lie as dead letters; undefined: too many to be read. */
  letters(): Promise<ReadonlyMap<number, ReadonlySet<number>> | undefined>;
  /** When the log took the record; undefined: it no longer has it. */
  appendedAtMs(partition: number, offset: number): Promise<number | undefined>;
}

export interface AuditDesk {
  /**
   * undefined: there is no such campaign, or it was never sent. 'busy': too many audits are under way. Rejects with the
   * reason of `gone` once that is set: then nothing is saved.
   */
  campaign(
    campaignId: string,
    how: { readonly waitMs: number; readonly limit: number },
    gone?: AbortSignal,
  ): Promise<CampaignAuditView | 'busy' | undefined>;
  /** One at a time in a process: who asks meanwhile shares the next one. */
  all(): Promise<AuditView>;
}
