import { DEAD_LETTER_HEADERS } from '@volley/contract';
import { type RangeOptions, type StreamAdmin, type StreamClient, StreamUnavailable } from '@volley/stream';
import type { AuditLog } from './audit-ports.ts';
import { letterOffset } from './core/audit-partitions.ts';

/** An installation has a handful. Offsets of so many take 50 MB, and whoever has more has another problem first. */
const MAX_LETTERS = 1_000_000;
const READ_DEADLINE_MS = 60_000;
const RECORD_DEADLINE_MS = 5_000;

/** What an audit asks of the log. Dead letters are read once: what was read before is remembered. */
export function createAuditLog(o: {
  readonly client: Pick<StreamClient, 'admin' | 'readRanges'>;
  readonly topic: string;
  readonly deadLetterTopic: string;
  /** Of the sink. */
  readonly groupId: string;
  readonly maxLetters?: number;
}): AuditLog {
  const letters = new Map<number, Set<number>>();
  const readTo = new Map<number, number>();
  let admin: Promise<StreamAdmin> | undefined;
  let cluster = '';

  async function withAdmin<T>(ask: (admin: StreamAdmin) => Promise<T>): Promise<T> {
    admin ??= o.client.admin();
    try {
      return await ask(await admin);
    } catch (error) {
      // Whatever is the matter with this connection, the next question gets another one.
      const broken = admin;
      admin = undefined;
      void broken?.then((a) => a.close()).catch(() => {});
      throw error;
    }
  }

  async function read(options: RangeOptions): Promise<void> {
    try {
      await o.client.readRanges(options);
    } catch (error) {
      // Retention moved the start of the log between the two questions: asked again, it is known.
      if (error instanceof RangeError) throw new StreamUnavailable(error.message);
      throw error;
    }
  }

  return {
    committed: () => withAdmin(async (a) => (await a.committed(o.groupId, o.topic)).map(({ offset }) => offset)),
    bounds: () => withAdmin((a) => a.logBounds(o.topic)),

    async letters() {
      const { log, bounds } = await withAdmin(async (a) => ({
        log: await a.clusterId(),
        bounds: await a.logBounds(o.deadLetterTopic),
      }));
      if (log !== cluster) {
        letters.clear();
        readTo.clear();
        cluster = log;
      }
      const ranges = bounds
        .map(({ start, end }, partition) => ({
          topic: o.deadLetterTopic,
          partition,
          from: Math.max(start, readTo.get(partition) ?? 0),
          to: end,
        }))
        .filter(({ from, to }) => from < to);
      const known = [...letters.values()].reduce((n, of) => n + of.size, 0);
      if (known + ranges.reduce((n, { from, to }) => n + to - from, 0) > (o.maxLetters ?? MAX_LETTERS))
        return undefined;
      const found: [partition: number, offset: number][] = [];
      if (ranges.length > 0)
        await read({
          ranges,
          deadlineMs: READ_DEADLINE_MS,
          onRecord({ partition, headers }) {
            const origin = headers[DEAD_LETTER_HEADERS.origin]?.subarray(0, 512).toString('latin1') ?? '';
            const offset = letterOffset(origin, o.topic, partition);
            if (offset !== undefined) found.push([partition, offset]);
          },
        });
      for (const [partition, offset] of found) {
        const of = letters.get(partition) ?? new Set();
        letters.set(partition, of.add(offset));
      }
      for (const { partition, to } of ranges) readTo.set(partition, to);
      return letters;
    },

    async appendedAtMs(partition, offset) {
      const bounds = await withAdmin((a) => a.logBounds(o.topic));
      const { start, end } = bounds[partition] ?? { start: 0, end: 0 };
      if (offset < start || offset >= end) return undefined;
      let at: number | undefined;
      await read({
        ranges: [{ topic: o.topic, partition, from: offset, to: offset + 1 }],
        deadlineMs: RECORD_DEADLINE_MS,
        onRecord: ({ timestampMs }) => {
          at = timestampMs;
        },
      });
      return at;
    },
  };
}
