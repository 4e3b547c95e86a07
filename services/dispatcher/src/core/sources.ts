import { HEADERS, type Past, pastOf, type RetryTier, type SourceRecord, type Topics } from '@volley/contract';

/** Where a record was read: a lane, a retry tier (`tier` counts from 0), or held. */
export type Source =
  | { readonly kind: 'lane'; readonly topic: string }
  | { readonly kind: 'tier'; readonly topic: string; readonly tier: number }
  | { readonly kind: 'held'; readonly topic: string };

/** Where a record can be moved. */
export interface Destination {
  readonly name: string;
  readonly topic: string;
}

export interface Sources {
  of(topic: string): Source;
  readonly topics: readonly string[];
  readonly held: Destination;
  tier(index: number): Destination & RetryTier;
  /** Index of the first tier that waits at least this long, or of the last one. */
  tierFor(waitMs: number): number;
  readonly tiers: readonly RetryTier[];
}

export function createSources(topics: Topics, tiers: readonly RetryTier[]): Sources {
  const sources = new Map<string, Source>();
  for (const topic of Object.values(topics.messages)) sources.set(topic, { kind: 'lane', topic });
  topics.retry.forEach((topic, tier) => void sources.set(topic, { kind: 'tier', topic, tier }));
  sources.set(topics.held, { kind: 'held', topic: topics.held });
  const destinations = tiers.map((tier, i) => ({ ...tier, topic: topics.retry[i] as string }));

  return {
    of(topic) {
      const source = sources.get(topic);
      if (source === undefined) throw new Error(`${topic} is no topic of messages`);
      return source;
    },
    topics: [...sources.keys()],
    held: { name: 'held', topic: topics.held },
    tier: (index) => destinations[Math.max(0, Math.min(index, destinations.length - 1))] as Destination & RetryTier,
    tierFor(waitMs) {
      const index = tiers.findIndex((tier) => tier.delayMs >= waitMs);
      return index < 0 ? tiers.length - 1 : index;
    },
    tiers,
  };
}

const NONE: Past = { attempts: 0, deferrals: 0, firstFailedAtMs: 0, notBeforeMs: 0, origin: '' };
const WRITTEN_BY_A_MOVE = [HEADERS.attempt, HEADERS.deferrals, HEADERS.firstFailedAt, HEADERS.notBefore] as const;

/**
 * The past of a record, as far as its source may have one: what the headers of a lane's record say of attempts was not
 * written by Volley. Undefined: they cannot be read, it is no message.
 */
export function pastAt(source: Source, record: SourceRecord): Past | undefined {
  if (source.kind !== 'lane') return pastOf(record);
  for (const name of WRITTEN_BY_A_MOVE) {
    if (record.headers[name] !== undefined) return pastOf(record) && NONE;
  }
  return NONE;
}
