import { HEADERS, type Topics } from '@volley/contract';
import { type StreamClient, type StreamRecord, StreamUnavailable } from '@volley/stream';
import type { Found, RecordFinder, Wanted } from './message-body-ports.ts';
import { createReplayLog } from './replay-log.ts';

/** The clocks of this process and of the log may differ by less; what is written late lies after it anyway. */
const BEFORE_MS = 2_000;
const DEADLINE_MS = 5_000;
const MAX_BYTES = 64 * 1024 * 1024;
/** Each may cost a core's work for the whole of its deadline. */
const MOST_AT_ONCE = 2;

/** Thrown out of a read, which ends it before the end of its ranges. */
class Enough extends Error {}

/** One message in the lanes: there is no index of them, so it is read from its time on until it comes. */
export function createRecordFinder(d: {
  readonly client: Pick<StreamClient, 'admin' | 'readRanges'>;
  readonly topics: Topics;
  readonly monotonicMs: () => number;
  readonly maxBytes?: number;
}): RecordFinder {
  const log = createReplayLog(d.client);
  const maxBytes = d.maxBytes ?? MAX_BYTES;
  let atOnce = 0;

  async function rangesOf({ places }: Wanted) {
    let truncated = false;
    const found = places.map(async ({ lane, partition, queuedAtMs }) => {
      // Anybody may write an event, of a lane that does not exist.
      const lanes: Readonly<Record<string, string>> = d.topics.messages;
      const topic = Object.hasOwn(lanes, lane) ? lanes[lane] : undefined;
      if (topic === undefined) return [];
      const atMs = Math.max(0, queuedAtMs - BEFORE_MS);
      const [bounds, offsets] = await Promise.all([log.bounds(topic), log.offsetsAt(topic, atMs)]);
      const { start, end } = bounds[partition] ?? { start: 0, end: 0 };
      const from = Math.max(start, offsets[partition] ?? end);
      // The first record that there is is of that time or later: what lay before it is gone.
      if (start > 0 && from === start) truncated = true;
      return from < end ? [{ topic, partition, from, to: end }] : [];
    });
    const ranges = (await Promise.all(found)).flat();
    return { ranges, truncated };
  }

  async function find(wanted: Wanted, gone?: AbortSignal): Promise<Found> {
    const untilMs = d.monotonicMs() + DEADLINE_MS;
    const id = Buffer.from(wanted.messageId);
    const { ranges, truncated } = await rangesOf(wanted);
    if (ranges.length === 0) return truncated ? 'truncated' : 'absent';
    let record: StreamRecord | undefined;
    let bytes = 0;
    const onRecord = (read: StreamRecord) => {
      if (read.headers[HEADERS.messageId]?.equals(id)) record = read;
      bytes += Math.max(1, read.value?.length ?? 0);
      if (record || bytes > maxBytes || d.monotonicMs() > untilMs || gone?.aborted) throw new Enough();
    };
    try {
      await d.client.readRanges({ ranges, onRecord, deadlineMs: Math.max(1, untilMs - d.monotonicMs()) });
    } catch (error) {
      gone?.throwIfAborted();
      if (record) return { record };
      // Retention moved the start of the log between the two questions.
      if (error instanceof RangeError) return 'truncated';
      // A deadline that ends a read which went on is the bound; before it, or before the first record, the log is away.
      const inTime = d.monotonicMs() < untilMs;
      if (error instanceof Enough || (bytes > 0 && !inTime)) return 'bounded';
      throw error;
    }
    return truncated ? 'truncated' : 'absent';
  }

  return async (wanted, gone) => {
    if (atOnce >= MOST_AT_ONCE) return 'busy';
    atOnce += 1;
    try {
      return await find(wanted, gone);
    } catch (error) {
      gone?.throwIfAborted();
      // A topic that cannot be asked is an outage to whoever waits for it.
      if (error instanceof StreamUnavailable) throw error;
      throw new StreamUnavailable(`messages cannot be read: ${(error as Error).message}`);
    } finally {
      atOnce -= 1;
    }
  };
}
