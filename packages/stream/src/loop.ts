import type { AssignedPartition, StreamClient, StreamRecord, TopicPartition } from './port.ts';

export interface TrackedRecord {
  readonly record: StreamRecord;
  readonly epoch: number;
  /** What it counts for in memory. */
  readonly bytes: number;
}

export interface SettledRange extends TopicPartition {
  readonly epoch: number;
  /** The offset after the last one. */
  readonly to: number;
  /** Sum of `bytes` of the records below it that were not settled before. */
  readonly bytes: number;
}

/** What a service does with records. All synchronous: a handler enqueues and settles later. */
export interface LoopHandler {
  /** Only enqueues. In offset order for a partition. `logEnd` is the next offset of the log. */
  onRecords(records: readonly TrackedRecord[], logEnd: number): void;
  onAssigned?(partitions: readonly AssignedPartition[], epoch: number): void;
  /** Everything queued of that epoch is to be dropped, no new work of it may start. */
  onRevoked?(epoch: number): void;
  /**
   * Metadata to commit beside this offset of the partition, at most 4,096 bytes; undefined: what is committed stays. Also
   * asked for where nothing was ever committed, so every assigned partition has metadata one idle interval after its
   * assignment. `isLast`: the assignment ends in order, and nothing of it is committed after this.
   */
  metadata?(partition: TopicPartition, watermark: number, isLast: boolean): string | undefined;
  /**
   * Of this partition more must come before anything of it can be settled: it is not paused, whatever it holds. Asked after
   * `onRecords`.
   */
  needsMore?(partition: TopicPartition): boolean;
  /** With `inTurns`: what is held of this partition waits for something outside, and others may go on meanwhile. */
  standsStill?(partition: TopicPartition): boolean;
  /** A partition stopped for good because the log is not what was expected. Readiness goes red. */
  onPartitionStopped(partition: TopicPartition, why: string): void;
  onFatal(error: Error): void;
}

export interface PartitionLag extends TopicPartition {
  readonly logEnd: number;
  readonly watermark: number;
  readonly inMemory: number;
  readonly inMemoryBytes: number;
}

export interface ConsumerLoop {
  /** Resolves when the group was joined for the first time. */
  start(): Promise<void>;
  /** This record's effects are acknowledged; the watermark may pass it. Ignored when its epoch is over. */
  settle(tracked: TrackedRecord): void;
  /** The same for everything below an offset, for whoever works in ranges and keeps no records. */
  settleTo(settled: SettledRange): void;
  /**
   * Commits the watermarks, and changed metadata, now. 'committed': what they were when this was called, or later. Calls
   * that wait behind a commit share the next one.
   */
  commitNow(): Promise<'committed' | 'stale' | 'failed'>;
  /**
   * Nothing more of it is handed over, `onPartitionStopped` is called, and its watermark stays below what is not settled.
   * It is looked at again with the next assignment.
   */
  stopPartition(topic: string, partition: number, why: string): void;
  /** `endOf` says more than before: what was kept back is handed over as far as it goes now, and reading goes on. */
  readOn(): void;
  /**
   * What this partition holds will not be settled in this assignment: it counts for nothing any more, a stop does not wait
   * for it, and nothing more of it is handed over. Its watermark stays below it.
   */
  release(topic: string, partition: number): void;
  /** -1 while no assignment holds: nothing may be started. */
  currentEpoch(): number;
  lag(): PartitionLag[];
  /** Monotonic milliseconds (performance.now) of the group coordinator's last answer. */
  lastHeartbeatMs(): number;
  /** Stops intake, waits until all handed-over records are settled or drainMs passed, commits, then leaves the group. */
  stop(drainMs: number): Promise<void>;
}

export interface ConsumerLoopOptions {
  readonly client: StreamClient;
  readonly groupId: string;
  readonly topics: readonly string[];
  /** Stable name of this process's slot, see ConsumerOptions. */
  readonly clientId: string;
  readonly handler: LoopHandler;
  /** High-water mark of what is read ahead, over all partitions. Default 32 MiB. */
  readonly maxBytes?: number;
  /**
   * What is read ahead is divided so that, while there is more than fits, few partitions have large pieces in memory and the
   * others wait, in place of all having small ones. For work that is cheaper in large pieces; a partition that such work
   * waits for says so (`standsStill`). Default false.
   */
  readonly inTurns?: boolean;
  /** Default 500 ms. */
  readonly commitIntervalMs?: number;
  /** Metadata of a partition whose offset stands still is looked at this often. Default 5,000 ms. */
  readonly idleMetadataMs?: number;
  /**
   * Nothing at or after this offset of the partition is handed over. Asked with every batch, and by `readOn`; it may rise and
   * never falls. Absent: there is no end.
   */
  readonly endOf?: (partition: TopicPartition) => number;
  /** As in ConsumerOptions. */
  readonly exclusive?: boolean;
  /** Topics whose offsets may have holes. */
  readonly compactedTopics?: readonly string[];
  readonly sessionTimeoutMs?: number;
  readonly heartbeatIntervalMs?: number;
  /** As in ConsumerOptions: a reader that works in batches anyway lets the broker collect them. */
  readonly maxWaitMs?: number;
  readonly minBytes?: number;
}
