import { type ConsumerLoop, createConsumerLoop, GroupInUse, type StreamClient } from '@volley/stream';
import { createPace } from './core/replay/pace.ts';
import { createPipeline, type PipelineDeps } from './pipeline.ts';
import { createCourtesy } from './replay-courtesy.ts';

/** The log, or what is stored, is not what it should be: trying again changes nothing. */
export class ReplayFailed extends Error {
  override readonly name = 'ReplayFailed';
}

export interface FillDeps {
  readonly stream: StreamClient;
  readonly topic: string;
  readonly groupId: string;
  readonly clientId: string;
  readonly sessionMs: number;
  readonly queueBytes: number;
  readonly drainMs: number;
  /** By partition number: where a group begins that has no offsets yet. */
  readonly starts: readonly number[];
  readonly ratePerSecond: number | null;
  /** By partition number: what the sinks have stored and committed. */
  readonly sinksAt: () => Promise<readonly number[]>;
  /** Nobody else fills these tables. */
  readonly mayWrite: () => boolean;
  readonly pipeline: Omit<PipelineDeps, 'topic' | 'progress' | 'onFatal'>;
}

export interface Fill {
  /**
   * Everything before these offsets is stored and committed; `inTheirOwnTime`: at the rate that was asked for, if any.
   * Rejects with ReplayFailed, or with the signal's reason.
   */
  upTo(ends: readonly number[], signal: AbortSignal, inTheirOwnTime?: boolean): Promise<void>;
  /** By partition number: everything before is stored. */
  stored(): readonly number[];
  /** What is whole in memory is stored, the group is left. Idempotent. */
  close(): Promise<void>;
}

const LOOK_EVERY_MS = 50;

/**
 * The sink's own pipeline over its own loop, in a group of its own and into tables of its own: exactly once, and on from
 * where it died, by the same plans and tokens. Two things are different: it reads up to an end, and an end may rise.
 */
export async function openFill(deps: FillDeps, signal: AbortSignal): Promise<Fill> {
  const { stream, topic, groupId, starts } = deps;
  const { clock } = deps.pipeline;
  const partitions = starts.length;
  await setStarts(deps, signal);

  let failure: Error | undefined;
  const fail = (error: Error) => {
    failure ??= error;
  };
  let limits: readonly number[] = starts.map(() => 0);
  let stored: readonly number[] = starts;
  let loop: ConsumerLoop | undefined;
  const isMember = () => deps.mayWrite() && clock.monotonicMs() - (loop?.lastHeartbeatMs() ?? 0) < deps.sessionMs;
  const courtesy = createCourtesy({ ...deps.pipeline, sinksAt: deps.sinksAt, isMember });
  const pipeline = createPipeline({
    ...deps.pipeline,
    store: courtesy.store,
    limits: courtesy.limits,
    topic,
    progress: {
      settleTo: (range) => loop?.settleTo({ topic, ...range }),
      commitNow: async () => (await loop?.commitNow()) ?? 'failed',
      isMember,
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
    sessionTimeoutMs: deps.sessionMs,
    heartbeatIntervalMs: deps.sessionMs / 10,
    maxBytes: deps.queueBytes,
    inTurns: true,
    minBytes: 256 * 1024,
    maxWaitMs: 200,
    endOf: ({ partition }) => limits[partition] ?? 0,
    handler: {
      ...pipeline.handler,
      onPartitionStopped: ({ partition }, why) => fail(new ReplayFailed(`partition ${partition}: ${why}`)),
      onFatal: fail,
    },
  });
  await loop.start();

  const look = (): readonly number[] => {
    const found = loop.lag();
    if (found.length === partitions) stored = found.map(({ watermark }) => watermark);
    return stored;
  };
  look();

  return {
    async upTo(ends, until, inTheirOwnTime = false) {
      const rate = inTheirOwnTime ? deps.ratePerSecond : null;
      const pace = createPace(rate, look(), clock.monotonicMs());
      const over = new AbortController();
      // What the sinks have to wait for is read as fast as it goes.
      if (inTheirOwnTime) courtesy.whileLive(AbortSignal.any([over.signal, until]));
      try {
        for (;;) {
          if (failure !== undefined) throw failure;
          until.throwIfAborted();
          const next = pace.upTo(clock.monotonicMs(), ends);
          limits = next.map((limit, p) => Math.max(limit, limits[p] ?? 0));
          loop.readOn();
          const reached = look().every((offset, p) => offset >= (ends[p] ?? 0));
          if (reached && loop.lag().length === partitions && (await loop.commitNow()) === 'committed') return;
          await deps.pipeline.sleep(LOOK_EVERY_MS, until);
        }
      } finally {
        over.abort();
      }
    },
    stored: look,
    async close() {
      pipeline.flush();
      await loop.stop(deps.drainMs);
      pipeline.close();
    },
  };
}

/** Before anybody has joined, and once: who died while filling left offsets behind, and may be in the group still. */
async function setStarts({ stream, topic, groupId, starts, pipeline }: FillDeps, signal: AbortSignal): Promise<void> {
  const admin = await stream.admin();
  try {
    for (;;) {
      signal.throwIfAborted();
      const committed = await admin.committed(groupId, topic);
      if (committed.every(({ offset }) => offset >= 0)) return;
      const entries = starts.map((offset, partition) => ({ topic, partition, offset }));
      try {
        await admin.setCommitted(groupId, entries);
        return;
      } catch (error) {
        if (!(error instanceof GroupInUse)) throw error;
      }
      await pipeline.sleep(500, signal);
    }
  } finally {
    await admin.close();
  }
}
