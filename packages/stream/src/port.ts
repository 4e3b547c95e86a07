/**
 * The port: what Volley asks of a log. Two adapters fulfil it (kafka, memory) and one conformance suite judges both.
 * Offsets are numbers (exact to 2^53) and an offset that is committed always names the NEXT record to read.
 */

export type RecordHeaders = Readonly<Record<string, string | Buffer>>;

/** A record as the log holds it. Header values are bytes: whoever reads one decides what it is. */
export interface StreamRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
  /** Epoch milliseconds: the log's own append time where the topic says LogAppendTime. */
  readonly timestampMs: number;
}

/** A record to write. The partition is always explicit: a partitioner that runs again on a retry may choose another one. */
export interface OutgoingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: string | Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: RecordHeaders;
}

/** Where a record landed. */
export interface Ack {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** The log did not take the records within the deadline. Some of them may be there: send the same again, under the same ids. */
export class StreamUnavailable extends Error {
  override readonly name: string = 'StreamUnavailable';
}

/** The log answers and has no such topic. Whoever starts ends over it, whoever runs waits for it to be made again. */
export class TopicMissing extends StreamUnavailable {
  override readonly name = 'TopicMissing';
  readonly topics: readonly string[];
  constructor(topics: readonly string[]) {
    super(`there is no topic ${topics.join(', ')}: run the set-up step`);
    this.topics = topics;
  }
}

/** The log will never take this: too large, or a topic or partition that does not exist. Nothing of the call was promised. */
export class RecordRefused extends Error {
  override readonly name = 'RecordRefused';
}

/** Offsets are set, and groups deleted, when nobody is in them. */
export class GroupInUse extends Error {
  override readonly name = 'GroupInUse';
  constructor(groupId: string) {
    super(`somebody is in the group ${groupId}`);
  }
}

export interface StreamProducer {
  /**
   * Resolves when all in-sync replicas have every record; the answer has one Ack per record, in the order given.
   * Records of one call, and of successive calls, keep their order within a partition. Any number of calls may be
   * outstanding: they are coalesced into one request at a time. A call is not atomic across partitions.
   * Rejects with StreamUnavailable after `deadlineMs`, with RecordRefused for what can never be written.
   */
  send(records: readonly OutgoingRecord[]): Promise<Ack[]>;
  /** Bytes accepted and not yet acknowledged: what a caller bounds its memory by. */
  pendingBytes(): number;
  /** Waits for what is outstanding (to its deadline), then closes. Idempotent. */
  close(): Promise<void>;
}

export interface ProducerOptions {
  /** Appears in the broker's logs. */
  readonly clientId: string;
  /** How long a send may be retried before it rejects. Default 30,000 ms. */
  readonly deadlineMs?: number;
  /** Upper bounds of one coalesced request. Defaults 2,000 records, 1 MiB. */
  readonly maxBatchRecords?: number;
  readonly maxBatchBytes?: number;
}

export interface RecordBatch {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: number;
  /** In offset order, never empty. */
  readonly records: readonly StreamRecord[];
  /** Next offset of the log as the broker said with this batch. */
  readonly logEnd: number;
}

/** A partition at the moment in which it was assigned. */
export interface AssignedPartition extends TopicPartition {
  /** The group's offset, -1 where there is none. */
  readonly committed: number;
  /** What was committed beside it. */
  readonly metadata: string;
  /** Next offset of the log, asked for after the assignment. */
  readonly logEnd: number;
}

/**
 * What the consumer calls. All synchronous: `onBatch` only enqueues, because the client asks a broker again only
 * when every batch of its last answer has been returned.
 */
export interface ConsumerEvents {
  onBatch(batch: RecordBatch): void;
  /** A new assignment with a new, higher epoch; nothing of it is paused. */
  onAssigned(epoch: number, partitions: readonly AssignedPartition[]): void;
  /**
   * From here on nothing of this epoch may be started. A commit called inside this callback is the last of it that can
   * count. Work in flight may still finish.
   */
  onRevoked(epoch: number): void;
  /** The client cannot go on. The process is expected to end: a consumer that is up but deaf helps nobody. */
  onFatal(error: Error): void;
}

export interface CommitEntry extends TopicPartition {
  /** The next offset to read. */
  readonly offset: number;
  /** Kept by the log beside the offset, at most 4,096 bytes. */
  readonly metadata?: string;
}

export interface StreamConsumer {
  /**
   * Resolves after the first `onAssigned`, before which no batch is delivered. Rejects after a minute without it, and with
   * TopicMissing as soon as that is known.
   */
  start(): Promise<void>;
  /** Stops fetching of these partitions; batches already fetched may still arrive once. */
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  /**
   * Commits under the current generation if `epoch` is the current epoch in this very tick, else does nothing.
   * 'stale': the assignment has changed, the commit did not happen and must not be repeated.
   * 'failed': the broker could not be asked, or no batch has come yet; try again with the next, higher watermark.
   */
  commit(epoch: number, entries: readonly CommitEntry[]): Promise<'committed' | 'stale' | 'failed'>;
  /** Monotonic milliseconds (performance.now) of the last heartbeat, join or commit that the group coordinator answered. */
  lastHeartbeatMs(): number;
  /** Leaves the group. The last commit must precede it. Idempotent. */
  stop(): Promise<void>;
}

export interface ConsumerOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  /**
   * Stable name of this process's slot. Before it joins, members of the group with this clientId are removed, so that
   * a restart after a kill does not wait for its dead predecessor's session to time out.
   */
  readonly clientId: string;
  /**
   * All partitions go to this member, and the others have none, until it leaves. Somebody else who is exclusive and has them
   * keeps them: then this one is assigned none, and waits.
   */
  readonly exclusive?: boolean;
  readonly events: ConsumerEvents;
  /** Default 10,000 and 1,000. */
  readonly sessionTimeoutMs?: number;
  readonly heartbeatIntervalMs?: number;
  /** Upper bound of one fetch per partition. Default 512 KiB. */
  readonly maxBytesPerPartition?: number;
  /** How long a fetch waits for data. Default 100 ms. */
  readonly maxWaitMs?: number;
  /** A fetch is answered when this much is there, or after `maxWaitMs`. Default 1: at once. Fewer, larger fetches cost less. */
  readonly minBytes?: number;
}

