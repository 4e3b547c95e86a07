import { type ConsumerLoop, createConsumerLoop, type StreamClient } from '@volley/stream';
import { planOf } from './core/plan.ts';
import { createPipeline, type PipelineDeps } from './pipeline.ts';
import { ReplayFailed } from './replay-fill.ts';

export interface HoldDeps {
  readonly stream: StreamClient;
  readonly topic: string;
  /** The sinks' own. */
  readonly groupId: string;
  readonly clientId: string;
  readonly sessionMs: number;
  readonly queueBytes: number;
  readonly partitions: number;
  /** The live tables, and the sinks' dead letters: what they left half done is finished as one of them would. */
  readonly pipeline: Omit<PipelineDeps, 'topic' | 'progress' | 'onFatal'>;
}

/** The sinks stand still: everything that they read is this member's, nothing is planned, and nothing more is. */
export interface Hold {
  /**
   * By partition number: the offset at which each stands. Resolves when all of them do. Rejects with ReplayFailed, or with
   * the signal's reason.
   */
  offsets(signal: AbortSignal): Promise<readonly number[]>;
  /** At this time (monotonic) or later nobody else had any of it, and it stood at these offsets. */
  isHeldSince(atMs: number, offsets: readonly number[]): boolean;
  /** The sinks have it back. Idempotent. */
  release(): Promise<void>;
}

const LOOK_EVERY_MS = 20;

/**
 * Joins the sinks' group as its exclusive member, and takes each partition over as a sink does. A range that is planned is
 * inserted, counted and committed, nothing after it is read. The group's generation keeps the former owners from planning
 * anything; when this process dies they have it back after a session.
 */
export async function openHold(deps: HoldDeps): Promise<Hold> {
  const { stream, topic, groupId, partitions } = deps;
  const { clock, sleep } = deps.pipeline;
  let failure: Error | undefined;
  const fail = (error: Error) => {
    failure ??= error;
  };
  /** Of the current assignment; undefined while it is not the whole group. */
  let ends: readonly number[] | undefined;
  let loop: ConsumerLoop | undefined;
  const pipeline = createPipeline({
    ...deps.pipeline,
    topic,
    progress: {
      settleTo: (range) => loop?.settleTo({ topic, ...range }),
      commitNow: async () => (await loop?.commitNow()) ?? 'failed',
      isMember: () => clock.monotonicMs() - (loop?.lastHeartbeatMs() ?? 0) < deps.sessionMs,
      release: (partition) => loop?.release(topic, partition),
      stopPartition: (partition, why) => loop?.stopPartition(topic, partition, why),
    },
    onFatal: fail,
  });
  loop = createConsumerLoop({
    client: stream,
    groupId,
    topics: [topic],
    clientId: deps.clientId,
    exclusive: true,
    sessionTimeoutMs: deps.sessionMs,
    heartbeatIntervalMs: deps.sessionMs / 10,
    maxBytes: deps.queueBytes,
    endOf: ({ partition }) => ends?.[partition] ?? 0,
    handler: {
      ...pipeline.handler,
      onAssigned(assigned, epoch) {
        const plans = assigned.map(({ metadata, committed }) => planOf(metadata, committed));
        const isWhole = assigned.length === partitions;
        ends = isWhole ? new Array<number>(partitions).fill(0) : undefined;
        assigned.forEach(({ partition, committed }, i) => {
          const plan = plans[i];
          if (plan === 'unreadable') fail(new ReplayFailed(`what stands beside partition ${partition} is no plan`));
          else if (isWhole) (ends as number[])[partition] = plan?.to ?? Math.max(0, committed);
        });
        // Of what is not planned nothing is read, and nothing has to be known.
        pipeline.handler.onAssigned(isWhole ? assigned.filter((_, i) => typeof plans[i] === 'object') : [], epoch);
      },
      onRevoked(epoch) {
        ends = undefined;
        pipeline.handler.onRevoked(epoch);
      },
      onPartitionStopped: ({ partition }, why) => fail(new ReplayFailed(`partition ${partition}: ${why}`)),
      onFatal: fail,
    },
  });
  await loop.start();

  /** What the group itself says: offsets without plans. */
  async function committed(): Promise<readonly number[] | undefined> {
    const admin = await stream.admin();
    try {
      const found = await admin.committed(groupId, topic);
      return found.some(({ metadata }) => metadata !== '') ? undefined : found.map(({ offset }) => Math.max(0, offset));
    } finally {
      await admin.close();
    }
  }
  const same = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((n, i) => n === b[i]);

  return {
    async offsets(signal) {
      for (;;) {
        if (failure !== undefined) throw failure;
        signal.throwIfAborted();
        const now = ends;
        const reached = loop.lag().every(({ partition, watermark }) => watermark >= (now?.[partition] ?? 0));
        if (now !== undefined && reached && (await loop.commitNow()) === 'committed') {
          const found = await committed();
          if (now === ends && found !== undefined && same(now, found)) return now;
        }
        await sleep(LOOK_EVERY_MS, signal);
      }
    },
    isHeldSince: (atMs, offsets) =>
      failure === undefined && ends !== undefined && same(ends, offsets) && loop.lastHeartbeatMs() >= atMs,
    async release() {
      ends = undefined;
      pipeline.close();
      await loop.stop(0);
    },
  };
}
