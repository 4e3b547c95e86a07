import { type Follower, type FollowOptions, type RangeOptions, StreamUnavailable, TopicMissing } from '../port.ts';
import type { MemoryNetwork } from './memory-consumer.ts';
import type { MemoryLog, MemoryPartition } from './memory-log.ts';

const ROUND_BYTES = 512 * 1024;

export function followMemory(log: MemoryLog, network: MemoryNetwork, options: FollowOptions): Follower {
  const { topic, clientId, onRecord } = options;
  const found = log.topic(topic);
  if (found === undefined) throw new TopicMissing([topic]);
  const ends = found.partitions.map(({ end }) => end);
  const next = found.partitions.map(({ start }) => start);
  let stopped = false;
  let busy = false;
  let resolveCaughtUp: () => void = () => {};
  let rejectCaughtUp: (error: Error) => void = () => {};
  const caughtUp = new Promise<void>((resolve, reject) => {
    resolveCaughtUp = resolve;
    rejectCaughtUp = reject;
  });
  caughtUp.catch(() => {});

  function fail(error: Error): void {
    stopped = true;
    rejectCaughtUp(error);
    options.onFatal(error);
  }

  function round(): void {
    busy = false;
    if (stopped || !network.reachable(clientId)) return;
    let more = false;
    for (let p = 0; p < next.length; p++) {
      const at = log.partition(topic, p);
      if (at === undefined) continue;
      if (at.start > (next[p] as number) && at.end > 0) {
        fail(new RangeError(`${topic} ${p} starts at ${at.start}, ${next[p]} is no longer there`));
        return;
      }
      const records = log.read(topic, p, next[p] as number, ROUND_BYTES);
      for (const record of records) {
        next[p] = record.offset + 1;
        try {
          onRecord(record);
        } catch (error) {
          fail(error as Error);
          return;
        }
        if (stopped) return;
      }
      // What compaction took at the end of the log counts as read.
      if (records.length === 0) next[p] = at.end;
      else more = true;
    }
    if (ends.every((end, p) => (next[p] as number) >= end)) resolveCaughtUp();
    if (more) wake();
  }

  function wake(): void {
    if (busy || stopped) return;
    busy = true;
    setImmediate(round);
  }

  const unwatch = [log.watch(wake), network.watch(wake)];
  wake();
  return {
    caughtUp,
    async stop() {
      stopped = true;
      rejectCaughtUp(new StreamUnavailable('stopped before it had caught up'));
      for (const stop of unwatch) stop();
    },
  };
}

export async function readMemoryRanges(
  log: MemoryLog,
  network: MemoryNetwork,
  clientId: string,
  options: RangeOptions,
) {
  const { onRecord, deadlineMs = 60_000 } = options;
  const untilMs = performance.now() + deadlineMs;
  for (const { topic, partition, from, to } of options.ranges) {
    if (from >= to) continue;
    while (!network.reachable(clientId)) {
      if (performance.now() > untilMs) {
        throw new StreamUnavailable(`the ranges were not read within ${deadlineMs} ms`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const { start, end }: MemoryPartition = log.partition(topic, partition) ?? { start: 0, end: 0, records: [] };
    if (from < start) throw new RangeError(`${topic} ${partition} starts at ${start}, ${from} is no longer there`);
    if (to > end) throw new RangeError(`${topic} ${partition} ends at ${end}, ${to} is not there yet`);
    let next = from;
    while (next < to) {
      await new Promise((resolve) => setImmediate(resolve));
      const records = log.read(topic, partition, next, ROUND_BYTES);
      if (records.length === 0) break;
      for (const record of records) {
        next = record.offset + 1;
        if (record.offset < to) onRecord(record);
      }
    }
  }
}
