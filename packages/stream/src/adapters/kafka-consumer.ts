import type { Batch, Cluster, Consumer, EachBatchPayload } from 'kafkajs';
import { type ConsumerOptions, type StreamConsumer, TopicMissing, type TopicPartition } from '../port.ts';
import { coPartitionAssigner } from './kafka-assigner.ts';
import {
  type Connection,
  errorType,
  isPassing,
  type KafkaSettings,
  learnTopics,
  openKafka,
  PATIENT_RETRY,
  within,
} from './kafka-connection.ts';
import { followCoordinator, onJoinGivenUp } from './kafka-group.ts';
import { type Idleness, waitLongerWhenIdle } from './kafka-idle-fetch.ts';
import { removeDeadMembers } from './kafka-members.ts';
import { assignedPositions } from './kafka-positions.ts';
import { toRecords } from './kafka-record.ts';
import { createSessionClock } from './kafka-session.ts';
import { readRecordsInOneGo } from './kafka-unbatch.ts';

/** The generation that the commit was made under is over: the broker refused it, for good. */
const STALE = new Set(['ILLEGAL_GENERATION', 'REBALANCE_IN_PROGRESS', 'UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID']);
const START_DEADLINE_MS = 60_000;
/** A process that ends cannot bring a broker back either, so it may wait for long. */
const REJOIN_DEADLINE_MS = 600_000;
const STOP_DEADLINE_MS = 3_000;

type CommitFunction = EachBatchPayload['commitOffsetsIfNecessary'];

