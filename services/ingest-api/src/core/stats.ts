import { endedOf, type Tally } from './progress.ts';

export interface Percentiles {
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
  readonly p99_ms: number | null;
}

/** As of when; `stale`: the last ones that are known, because nobody could be asked in time. */
export interface KnownPercentiles extends Percentiles {
  readonly asOfMs: number | null;
  readonly stale: boolean;
}

const isoOrNull = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

/** What every answer of the analytics store says of itself. */
export const completeness = (asOfMs: number | null, nowMs: number) => ({
  as_of: isoOrNull(asOfMs),
  lag_ms: asOfMs === null ? null : Math.max(0, Math.round(nowMs - asOfMs)),
});

/** The states with queued and retrying add up to total at every moment: queued is what is left. */
export function statsView(facts: {
  campaignId: string;
  status: string;
  total: number;
  /** Direct messages come or came. */
  growing: boolean;
  tally: Tally;
  /** Every event that the log had then is counted. */
  asOfMs: number;
  percentiles: KnownPercentiles;
  nowMs: number;
}) {
  const { tally: t } = facts;
  const ended = endedOf(t);
  // Read one after the other: what was taken and has ended between the two is in the second only.
  const total = facts.growing ? Math.max(facts.total, ended) : facts.total;
  const retrying = Math.max(0, Math.min(t.retrying, total - ended));
  const span = t.firstAtMs === null || t.lastAtMs === null ? 0 : t.lastAtMs - t.firstAtMs;
  return {
    campaign_id: facts.campaignId,
    status: facts.status,
    total,
    queued: Math.max(0, total - ended - retrying),
    sent: t.sent,
    failed: t.failed,
    dead: t.dead,
    suppressed: t.suppressed,
    cancelled: t.cancelled,
    expired: t.expired,
    retrying,
    p50_ms: facts.percentiles.p50_ms,
    p95_ms: facts.percentiles.p95_ms,
    p99_ms: facts.percentiles.p99_ms,
    percentiles_as_of: isoOrNull(facts.percentiles.asOfMs),
    stale: facts.percentiles.stale,
    // From the first to the last end; below a second the rate would be that of an instant.
    throughput_per_s: ended === 0 ? 0 : Math.round((ended / Math.max(span, 1_000)) * 10_000) / 10,
    as_of: new Date(facts.asOfMs).toISOString(),
    lag_ms: Math.max(0, Math.round(facts.nowMs - facts.asOfMs)),
  };
}
export type StatsView = ReturnType<typeof statsView>;
