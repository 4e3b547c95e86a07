import { HEADERS, type Lane, type Topics } from '@volley/contract';
import type { Clock, Logger } from '@volley/runtime';
import type { Ack, StreamAdmin, StreamClient } from '@volley/stream';
import type { LaneLog } from './direct-ports.ts';

/** However many ask: the log is asked once in this time, and nobody waits for it but the first. */
const ASK_EVERY_MS = 1_000;

interface Look {
  atMs: number;
  /** Behind the dispatchers' commits, by partition; undefined: the log could not be asked. */
  lags: readonly number[] | undefined;
  /** Where the log ended at some time, by partition: whatever is written later lies at it or above. */
  readonly ends: number[];
  asking: Promise<void> | undefined;
}

/** What direct messages know of the lanes in the log. A log that cannot be asked stops nobody. */
export function createLaneLog(d: {
  admin: Pick<StreamAdmin, 'logBounds' | 'committed'>;
  client: Pick<StreamClient, 'readRanges'>;
  topics: Topics;
  groupId: string;
  clock: Clock;
  log: Logger;
}): LaneLog {
  const looks = new Map<Lane, Look>();

  function lookAt(lane: Lane): Look {
    const known = looks.get(lane);
    if (known) return known;
    const look: Look = { atMs: Number.NEGATIVE_INFINITY, lags: undefined, ends: [], asking: undefined };
    looks.set(lane, look);
    return look;
  }
  const raise = (look: Look, partition: number, end: number) => {
    look.ends[partition] = Math.max(look.ends[partition] ?? 0, end);
  };

  async function ask(lane: Lane, look: Look): Promise<void> {
    const topic = d.topics.messages[lane];
    try {
      const asked = d.admin.committed(d.groupId, topic);
      asked.catch(() => {});
      const bounds = await d.admin.logBounds(topic);
      for (const [p, { end }] of bounds.entries()) raise(look, p, end);
      const committed = await asked;
      look.lags = bounds.map(({ start, end }, p) => end - Math.max(start, committed[p]?.offset ?? -1));
    } catch (error) {
      look.lags = undefined;
      d.log.warn({ err: (error as Error).message, lane }, 'the backlog is not known');
    }
    look.atMs = d.clock.monotonicMs();
    look.asking = undefined;
  }

  return {
    async backlog(lane, partitions) {
      const look = lookAt(lane);
      const isFirst = look.atMs === Number.NEGATIVE_INFINITY;
      if (!look.asking && d.clock.monotonicMs() >= look.atMs + ASK_EVERY_MS) look.asking = ask(lane, look);
      if (isFirst) await look.asking;
      const { lags } = look;
      return lags && Math.max(0, ...partitions.map((p) => lags[p] ?? 0));
    },

    endsAt(lane, partitions) {
      const { ends } = lookAt(lane);
      if (partitions.some((p) => ends[p] === undefined)) return undefined;
      return Object.fromEntries(partitions.map((p) => [p, ends[p] as number]));
    },

    saw(lane, acks: readonly Ack[]) {
      const look = lookAt(lane);
      for (const { partition, offset } of acks) raise(look, partition, offset + 1);
    },

    async whichOf(messageIds, lane, from) {
      const topic = d.topics.messages[lane];
      const bounds = await d.admin.logBounds(topic);
      const ranges = Object.entries(from).flatMap(([p, at]) => {
        const partition = Number(p);
        const { start, end } = bounds[partition] ?? { start: 0, end: 0 };
        const first = Math.max(start, at);
        return first < end ? [{ topic, partition, from: first, to: end }] : [];
      });
      const ids = new Set<string>();
      const onRecord = ({ headers }: { headers: Readonly<Record<string, Buffer>> }) => {
        const id = headers[HEADERS.messageId]?.toString('latin1');
        if (id !== undefined && messageIds.has(id)) ids.add(id);
      };
      if (ranges.length > 0) await d.client.readRanges({ ranges, onRecord });
      return ids;
    },
  };
}