export function createKafkaConsumer(settings: KafkaSettings, options: ConsumerOptions): StreamConsumer {
  const { groupId, clientId, events } = options;
  const sessionTimeoutMs = options.sessionTimeoutMs ?? 10_000;
  const heartbeatIntervalMs = options.heartbeatIntervalMs ?? 1_000;
  const lookEveryMs = Math.max(500, heartbeatIntervalMs);

  let connection: Connection | undefined;
  let consumer: Consumer | undefined;
  let cluster: Cluster | undefined;
  let idleness: Idleness | undefined;
  /** Counts assignments. A commit or a batch belongs to the current one only while `live`. */
  let epoch = 0;
  let live = false;
  let positions = new Map<string, Map<number, number>>();
  let owned: readonly number[] = [];
  /** A mismatch is looked at twice before it is believed. */
  let doubted = new Set<string>();
  let commitOffsets: CommitFunction | undefined;
  /** When an answer was last read; `session` knows since when silence counts. */
  let heartbeatAtMs = performance.now();
  const session = createSessionClock();
  let looking = false;
  let stopping: Promise<void> | undefined;
  let failed = false;
  let joined: (() => void) | undefined;
  let joinFailed: ((error: Error) => void) | undefined;

  /** Also drops an assignment that is still being looked up. A commit made inside the callback is the last to count. */
  function revoke(): void {
    if (live) events.onRevoked(epoch);
    live = false;
    epoch += 1;
  }

  function fatal(error: Error): void {
    if (failed || stopping !== undefined) return;
    failed = true;
    revoke();
    events.onFatal(error);
  }

  /**
   * kafkajs ends a consumer for good, or gives its join up, over things that pass, such as losing the only broker it
   * knows. Then a new one joins in its place; what it had is revoked, as after any loss of membership. Anything else is
   * fatal.
   */
  function crashed(error: Error): void {
    if (failed || stopping !== undefined) return;
    if (joinFailed !== undefined) {
      joinFailed(error);
      return;
    }
    if (!isPassing(error)) {
      fatal(error);
      return;
    }
    settings.log('warn', 'the consumer ended or gave its join up, joining again', {
      groupId,
      clientId,
      error: error.message,
    });
    revoke();
    joinWithin(REJOIN_DEADLINE_MS).catch(fatal);
  }

  /**
   * Everything is paused in the same tick, before kafkajs fetches: the positions are ours to find and to set, and until
   * then no batch may come. kafkajs alone would jump to the log's start when the committed offset is gone.
   */
  async function onGroupJoin(of: Consumer, assignment: Record<string, number[]>): Promise<void> {
    revoke();
    heartbeatAtMs = performance.now();
    session.answered(heartbeatAtMs);
    idleness?.active();
    const mine = epoch;
    const assigned = Object.entries(assignment).flatMap(([topic, numbers]) =>
      [...numbers].sort((a, b) => a - b).map((partition) => ({ topic, partition })),
    );
    owned = [...new Set(assigned.map(({ partition }) => partition))];
    pauseIn(of, assigned);
    const current = () => mine === epoch && stopping === undefined && !failed;
    const found = await assignedPositions(cluster as Cluster, groupId, assigned, current);
    if (found === undefined || !current()) return;
    positions = new Map();
    doubted = new Set();
    for (const { topic, partition, position } of found) {
      const ofTopic = positions.get(topic) ?? new Map<number, number>();
      positions.set(topic, ofTopic.set(partition, position));
      of.seek({ topic, partition, offset: String(position) });
    }
    of.resume(byTopic(assigned));
    live = true;
    events.onAssigned(
      epoch,
      found.map(({ position: _, ...assigned }) => assigned),
    );
    joined?.();
  }

  function take({ batch, resolveOffset, isStale, commitOffsetsIfNecessary }: EachBatchPayload): void {
    commitOffsets = commitOffsetsIfNecessary;
    if (batch.messages.length > 0) idleness?.active();
    const ofTopic = positions.get(batch.topic);
    const position = ofTopic?.get(batch.partition);
    // Not resolved, so it is fetched again if it is still ours.
    if (!live || isStale() || ofTopic === undefined || position === undefined) return;
    const fetchedFrom = Number((batch as Batch & { fetchedOffset: string }).fetchedOffset);
    const key = `${batch.topic} ${batch.partition}`;
    if (fetchedFrom !== position && !doubted.has(key)) {
      // Left over from an earlier assignment, or kafkajs has jumped because the log no longer has the position.
      doubted.add(key);
      consumer?.seek({ topic: batch.topic, partition: batch.partition, offset: String(position) });
      return;
    }
    doubted.delete(key);
    const records = toRecords(batch.topic, batch.partition, batch.messages);
    const last = batch.lastOffset();
    ofTopic.set(batch.partition, Number(last) + 1);
    resolveOffset(batch.messages[batch.messages.length - 1]?.offset ?? last);
    try {
      const { topic, partition } = batch;
      events.onBatch({ topic, partition, epoch, records, logEnd: Number(batch.highWatermark) });
    } catch (error) {
      fatal(error as Error);
    }
  }

  function pauseIn(of: Consumer, partitions: readonly TopicPartition[]): void {
    if (partitions.length > 0) of.pause(byTopic(partitions));
  }

  const ours = (partitions: readonly TopicPartition[]) =>
    partitions.filter(({ topic, partition }) => positions.get(topic)?.has(partition));

  /** Two heartbeats without an answer: the coordinator may have moved, which kafkajs would not notice. */
  async function lookForCoordinator(of: Cluster): Promise<void> {
    const mine = epoch;
    const isSilent = () => live && mine === epoch && performance.now() - heartbeatAtMs > 2 * lookEveryMs;
    if (looking || !isSilent()) return;
    looking = true;
    try {
      if (await followCoordinator(of, groupId, isSilent))
        settings.log('warn', 'the coordinator of the group has moved', { groupId, clientId });
    } catch {
      // Nobody knows it yet, or nobody can be asked: again with the next look.
    } finally {
      looking = false;
    }
  }

  /** One attempt to join. kafkajs gives up at once on some errors of a broker that is just starting. */
  async function join(): Promise<void> {
    connection?.abandon();
    readRecordsInOneGo();
    const opened = openKafka(settings, clientId, PATIENT_RETRY);
    connection = opened;
    commitOffsets = undefined;
    // One that failed or was replaced may still speak.
    const ifCurrent =
      <A extends unknown[]>(listener: (...given: A) => void) =>
      (...given: A) => {
        if (consumer === made) listener(...given);
      };
    const made: Consumer = opened.kafka.consumer({
      groupId,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: sessionTimeoutMs,
      heartbeatInterval: heartbeatIntervalMs,
      maxWaitTimeInMs: options.maxWaitMs ?? 100,
      minBytes: options.minBytes ?? 1,
      maxBytesPerPartition: options.maxBytesPerPartition ?? 512 * 1024,
      maxBytes: 8 * 1024 * 1024,
      allowAutoTopicCreation: false,
      readUncommitted: true,
      retry: { ...PATIENT_RETRY, restartOnFailure: async () => false },
      partitionAssigners: [
        coPartitionAssigner({
          onCluster(given) {
            cluster = given;
            idleness = waitLongerWhenIdle(given);
            onJoinGivenUp(given, ifCurrent(crashed));
          },
          onJoining: ifCurrent(revoke),
          owned: () => owned,
          exclusive: options.exclusive === true,
        }),
      ],
    });
    consumer = made;
    made.on(
      made.events.REQUEST,
      ifCurrent(({ payload }) => session.requested(payload)),
    );
    made.on(
      made.events.HEARTBEAT,
      ifCurrent(() => {
        heartbeatAtMs = performance.now();
        session.heartbeat();
      }),
    );
    made.on(made.events.REBALANCING, ifCurrent(revoke));
    made.on(
      made.events.GROUP_JOIN,
      ifCurrent(({ payload }) => void onGroupJoin(made, payload.memberAssignment).catch(ifCurrent(crashed))),
    );
    made.on(
      made.events.CRASH,
      ifCurrent(({ payload }) => crashed(payload.error)),
    );
    const done = new Promise<void>((resolve, reject) => {
      joined = resolve;
      joinFailed = reject;
    });
    const tooLate = setTimeout(() => joinFailed?.(new Error('the group did not answer')), START_DEADLINE_MS);
    const steps = async () => {
      await made.connect();
      await removeDeadMembers(cluster as Cluster, groupId, clientId, settings.log);
      await learnTopics(cluster as Cluster, options.topics);
      await made.subscribe({ topics: [...options.topics], fromBeginning: true });
      await made.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: async (given) => ifCurrent(take)(given),
      });
    };
    try {
      await Promise.race([done, steps().then(() => done)]);
    } catch (error) {
      // It may yet say that it ended, which is no news: the next attempt must not be made twice.
      if (consumer === made) {
        consumer = undefined;
        revoke();
      }
      opened.abandon();
      throw error;
    } finally {
      clearTimeout(tooLate);
      joined = undefined;
      joinFailed = undefined;
    }
  }

  async function joinWithin(deadlineMs: number): Promise<void> {
    const deadlineAtMs = performance.now() + deadlineMs;
    for (;;) {
      if (stopping !== undefined) throw new Error('stopped');
      try {
        return await join();
      } catch (error) {
        const hopeless = error instanceof TopicMissing && deadlineMs === START_DEADLINE_MS;
        if (stopping !== undefined || hopeless || performance.now() > deadlineAtMs) throw error;
        settings.log('warn', 'could not join the group, trying again', { groupId, clientId, error: String(error) });
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    }
  }

  const looks = setInterval(() => {
    if (cluster !== undefined) void lookForCoordinator(cluster);
  }, lookEveryMs);
  looks.unref();

  return {
    start: () => joinWithin(START_DEADLINE_MS),
    pause(partitions) {
      if (live && consumer !== undefined) pauseIn(consumer, ours(partitions));
    },
    resume(partitions) {
      const known = ours(partitions);
      idleness?.active();
      if (live && known.length > 0) consumer?.resume(byTopic(known));
    },
    async commit(ofEpoch, entries) {
      if (!live || ofEpoch !== epoch) return 'stale';
      if (entries.length === 0) return 'committed';
      if (commitOffsets === undefined) return 'failed';
      // A broker answers a connection in order: commits wait behind a fetch.
      idleness?.active();
      const topics = new Map<string, { partition: number; offset: string; metadata?: string }[]>();
      for (const { topic, partition, offset, metadata } of entries) {
        const list = topics.get(topic) ?? [];
        topics.set(topic, list);
        list.push({ partition, offset: String(offset), ...(metadata === undefined ? {} : { metadata }) });
      }
      const askedMs = performance.now();
      try {
        // In this tick: the function takes the generation that is current when it is called.
        await commitOffsets({ topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })) });
        heartbeatAtMs = Math.max(heartbeatAtMs, performance.now());
        session.answered(askedMs);
        return 'committed';
      } catch (error) {
        const type = errorType(error);
        if (type !== undefined && STALE.has(type)) return 'stale';
        settings.log('warn', 'a commit failed', { groupId, clientId, type, error: String(error) });
        return 'failed';
      }
    },
    lastHeartbeatMs: () => session.atMs(),
    stop() {
      stopping ??= (async () => {
        live = false;
        clearInterval(looks);
        joinFailed?.(new Error('stopped'));
        if (consumer !== undefined) await within(STOP_DEADLINE_MS, consumer.disconnect());
        connection?.abandon();
      })();
      return stopping;
    },
  };
}

function byTopic(partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const list = topics.get(topic);
    if (list === undefined) topics.set(topic, [partition]);
    else list.push(partition);
  }
  return [...topics].map(([topic, numbers]) => ({ topic, partitions: numbers }));
}
