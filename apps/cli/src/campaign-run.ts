import { setTimeout as sleep } from 'node:timers/promises';
import { type Api, type CampaignView, endedOf, type StatsView } from './api.ts';
import { latency, storedCounts } from './clickhouse.ts';
import { CliError, progressBar } from './output.ts';
import type { Report } from './report.ts';

const ENDED = new Set(['completed', 'completed_with_failures', 'cancelled', 'failed']);
/** Contract: a campaign's rows are complete at most 5 s after its terminal status; more than this is a failure. */
const SETTLE_MS = 20_000;

/** Shows a campaign until it has ended. Rejects when nothing has moved for `stallMs`. */
export async function watch(
  api: Api,
  campaignId: string,
  options: { stallMs: number; signal?: AbortSignal },
): Promise<{ status: string; stats: StatsView }> {
  let stats = await api.request<StatsView>('GET', `/v1/campaigns/${campaignId}/stats`);
  const bar = progressBar(stats.total, process.stderr);
  const startedMs = performance.now();
  let movedMs = startedMs;
  let lastDone = -1;
  try {
    for (;;) {
      options.signal?.throwIfAborted();
      const done = endedOf(stats);
      const now = performance.now();
      if (done !== lastDone) movedMs = now;
      lastDone = done;
      const rate = done / Math.max(0.001, (now - startedMs) / 1_000);
      bar.update(done, { rate, leftS: rate > 0 ? Math.ceil((stats.total - done) / rate) : null });
      const { status } = await api.request<CampaignView>('GET', `/v1/campaigns/${campaignId}`);
      if (ENDED.has(status))
        return { status, stats: await api.request<StatsView>('GET', `/v1/campaigns/${campaignId}/stats`) };
      if (now - movedMs > options.stallMs)
        throw new CliError(
          `nothing has moved for ${Math.round(options.stallMs / 1_000)} s at ${done} of ${stats.total} (${status})`,
        );
      await sleep(200);
      stats = await api.request<StatsView>('GET', `/v1/campaigns/${campaignId}/stats`);
    }
  } finally {
    bar.stop();
  }
}

/** Waits until ClickHouse holds the campaign completely, then reads what the report says from there. */
export async function reportOf(
  api: Api,
  { clickhouse, console = null }: { readonly clickhouse: string; readonly console?: string | null },
  campaignId: string,
  sentAtMs: number,
  end: { status: string; stats: StatsView },
): Promise<Report> {
  const { stats, status } = end;
  const deadlineMs = performance.now() + SETTLE_MS;
  let stored = await storedCounts(clickhouse, campaignId);
  while (stored.messages < stats.total && performance.now() < deadlineMs) {
    await sleep(50);
    stored = await storedCounts(clickhouse, campaignId);
  }
  const seconds = (performance.now() - sentAtMs) / 1_000;
  const { p50, p95, p99, histogram } = await latency(clickhouse, campaignId);
  const accounted = endedOf(stats) === stats.total && stored.messages === stats.total && stored.events === stats.total;
  const { total, sent, failed, dead, suppressed, cancelled, expired } = stats;
  return {
    campaign_id: campaignId,
    status,
    total,
    sent,
    failed,
    dead,
    suppressed,
    cancelled,
    expired,
    seconds,
    messages_per_second: total / seconds,
    p50_ms: p50,
    p95_ms: p95,
    p99_ms: p99,
    stored: { events: stored.events, messages: stored.messages, retries: stored.all_events - stored.events },
    histogram,
    accounted,
    api: api.base,
    console,
  };
}
