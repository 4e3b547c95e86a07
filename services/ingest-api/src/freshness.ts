import { groupsOf, partitionsOf, topicsOf } from '@volley/contract';
import type { StreamAdmin, StreamClient } from '@volley/stream';
import type { CampaignKey, StoredUntil } from './analytics-ports.ts';
import { type CountedTo, countedUntil, offsetsOf, type Sighting, storedUntil, withSighting } from './core/freshness.ts';

/** However many ask. */
const EVERY_MS = 1_000;
/** Whoever asks waits so long for the log; then what was known before is good enough: what is stored stays stored. */
const PATIENCE_MS = 300;

export interface Freshness {
  /** Up to when ClickHouse is complete. */
  readonly storedUntil: StoredUntil;
  /** Asks the log where it ends, unless that was done a moment ago. Never rejects. */
  look(): Promise<void>;
  /** Epoch milliseconds; null: not known. Every event of this campaign that the log had then lies below these offsets. */
  countedUntil(campaign: CampaignKey, counted: ReadonlyMap<number, CountedTo>): number | null;
}

const partitionsFor = (campaign: CampaignKey | undefined): readonly number[] | undefined =>
  campaign && campaign.partitions > 0
    ? partitionsOf(campaign.campaign_id, campaign.spread, campaign.partitions)
    : undefined;

/**
 * Up to when numbers are complete, from the log alone: where it ended, and what the sink has committed, or progress has
 * counted, since. It is the finer the more often it is called, so somebody calls it now and then also when nobody wants
 * to know.
 */
export function createFreshness(o: {
  readonly client: Pick<StreamClient, 'admin'>;
  readonly namespace: string;
  readonly clock: { now(): number; monotonicMs(): number };
}): Freshness {
  const { deliveries } = topicsOf(o.namespace);
  const { sink } = groupsOf(o.namespace);
  let admin: Promise<StreamAdmin> | undefined;
  let sightings: readonly Sighting[] = [];
  let stored: readonly number[] = [];
  /** Of progress, which may be far behind when the sink is not: what one of them has done with the other still needs. */
  let ofProgress: readonly Sighting[] = [];
  let counted: readonly number[] = [];
  let underWay: Promise<void> | undefined;
  let startedMs = Number.NEGATIVE_INFINITY;

  async function ask(): Promise<void> {
    admin ??= o.client.admin();
    const of = await admin.catch((error: unknown) => {
      admin = undefined;
      throw error;
    });
    // In this order: what is committed when the end was seen is at least what was committed before.
    const atMs = o.clock.now();
    const before = counted;
    const bounds = await of.logBounds(deliveries);
    const committed = await of.committed(sink, deliveries);
    stored = committed.map(({ offset }) => Math.max(0, offset));
    const ends = bounds.map(({ end }) => end);
    sightings = withSighting(sightings, { atMs, ends }, stored);
    // More was counted than there is: the offsets are of another log, and of this one nothing is known to be counted.
    const isOther = ends.map((end, p) => (before[p] ?? 0) > end);
    const shown = ends.map((end, p) => (isOther[p] ? Number.POSITIVE_INFINITY : end));
    ofProgress = withSighting(isOther.includes(true) ? [] : ofProgress, { atMs, ends: shown }, counted);
  }

  async function patiently(work: Promise<void>, ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.max(0, ms));
    });
    await Promise.race([work, over]).finally(() => clearTimeout(timer));
  }

  async function look(): Promise<void> {
    const nowMs = o.clock.monotonicMs();
    if (underWay === undefined && nowMs - startedMs >= EVERY_MS) {
      startedMs = nowMs;
      underWay = ask()
        // The log is away: nothing new is known.
        .catch(() => {})
        .finally(() => {
          underWay = undefined;
        });
    }
    if (underWay !== undefined) await patiently(underWay, startedMs + PATIENCE_MS - nowMs);
  }

  return {
    look,
    async storedUntil(campaign) {
      await look();
      return storedUntil(sightings, stored, partitionsFor(campaign));
    },
    countedUntil(campaign, to) {
      counted = offsetsOf(to);
      return countedUntil(ofProgress, to, partitionsFor(campaign) ?? [...to.keys()]);
    },
  };
}
