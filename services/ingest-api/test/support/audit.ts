import { campaignIdFrom } from '@volley/contract';
import { StreamUnavailable } from '@volley/stream';
import type { AuditLog, AuditReader, AuditStore, CampaignFacts, StoredCampaign } from '../../src/audit-ports.ts';
import { emptyTally } from '../../src/core/progress.ts';
import { StoreUnavailable } from '../../src/ports.ts';

export const AUDITED = campaignIdFrom(1_795_000_000_000, new Uint8Array(6));

/** Ten messages, all of them sent from partition 1, offsets 0 to 9. */
export const factsOf = (change: Partial<CampaignFacts> = {}): CampaignFacts => ({
  campaign_id: AUDITED,
  tenant_id: 'default',
  status: 'completed',
  sentAtMs: 1_795_000_000_000,
  expected: 10,
  accepted: 0,
  frozen: 10,
  tally: { ...emptyTally(), sent: 10 },
  cut: [0, 10],
  partitions: [1],
  seen: 'as it was',
  ...change,
});
const rollup = { events: 10, inBuckets: 0 };
export const storedOf = (change: Partial<StoredCampaign> = {}): StoredCampaign => ({
  kinds: [{ kind: 'sent', previous: '', counted: 10, firstBelow: 10, laterBelow: 0 }],
  rawRows: 10,
  logRecords: 10,
  markedRepeats: 0,
  messages: 10,
  terminalEvents: 10,
  endedRuns: 10,
  redrivenEvents: 0,
  redrivenRuns: 0,
  endedOrdinals: 10,
  endedDirect: 0,
  directMessages: 0,
  alienMessages: 0,
  quiet: true,
  rollups: { minute_rollup: rollup, hour_rollup: rollup, campaign_rollup: rollup },
  histogramEvents: 10,
  listableMessages: 10,
  listedMessages: 10,
  stats: { sent: 10 },
  listed: { sent: 10 },
  failures: {},
  ...change,
});

export const isOutage = (error: unknown): boolean =>
  error instanceof StoreUnavailable || error instanceof StreamUnavailable;
export const away = async (): Promise<never> => {
  throw new StoreUnavailable('clickhouse', 'away');
};

export const quietStore: AuditStore = {
  facts: async () => factsOf(),
  save: async () => {},
  due: async () => ({ campaignIds: [], due: 0 }),
  lastRun: async () => undefined,
  beginRun: async (startedAtMs) => ({
    ...{ runId: 1, startedAtMs, finishedAtMs: null, checked: 0, failed: 0, left: 0, partitions: null },
  }),
  saveRun: async () => {},
  lastFound: async () => ({ partitions: null, completeAtMs: null }),
  summary: async () => ({ campaigns: { audited: 1, different: 0, lagging: 0 }, differences: {}, different: [] }),
};
export const quietReader: AuditReader = {
  campaign: async () => storedOf(),
  ids: async () => [],
  repeats: async () => [],
  partitions: async () => [{ partition: 1, firstOffset: 0, lastOffset: 9, rawRows: 10, logRecords: 10 }],
  missingOffsets: async () => [],
  doubledOffsets: async () => [],
};
export const quietLog: AuditLog = {
  committed: async () => [-1, 10],
  bounds: async () => [
    { start: 0, end: 0 },
    { start: 0, end: 10 },
  ],
  letters: async () => new Map(),
  appendedAtMs: async () => undefined,
};
