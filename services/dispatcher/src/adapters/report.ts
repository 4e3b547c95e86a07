import type { Logger, Metrics } from '@volley/runtime';
import type { PartitionLag } from '@volley/stream';
import type { METRICS } from '../metrics.ts';
import type { PipelineState } from '../ports.ts';

/** A campaign, or a version of it, that messages ask for should be here long before this. */
const ALARM_MS = 10_000;
const HOLDS = ['campaign_unknown', 'paused', 'provider_missing', 'rate', 'provider', 'breaker', 'campaign'] as const;

/** What is held on one provider, campaign or host has its name behind the colon. */
const holdOf = (on: string) => (on === 'provider_throttled' ? 'provider' : (on.split(':', 1)[0] as string));

/** Once a second: gauges from what is, and a line in the log for a campaign that keeps its messages waiting. */
export function createReport(options: {
  readonly metrics: Metrics<typeof METRICS>;
  readonly log: Logger;
  readonly monotonicMs: () => number;
  readonly topics: readonly string[];
  readonly state: () => PipelineState;
  readonly lag: () => readonly PartitionLag[];
  readonly stopped: () => number;
  readonly ledger: () => { readonly reading: number; readonly events: number };
}): () => void {
  const { m } = options.metrics;
  const alarmed = new Set<string>();

  const holds = (held: PipelineState['held']) => {
    const counts = new Map<string, number>(HOLDS.map((on) => [on, 0]));
    let longestMs = 0;
    const waiting = new Set<string>();
    for (const { campaignId, on, sinceMs } of held) {
      const why = holdOf(on);
      counts.set(why, (counts.get(why) ?? 0) + 1);
      if (why !== 'campaign_unknown' && why !== 'provider_missing') continue;
      waiting.add(campaignId);
      const waitedMs = options.monotonicMs() - sinceMs;
      if (why === 'campaign_unknown') longestMs = Math.max(longestMs, waitedMs);
      if (waitedMs <= ALARM_MS || alarmed.has(campaignId)) continue;
      alarmed.add(campaignId);
      const facts = { campaign_id: campaignId, waited_ms: Math.round(waitedMs), why };
      options.log.error(facts, 'messages wait for what their campaign needs');
    }
    for (const [on, count] of counts) m.heldCampaigns.set(count, { on });
    m.longestUnknownSeconds.set(longestMs / 1_000);
    for (const id of alarmed) if (!waiting.has(id)) alarmed.delete(id);
  };

  return () => {
    const state = options.state();
    m.running.set(state.running);
    m.waiting.set(state.waiting);
    m.notDue.set(state.notDue);
    m.keptBack.set(state.keptBack);
    m.unacknowledged.set(state.unacknowledged);
    m.stoppedPartitions.set(options.stopped());
    const ledger = options.ledger();
    m.ledgerEvents.set(ledger.events);
    m.ledgersReading.set(ledger.reading);
    const lags = options.lag();
    m.queueBytes.set(lags.reduce((sum, p) => sum + p.inMemoryBytes, 0));
    for (const topic of options.topics) {
      const lag = lags.reduce((sum, p) => sum + (p.topic === topic ? Math.max(0, p.logEnd - p.watermark) : 0), 0);
      m.watermarkLag.set(lag, { topic });
    }
    holds(state.held);
  };
}
