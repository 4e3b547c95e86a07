import type { Lane } from './topics.ts';

/**
 * What a dispatcher writes about itself once a second (table `dispatchers`, column `state`) and `GET /v1/pipeline` shows.
 * Times are epoch milliseconds. Readers take what they know: rows of another version may hold more or less.
 */
export interface DispatcherState {
  readonly version: string;
  /** Partition numbers that it owns: of every lane, every tier and held. */
  readonly partitions: readonly number[];
  readonly lanes: Readonly<Record<Lane, { readonly running: number; readonly waiting: number }>>;
  /** Campaigns whose next message may not start, by what it waits for. */
  readonly held: Readonly<Record<string, number>>;
  readonly breakers: readonly DispatcherBreaker[];
  readonly providers: readonly DispatcherProvider[];
}

export interface DispatcherBreaker {
  readonly tenant_id: string;
  readonly provider: string;
  /** null: the whole provider; else one destination of webhooks to recipients' own addresses. */
  readonly host: string | null;
  readonly state: 'open' | 'probing';
  readonly probe_at: number;
}

export interface DispatcherProvider {
  readonly tenant_id: string;
  readonly provider: string;
  /** Calls under way, the most that may be now, and the most that may become. */
  readonly calls: number;
  readonly limit: number | null;
  readonly ceiling: number | null;
  /** Of all dispatchers together. */
  readonly rate_per_second: number | null;
  /** Part of the provider's limits that this one may use. */
  readonly share: number;
  readonly blocked_until: number | null;
}

/** A dispatcher whose row is older than this counts as dead: its part of every limit goes to the others. */
export const DISPATCHER_LIVE_MS = 3_000;
