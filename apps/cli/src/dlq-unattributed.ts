import { DEAD_LETTER_HEADERS, HEADERS, isCampaignId, ordinalIn, topicsOf } from '@volley/contract';
import type { StreamRecord } from '@volley/stream';
import { createKafkaClient } from '@volley/stream/kafka';
import { contextOf } from './context.ts';
import { CliError, printer, printJson } from './output.ts';

/** Letters looked at, over all partitions: the newest ones of each. */
const LOOKED_AT = 20_000;
const SHOWN_BYTES = 120;

const textOf = (bytes: Buffer | undefined): string => (bytes ?? Buffer.alloc(0)).subarray(0, 256).toString('utf8');

/** Neither value nor headers name a message: such a letter has no event, so no list of messages can have it. */
export function isUnattributed({ headers }: Pick<StreamRecord, 'headers'>): boolean {
  const reason = textOf(headers[DEAD_LETTER_HEADERS.reason]);
  if (!['undecodable', 'unknown_schema', 'wrong_record'].includes(reason)) return false;
  const campaign = textOf(headers[HEADERS.campaignId]);
  return !isCampaignId(campaign) || ordinalIn(textOf(headers[HEADERS.messageId]), campaign) === undefined;
}

/** An even part of `all` for each; what a small one does not need goes to the others. */
export function shared(all: number, sizes: readonly number[]): number[] {
  const parts = sizes.map(() => 0);
  let left = all;
  const bySize = [...sizes.keys()].sort((a, b) => (sizes[a] as number) - (sizes[b] as number));
  for (const [n, i] of bySize.entries()) {
    parts[i] = Math.min(sizes[i] as number, Math.ceil(left / (bySize.length - n)));
    left = Math.max(0, left - (parts[i] as number));
  }
  return parts;
}

/** Straight from the topic, because nothing else knows of them. Newest first by partition. */
export async function unattributed(limit: number, json: boolean): Promise<number> {
  const context = await contextOf();
  const topic = topicsOf(context.namespace).dlq;
  const client = createKafkaClient({ brokers: context.kafka.split(','), clientId: 'volley-cli' });
  try {
    const bounds = await (await client.admin()).logBounds(topic);
    const sizes = shared(
      LOOKED_AT,
      bounds.map(({ start, end }) => end - start),
    );
    const ranges = bounds.flatMap(({ end }, partition) => {
      const size = sizes[partition] ?? 0;
      return size > 0 ? [{ topic, partition, from: end - size, to: end }] : [];
    });
    let found: StreamRecord[] = [];
    await client.readRanges({
      ranges,
      onRecord(record) {
        if (!isUnattributed(record)) return;
        found.push(record);
        // Records are kept whole while the newest are not known: twice as many as are shown, and no more.
        if (found.length >= limit * 2) found = newest(found, limit);
      },
    });
    found = newest(found, limit);
    const rows = found.map(({ partition, offset, timestampMs, headers, key, value }) => ({
      partition,
      offset,
      at: new Date(timestampMs).toISOString(),
      reason: textOf(headers[DEAD_LETTER_HEADERS.reason]),
      error: textOf(headers[DEAD_LETTER_HEADERS.error]),
      origin: textOf(headers[DEAD_LETTER_HEADERS.origin]),
      key: key === null ? null : textOf(key),
      value_bytes: value?.length ?? 0,
      value_base64: (value ?? Buffer.alloc(0)).subarray(0, SHOWN_BYTES).toString('base64'),
    }));
    const looked_at = ranges.reduce((sum, r) => sum + r.to - r.from, 0);
    const letters = bounds.reduce((sum, b) => sum + b.end - b.start, 0);
    if (json) printJson({ data: rows, looked_at, letters });
    else {
      const print = printer(false);
      for (const r of rows) print(`${r.at}  ${r.partition}/${r.offset}  ${r.reason}  ${r.origin}  ${r.error}`);
      print(`${rows.length} letters that name no message, among the newest ${looked_at} of ${letters}`);
    }
    return 0;
  } catch (error) {
    throw new CliError(`${topic} cannot be read: ${(error as Error).message}`);
  } finally {
    await client.close();
  }
}

const newest = (records: readonly StreamRecord[], limit: number): StreamRecord[] =>
  [...records].sort((a, b) => b.timestampMs - a.timestampMs).slice(0, limit);
