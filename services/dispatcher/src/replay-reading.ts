import type { CampaignEvent } from '@volley/contract';
import type { Clock } from '@volley/runtime';
import type { StreamRecord } from '@volley/stream';
import { type ReplayDeps, ReplayRefused } from './replay-ports.ts';

/** Offsets that one request to the log spans: reading begins anew after it, which takes some ten milliseconds. */
const SPAN = 200_000;
const AGAIN_MS = 1_000;

export interface Range {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

/** undefined: go on. 'stop': this one was taken, and is enough. A number: this one is offered again when that schema is known. */
export type Taken = undefined | 'stop' | number;

class Enough extends Error {
  readonly schemaId: number | undefined;
  constructor(schemaId: number | undefined) {
    super('enough');
    this.schemaId = schemaId;
  }
}
class Bug extends Error {}

/** Resolves after the time, rejects when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', left);
      resolve();
    }, ms);
    function left(): void {
      clearTimeout(timer);
      reject(signal.reason);
    }
    signal.addEventListener('abort', left, { once: true });
  });
}

/**
 * Records [from, to) of one partition in their order, each once, also when the log goes away meanwhile: it is waited for.
 * Answers with the offset after the last one that was taken. Rejects with ReplayRefused when the log has lost some of them.
 */
export async function readRange(
  d: Pick<ReplayDeps, 'log' | 'schemas' | 'logger'>,
  range: Range,
  signal: AbortSignal,
  take: (record: StreamRecord) => Taken,
): Promise<number> {
  const { topic, partition } = range;
  let next = range.from;
  let isAway = false;
  const onRecord = (record: StreamRecord) => {
    let taken: Taken;
    try {
      taken = take(record);
    } catch (error) {
      throw new Bug('a record could not be taken', { cause: error });
    }
    if (typeof taken === 'number') throw new Enough(taken);
    next = record.offset + 1;
    if (taken === 'stop' || signal.aborted) throw new Enough(undefined);
  };
  while (next < range.to) {
    signal.throwIfAborted();
    const to = Math.min(range.to, next + SPAN);
    try {
      await d.log.readRanges({ ranges: [{ topic, partition, from: next, to }], onRecord });
      next = to;
      isAway = false;
    } catch (error) {
      if (error instanceof Enough) {
        signal.throwIfAborted();
        if (error.schemaId === undefined) return next;
        await Promise.race([d.schemas.ensure(error.schemaId), untilLeft(signal)]);
      } else if (error instanceof Bug) throw error.cause;
      else if (error instanceof RangeError) throw new ReplayRefused(`the log is not what it was: ${error.message}`);
      else {
        if (!isAway) d.logger.warn({ err: error, topic, partition }, 'the log cannot be read: waiting');
        isAway = true;
        await pause(AGAIN_MS, signal);
      }
    }
  }
  return next;
}

/** Asks the log until it answers. */
async function patiently<T>(d: Pick<ReplayDeps, 'logger'>, signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  for (let isAway = false; ; isAway = true) {
    signal.throwIfAborted();
    try {
      return await ask();
    } catch (error) {
      if (!isAway) d.logger.warn({ err: error }, 'the log does not answer: waiting');
      await pause(AGAIN_MS, signal);
    }
  }
}

export function logBounds(d: Pick<ReplayDeps, 'log' | 'logger'>, topic: string, signal: AbortSignal) {
  return patiently(d, signal, async () => {
    const admin = await d.log.admin();
    try {
      return await admin.logBounds(topic);
    } finally {
      await admin.close();
    }
  });
}

/** Clocks of brokers and of ingest-api may differ by this. */
const BEFORE_MS = 3_600_000;
/** A campaign's id begins with the time at which it was made: nothing happened to its messages before. */
const madeAtMs = (campaignId: string): number => Number.parseInt(campaignId.slice(0, 8) + campaignId.slice(9, 13), 16);

/** First offset of each partition of deliveries at which events of the campaign may lie. */
export function eventsFrom(d: Pick<ReplayDeps, 'log' | 'logger' | 'topics'>, campaignId: string, signal: AbortSignal) {
  return patiently(d, signal, async () => {
    const admin = await d.log.admin();
    try {
      return await admin.offsetsAt(d.topics.deliveries, madeAtMs(campaignId) - BEFORE_MS);
    } finally {
      await admin.close();
    }
  });
}

/** The events of one campaign that the compacted topic still has. What cannot be read is passed over, as dispatchers do. */
export async function readCampaign(
  d: Pick<ReplayDeps, 'log' | 'schemas' | 'logger' | 'topics' | 'decodeCampaign'>,
  campaignId: string,
  onEvent: (event: CampaignEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const key = Buffer.from(campaignId);
  const topic = d.topics.campaigns;
  for (const [partition, { start, end }] of (await logBounds(d, topic, signal)).entries()) {
    await readRange(d, { topic, partition, from: start, to: end }, signal, (record): Taken => {
      if (record.key === null || !record.key.equals(key)) return undefined;
      const decoded = d.decodeCampaign(record.value);
      if (decoded.ok) onEvent(decoded.value);
      else if (decoded.reason === 'needs_schema') return decoded.schemaId;
      return undefined;
    });
  }
}

/** Lets so many through a second, with what a second has left over for the next. */
export function createPace(
  perSecond: number | null,
  clock: Clock,
  signal: AbortSignal,
): () => Promise<void> | undefined {
  if (perSecond === null) return () => undefined;
  let nextAtMs = clock.monotonicMs();
  return () => {
    const nowMs = clock.monotonicMs();
    nextAtMs = Math.max(nextAtMs, nowMs - 1_000) + 1_000 / perSecond;
    return nextAtMs > nowMs + 1 ? pause(nextAtMs - nowMs, signal) : undefined;
  };
}

function untilLeft(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
