import type { Campaign, Result } from './ports.ts';

/** What a rehearsal has found: what would become of the campaign if it were sent now. */
export interface RehearsalResult {
  /** Under this id, of a tenant of its own, the rehearsal stands in the log and in the analytics. */
  readonly campaign_id: string;
  readonly total: number;
  readonly would_send: number;
  readonly would_fail: number;
  readonly reasons: readonly { readonly reason: string; readonly messages: number }[];
  /** Of each reason some, at most a hundred in all. */
  readonly samples: readonly { readonly recipient: string; readonly reason: string; readonly detail: string }[];
  /** From the log to the provider, at the rate below. */
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
  readonly p99_ms: number | null;
  readonly duration_ms: number;
  readonly messages_per_second: number;
  /** The lower one of campaign and provider; null: neither has one. */
  readonly rate_per_second: number | null;
}

export type RehearsalFigures = Pick<RehearsalResult, 'reasons' | 'samples' | 'p50_ms' | 'p95_ms' | 'p99_ms'>;

/** Rejects with StoreUnavailable when the analytics store does not answer. */
export interface RehearsalReader {
  /** Undefined: not all of its `messages` are stored yet. */
  figures(
    campaign: Pick<Campaign, 'tenant_id' | 'campaign_id'>,
    messages: number,
  ): Promise<RehearsalFigures | undefined>;
}

/** The copies of campaigns that rehearsals send. */
export interface RehearsalCampaigns {
  /**
   * Copies and sends it, in one transaction; done before under this id: answers what is there. `ratePerSecond`: in place of
   * its own.
   */
  launch(rehearsalId: string, source: Campaign, ratePerSecond: number | null): Promise<Result<Campaign>>;
  find(tenantId: string, rehearsalId: string): Promise<Campaign | undefined>;
  /** What is not possible as it stands is passed over: it has ended, or is as it was asked to be. */
  command(rehearsalId: string, name: 'pause' | 'resume' | 'cancel'): Promise<void>;
  /** Its audience is the largest part of it, and nobody asks for it after its end. */
  forgetAudience(rehearsalId: string): Promise<void>;
}
