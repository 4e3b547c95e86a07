import { type StreamClient, type StreamRecord, StreamUnavailable } from '@volley/stream';
import { placeKey, readRounds } from './core/redrive.ts';
import type { LetterReader } from './dead-letter-ports.ts';

/** What lies between two letters is read along when it is less than this: an answer of the log has about as many anyway. */
const MAX_GAP = 1_000;
const READ_DEADLINE_MS = 20_000;

/** A letter may have a megabyte, most have a few hundred bytes: many at once, and not more than this. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Dead letters by their place in the log. What retention has taken is absent. */
export function createLetterReader(client: StreamClient, topic: string, maxBytes = MAX_BYTES): LetterReader {
  const read: LetterReader = async (places) => {
    const found = new Map<string, StreamRecord>();
    const postponed = new Set<string>();
    let bytes = 0;
    const admin = await client.admin();
    try {
      const bounds = await admin.logBounds(topic);
      const there = places.filter(({ partition, offset }) => {
        const { start, end } = bounds[partition] ?? { start: 0, end: 0 };
        return offset >= start && offset < end;
      });
      const wanted = new Set(there.map(placeKey));
      for (const round of readRounds(there, MAX_GAP)) {
        await client.readRanges({
          ranges: round.map((range) => ({ topic, ...range })),
          onRecord(record) {
            const key = placeKey(record);
            if (!wanted.has(key)) return;
            bytes += record.value?.length ?? 0;
            if (found.size > 0 && bytes > maxBytes) postponed.add(key);
            else found.set(key, record);
          },
          deadlineMs: READ_DEADLINE_MS,
        });
      }
      return { found, postponed };
    } finally {
      await admin.close();
    }
  };
  return async (places) => {
    if (places.length === 0) return { found: new Map(), postponed: new Set() };
    try {
      return await read(places);
    } catch (error) {
      // Retention moved the start of the log between the two questions: asked again, it is known.
      if (error instanceof RangeError) return read(places);
      // A topic that cannot be asked is an outage to whoever waits for it.
      if (error instanceof StreamUnavailable) throw error;
      throw new StreamUnavailable(`dead letters cannot be read: ${(error as Error).message}`);
    }
  };
}
