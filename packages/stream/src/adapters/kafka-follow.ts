import type { Follower, FollowOptions, RangeOptions } from '../port.ts';
import { StreamUnavailable } from '../port.ts';
import { type KafkaSettings, openCluster } from './kafka-connection.ts';
import { type Cursor, fetchLoop } from './kafka-fetch.ts';
import { logBounds, patiently } from './kafka-positions.ts';

const MAX_WAIT_MS = 100;
/** One broker answers as soon as there is something. */
const ALONE_MAX_WAIT_MS = 500;
const waitMsFor = (brokers: number): number => (brokers === 1 ? ALONE_MAX_WAIT_MS : MAX_WAIT_MS);

export async function followKafka(settings: KafkaSettings, options: FollowOptions): Promise<Follower> {
  const { topic, onRecord, onFatal } = options;
  const { cluster, close } = await openCluster(settings, options.clientId, [topic]);
  let stopping: Promise<void> | undefined;
  try {
    const partitions = cluster
      .findTopicPartitionMetadata(topic)
      .map(({ partitionId }) => ({ topic, partition: partitionId }));
    const bounds = await patiently(cluster, () => logBounds(cluster, partitions));
    const cursors: Cursor[] = partitions.map((of, i) => ({ ...of, next: bounds[i]?.start ?? 0, until: Infinity }));
    const behind = new Set(cursors.keys());
    let resolveCaughtUp: () => void = () => {};
    let rejectCaughtUp: (error: Error) => void = () => {};
    const caughtUp = new Promise<void>((resolve, reject) => {
      resolveCaughtUp = resolve;
      rejectCaughtUp = reject;
    });
    caughtUp.catch(() => {});
    const look = () => {
      for (const i of behind) if ((cursors[i] as Cursor).next >= (bounds[i]?.end ?? 0)) behind.delete(i);
      if (behind.size === 0) resolveCaughtUp();
    };
    look();
    const loop = fetchLoop(cluster, cursors, waitMsFor, onRecord, look, settings.log);
    loop.finished.catch((error: Error) => {
      rejectCaughtUp(error);
      if (stopping === undefined) onFatal(error);
    });
    return {
      caughtUp,
      stop() {
        stopping ??= (async () => {
          await loop.stop();
          rejectCaughtUp(new StreamUnavailable('stopped before it had caught up'));
          await close();
        })();
        return stopping;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

export async function readKafkaRanges(settings: KafkaSettings, clientId: string, options: RangeOptions): Promise<void> {
  const ranges = options.ranges.filter(({ from, to }) => from < to);
  if (ranges.length === 0) return;
  const deadlineMs = options.deadlineMs ?? 60_000;
  const deadlineAtMs = performance.now() + deadlineMs;
  const { cluster, close } = await openCluster(settings, clientId, [...new Set(ranges.map(({ topic }) => topic))]);
  let timer: NodeJS.Timeout | undefined;
  try {
    const wanted = () => performance.now() < deadlineAtMs;
    const bounds = await patiently(cluster, () => logBounds(cluster, ranges), wanted);
    ranges.forEach(({ topic, partition, from, to }, i) => {
      const { start, end } = bounds[i] as { start: number; end: number };
      if (from < start) throw new RangeError(`${topic} ${partition} starts at ${start}, ${from} is no longer there`);
      if (to > end) throw new RangeError(`${topic} ${partition} ends at ${end}, ${to} is not there yet`);
    });
    const cursors = ranges.map(({ topic, partition, from, to }) => ({ topic, partition, next: from, until: to }));
    const loop = fetchLoop(
      cluster,
      cursors,
      () => MAX_WAIT_MS,
      options.onRecord,
      () => {},
      settings.log,
    );
    const late = new Promise<never>((_, reject) => {
      const message = `the ranges were not read within ${deadlineMs} ms`;
      timer = setTimeout(() => reject(new StreamUnavailable(message)), deadlineAtMs - performance.now());
    });
    try {
      await Promise.race([loop.finished, late]);
    } finally {
      await loop.stop();
    }
  } finally {
    clearTimeout(timer);
    await close();
  }
}
