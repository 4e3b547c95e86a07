import type { ConsumerLoop, ConsumerLoopOptions, SettledRange, TrackedRecord } from './loop.ts';
import { createOffsetTracker, type OffsetTracker } from './offsets.ts';
import type { AssignedPartition, CommitEntry, RecordBatch, StreamRecord, TopicPartition } from './port.ts';
import { bytesOf, createReadAhead, type Held, type ReadAhead } from './read-ahead.ts';
import { createReadInTurns } from './read-in-turns.ts';

interface Partition extends TopicPartition, Held {
  readonly tracker: OffsetTracker;
  readonly compacted: boolean;
  /** The next offset the log owes us. */
  expected: number;
  logEnd: number;
  stopped: boolean;
  /** What it holds is not settled any more. */
  released: boolean;
  /** Fetched, and at or after the end: not handed over, and nothing more is fetched. A batch, at most two. */
  keptBack: readonly StreamRecord[];
  /** What the group has; -1 also when it must be written again. */
  committed: number;
  committedMetadata: string | undefined;
}

interface Tracked extends TrackedRecord {
  readonly partition: Partition;
}

/**
 * The loop every service runs its records through: bounded read-ahead, contiguous commits, and no effect of an
 * assignment that is over. It knows nothing of what a record means.
 */