/** Reads [from, to) of each range once, in offset order per partition, without a lasting group. */
export interface RangeOptions {
  readonly ranges: readonly (TopicPartition & { from: number; to: number })[];
  /** What it throws ends the read, which rejects with it: nothing is handed over after that. */
  readonly onRecord: (record: StreamRecord) => void;
  /** Rejects with StreamUnavailable when the ranges were not read by then. Default 60,000 ms. */
  readonly deadlineMs?: number;
}

/** Follows all partitions of a (compacted) topic from their beginning, for as long as the process lives. */
export interface FollowOptions {
  readonly topic: string;
  readonly clientId: string;
  readonly onRecord: (record: StreamRecord) => void;
  readonly onFatal: (error: Error) => void;
}

export interface Follower {
  /** Resolves when everything up to the log ends as of the call of `follow` has been handed over. */
  readonly caughtUp: Promise<void>;
  stop(): Promise<void>;
}

export interface TopicSpec {
  readonly topic: string;
  readonly partitions: number;
  /** 1 on the single local broker, 3 in production. */
  readonly replicationFactor: number;
  readonly config: Readonly<Record<string, string>>;
}

export interface StreamAdmin {
  /** Creates what is missing, leaves what exists. Names the topics whose partition count differs. */
  ensureTopics(
    specs: readonly TopicSpec[],
  ): Promise<{ created: string[]; mismatched: { topic: string; partitions: number }[] }>;
  /** Settings in force by topic, as text; topics that do not exist are absent. What a log does not keep is absent, too. */
  topicSettings(topics: readonly string[]): Promise<Map<string, Record<string, string>>>;
  /** Deletes the topics that exist among these. */
  deleteTopics(topics: readonly string[]): Promise<void>;
  /**
   * First and next offset of each partition, by partition number. Retries while leaders are being elected. Rejects with
   * TopicMissing.
   */
  logBounds(topic: string): Promise<{ start: number; end: number }[]>;
  /**
   * Of each partition, by number: the first record that the log took at this time (epoch milliseconds) or later; its next
   * offset where there is none. Only where the log stamps records itself are times and offsets in the same order.
   */
  offsetsAt(topic: string, atMs: number): Promise<number[]>;
  /** Committed offset (-1: none) and metadata of each partition, by partition number. */
  committed(groupId: string, topic: string): Promise<{ offset: number; metadata: string }[]>;
  /** Client ids of those who are in the group; one that was killed is, until its session is over. */
  members(groupId: string): Promise<string[]>;
  /** As a member would commit them. Rejects with GroupInUse: those who are in it have their own idea of where they are. */
  setCommitted(groupId: string, entries: readonly CommitEntry[]): Promise<void>;
  /** With its offsets; nothing when there is none. Rejects with GroupInUse. */
  deleteGroup(groupId: string): Promise<void>;
  /** Which log this is: another one after it was made anew, although topics and offsets are the same. */
  clusterId(): Promise<string>;
  close(): Promise<void>;
}

export interface StreamClient {
  producer(options: ProducerOptions): Promise<StreamProducer>;
  consumer(options: ConsumerOptions): StreamConsumer;
  /** Rejects with TopicMissing. */
  follow(options: FollowOptions): Promise<Follower>;
  readRanges(options: RangeOptions): Promise<void>;
  admin(): Promise<StreamAdmin>;
  /** Closes everything that was opened through this client. Idempotent. */
  close(): Promise<void>;
}