export function createConsumerLoop(options: ConsumerLoopOptions): ConsumerLoop {
  const { client, handler } = options;
  const maxBytes = options.maxBytes ?? 32 * 1024 * 1024;
  const commitIntervalMs = options.commitIntervalMs ?? 500;
  const idleMetadataMs = options.idleMetadataMs ?? 5_000;
  const compacted = new Set(options.compactedTopics ?? []);

  let epoch = -1;
  let partitions = new Map<string, Map<number, Partition>>();
  let inMemory = 0;
  let stopping = false;
  let stopped: Promise<void> | undefined;
  let drained: (() => void) | undefined;
  let commitTimer: NodeJS.Timeout | undefined;
  let committing: Promise<unknown> = Promise.resolve();
  let commitsWaiting = 0;
  /** Asked for and not begun. */
  let nextCommit: Promise<'committed' | 'stale' | 'failed'> | undefined;
  let idleMetadataAtMs = 0;

  const mayBeRead = ({ stopped, released, keptBack }: Partition) =>
    !stopping && !stopped && !released && keptBack.length === 0;
  const fetching = {
    pause: (partition: Partition) => consumer.pause([partition]),
    resume(partition: Partition) {
      if (mayBeRead(partition)) consumer.resume([partition]);
    },
    lags: (partition: Partition) => mayBeRead(partition) && partition.expected < partition.logEnd,
    standsStill: (partition: Partition) => handler.standsStill?.(partition) === true,
  };
  const readAhead: ReadAhead<Partition> = options.inTurns
    ? createReadInTurns(maxBytes, fetching)
    : createReadAhead(maxBytes, fetching);

  const consumer = client.consumer({
    groupId: options.groupId,
    topics: options.topics,
    clientId: options.clientId,
    // A batch is the step in which the bound can be overshot, so it stays small beside it.
    maxBytesPerPartition: Math.min(512 * 1024, Math.max(64 * 1024, Math.floor(maxBytes / 16))),
    ...(options.sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs: options.sessionTimeoutMs }),
    ...(options.heartbeatIntervalMs === undefined ? {} : { heartbeatIntervalMs: options.heartbeatIntervalMs }),
    ...(options.maxWaitMs === undefined ? {} : { maxWaitMs: options.maxWaitMs }),
    ...(options.minBytes === undefined ? {} : { minBytes: options.minBytes }),
    ...(options.exclusive === undefined ? {} : { exclusive: options.exclusive }),
    events: { onBatch, onAssigned, onRevoked, onFatal: (error) => handler.onFatal(error) },
  });

  function* all(): Generator<Partition> {
    for (const ofTopic of partitions.values()) yield* ofTopic.values();
  }

  function onAssigned(newEpoch: number, assigned: readonly AssignedPartition[]): void {
    partitions = new Map();
    inMemory = 0;
    for (const { topic, partition, committed, metadata, logEnd } of assigned) {
      const start = Math.max(0, committed);
      const ofTopic = partitions.get(topic) ?? new Map<number, Partition>();
      partitions.set(topic, ofTopic);
      ofTopic.set(partition, {
        topic,
        partition,
        tracker: createOffsetTracker(start),
        compacted: compacted.has(topic),
        expected: start,
        logEnd,
        bytes: 0,
        paused: false,
        stopped: false,
        released: false,
        keptBack: [],
        committed,
        committedMetadata: committed < 0 ? undefined : metadata,
      });
    }
    readAhead.reset(assigned.length);
    epoch = newEpoch;
    if (stopping) consumer.pause([...all()]);
    handler.onAssigned?.(assigned, newEpoch);
    void checkLogBounds(newEpoch);
  }

  function onRevoked(oldEpoch: number): void {
    // The group may still take it: work that is done now need not be done again by the next owner.
    const { entries } = collect(true, true);
    if (entries.length > 0) void consumer.commit(oldEpoch, entries);
    epoch = -1;
    partitions = new Map();
    inMemory = 0;
    handler.onRevoked?.(oldEpoch);
    drained?.();
  }

  function onBatch(batch: RecordBatch): void {
    if (batch.epoch !== epoch || stopping) return;
    const partition = partitions.get(batch.topic)?.get(batch.partition);
    if (partition === undefined || partition.stopped || partition.released) return;
    partition.logEnd = batch.logEnd;
    // One that was on its way when the partition was paused at its end.
    if (partition.keptBack.length > 0) keepBack(partition, batch.records);
    else handOver(partition, batch.records);
  }

  function handOver(partition: Partition, records: readonly StreamRecord[]): void {
    const tracked: Tracked[] = [];
    const end = options.endOf?.(partition) ?? Number.POSITIVE_INFINITY;
    let gapAt = -1;
    let bytes = 0;
    for (let i = 0; i < records.length; i++) {
      const record = records[i] as StreamRecord;
      if (record.offset >= end) {
        keepBack(partition, records.slice(i));
        break;
      }
      if (record.offset !== partition.expected && (!partition.compacted || record.offset < partition.expected)) {
        gapAt = record.offset;
        break;
      }
      const size = bytesOf(record);
      bytes += size;
      partition.tracker.handOver(record.offset);
      partition.expected = record.offset + 1;
      tracked.push({ record, epoch, bytes: size, partition });
    }
    if (tracked.length > 0) {
      inMemory += tracked.length;
      readAhead.grew(partition, bytes);
      handler.onRecords(tracked, partition.logEnd);
      if (handler.needsMore?.(partition) !== true) readAhead.pauseIfFull(partition);
    }
    if (gapAt >= 0) {
      stopPartition(partition, `offset ${partition.expected} was expected and the log gave ${gapAt}`);
    }
  }

  function keepBack(partition: Partition, records: readonly StreamRecord[]): void {
    partition.keptBack = [...partition.keptBack, ...records];
    consumer.pause([partition]);
  }

  function readOn(): void {
    if (stopping) return;
    for (const partition of all()) {
      if (partition.keptBack.length === 0 || partition.stopped || partition.released) continue;
      const records = partition.keptBack;
      partition.keptBack = [];
      handOver(partition, records);
      if (partition.keptBack.length === 0 && !partition.paused && !partition.stopped) consumer.resume([partition]);
    }
  }

  function stopPartition(partition: Partition, why: string): void {
    if (partition.stopped) return;
    partition.stopped = true;
    // kafkajs resets the group's offset when it is out of range: our watermark is written again over it.
    partition.committed = -1;
    consumer.pause([partition]);
    handler.onPartitionStopped({ topic: partition.topic, partition: partition.partition }, why);
  }

  function release(partition: Partition): void {
    if (partition.released) return;
    partition.released = true;
    consumer.pause([partition]);
    inMemory -= partition.tracker.unsettled();
    readAhead.cleared(partition);
    if (inMemory === 0) drained?.();
  }

  /** A log that lost records and is empty sends no batch that would show it, so its bounds are asked for. */
  async function checkLogBounds(ofEpoch: number): Promise<void> {
    const topics = [...partitions.keys()];
    try {
      const admin = await client.admin();
      try {
        for (const topic of topics) {
          const asked = [...(partitions.get(topic)?.values() ?? [])].map((partition) => partition.expected);
          const bounds = await admin.logBounds(topic);
          if (epoch !== ofEpoch) return;
          let i = 0;
          for (const partition of partitions.get(topic)?.values() ?? []) {
            const expectedThen = asked[i++];
            const bound = bounds[partition.partition];
            if (bound === undefined) continue;
            partition.logEnd = Math.max(partition.logEnd, bound.end);
            const owed = `offset ${partition.expected} was expected`;
            if (bound.start > partition.expected) {
              stopPartition(partition, `${owed} and the log starts at ${bound.start}`);
            } else if (bound.end < partition.expected && partition.expected === expectedThen) {
              stopPartition(partition, `${owed} and the log ends at ${bound.end}`);
            }
          }
        }
      } finally {
        await admin.close();
      }
    } catch {
      // The log could not be asked. The first batch of each partition is checked in any case.
    }
  }

  function settle(tracked: TrackedRecord): void {
    if (tracked.epoch !== epoch) return;
    const { partition, record, bytes } = tracked as Tracked;
    if (partition.released) return;
    if (partition.tracker.settle(record.offset)) letGo(partition, 1, bytes);
  }

  function settleTo({ topic, partition: number, epoch: ofEpoch, to, bytes }: SettledRange): void {
    if (ofEpoch !== epoch) return;
    const partition = partitions.get(topic)?.get(number);
    if (partition === undefined || partition.released) return;
    const count = partition.tracker.settleBelow(to);
    if (count > 0) letGo(partition, count, bytes);
  }

  function letGo(partition: Partition, count: number, bytes: number): void {
    inMemory -= count;
    readAhead.shrank(partition, bytes);
    if (inMemory === 0) drained?.();
  }

  function collect(withIdleMetadata: boolean, isLast: boolean): { entries: CommitEntry[]; of: Partition[] } {
    const entries: CommitEntry[] = [];
    const of: Partition[] = [];
    for (const partition of all()) {
      const offset = partition.tracker.watermark();
      const moved = offset > Math.max(0, partition.committed);
      if (!moved && (handler.metadata === undefined || !withIdleMetadata)) continue;
      const { topic, partition: number } = partition;
      const metadata = handler.metadata?.({ topic, partition: number }, offset, isLast) ?? partition.committedMetadata;
      if (!moved && metadata === partition.committedMetadata) continue;
      entries.push({ topic, partition: number, offset, ...(metadata === undefined ? {} : { metadata }) });
      of.push(partition);
    }
    return { entries, of };
  }

  async function commitOnce(withIdleMetadata: boolean, isLast: boolean): Promise<'committed' | 'stale' | 'failed'> {
    const ofEpoch = epoch;
    if (ofEpoch < 0) return 'stale';
    const { entries, of } = collect(withIdleMetadata, isLast);
    if (entries.length === 0) return 'committed';
    const result = await consumer.commit(ofEpoch, entries);
    if (result === 'committed' && ofEpoch === epoch) {
      entries.forEach((entry, i) => {
        const partition = of[i];
        if (partition === undefined) return;
        partition.committed = entry.offset;
        partition.committedMetadata = entry.metadata;
      });
    }
    return result;
  }

  /** One at a time, in order: a lower watermark must never follow a higher one. */
  function commit(withIdleMetadata: boolean, isLast = false): Promise<'committed' | 'stale' | 'failed'> {
    commitsWaiting += 1;
    const run = committing.then(() => commitOnce(withIdleMetadata, isLast));
    const done = () => {
      commitsWaiting -= 1;
    };
    committing = run.then(done, done);
    return run;
  }

  function tick(): void {
    if (commitsWaiting > 0 || epoch < 0) return;
    const withIdleMetadata = performance.now() - idleMetadataAtMs >= idleMetadataMs;
    if (withIdleMetadata) idleMetadataAtMs = performance.now();
    commit(withIdleMetadata).catch((error: Error) => handler.onFatal(error));
  }

  async function drainAndStop(drainMs: number): Promise<void> {
    stopping = true;
    if (epoch >= 0) consumer.pause([...all()]);
    if (inMemory > 0 && epoch >= 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, drainMs);
        drained = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    clearInterval(commitTimer);
    for (let attempt = 0; attempt < 3; attempt++) {
      if ((await commit(true, true).catch(() => 'failed' as const)) !== 'failed') break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    epoch = -1;
    await consumer.stop();
    await committing;
    partitions = new Map();
  }

  return {
    async start() {
      commitTimer = setInterval(tick, commitIntervalMs);
      commitTimer.unref();
      try {
        await consumer.start();
      } catch (error) {
        clearInterval(commitTimer);
        throw error;
      }
    },
    settle,
    settleTo,
    commitNow() {
      if (nextCommit !== undefined) return nextCommit;
      const behind = committing;
      const shared = behind.then(() => {
        nextCommit = undefined;
        return commit(true);
      });
      nextCommit = shared;
      return shared;
    },
    stopPartition(topic, number, why) {
      const partition = partitions.get(topic)?.get(number);
      if (partition !== undefined) stopPartition(partition, why);
    },
    readOn,
    release(topic, number) {
      const partition = partitions.get(topic)?.get(number);
      if (partition !== undefined) release(partition);
    },
    currentEpoch: () => epoch,
    lag: () =>
      [...all()].map((partition) => ({
        topic: partition.topic,
        partition: partition.partition,
        logEnd: partition.logEnd,
        watermark: partition.tracker.watermark(),
        inMemory: partition.released ? 0 : partition.tracker.unsettled(),
        inMemoryBytes: partition.bytes,
      })),
    lastHeartbeatMs: () => consumer.lastHeartbeatMs(),
    stop(drainMs) {
      stopped ??= drainAndStop(drainMs);
      return stopped;
    },
  };
}
