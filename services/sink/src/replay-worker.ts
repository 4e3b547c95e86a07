import type { HeldReplay, ReplayLeases } from '@volley/contract/replays';
import type { Clock, Failpoints, Logger } from '@volley/runtime';
import type { StreamClient } from '@volley/stream';
import { shortIdOf, suffixOf } from './core/replay/tables.ts';
import type { SinkMetrics } from './metrics.ts';
import type { PipelineDeps } from './pipeline.ts';
import type { Answer, DeadLetters, RowStore } from './ports.ts';
import { openFill } from './replay-fill.ts';
import { openHold } from './replay-hold.ts';
import type { Notes, Progress } from './replay-job.ts';
import { openKeeper } from './replay-keeper.ts';
import type { Comparing, ReplayTables } from './replay-ports.ts';
import { run } from './replay-run.ts';
import { createSwap } from './replay-swap.ts';

/** Everything of the process that does not depend on the job. */
export interface WorkerDeps {
  readonly leases: ReplayLeases;
  readonly stream: StreamClient;
  readonly topic: string;
  readonly deadLetterTopic: string;
  readonly sinkGroup: string;
  /** Groups of replays begin with it. */
  readonly groupPrefix: string;
  readonly clientId: string;
  readonly cluster: string;
  readonly tables: (shortId: string) => ReplayTables;
  readonly comparing: (shortId: string) => Comparing;
  /** Rows into tables whose names end so. */
  readonly store: (suffix: string) => RowStore;
  readonly deadLetters: DeadLetters;
  readonly schemas: PipelineDeps['schemas'];
  readonly log: PipelineDeps['log'];
  readonly limits: PipelineDeps['limits'];
  readonly sessionMs: number;
  readonly queueBytes: number;
  readonly drainMs: number;
  readonly graceMs: number;
  readonly clock: Clock;
  readonly waitBefore: (attempt: number) => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly failpoints: Failpoints;
  /** What the sink's code counts here is none of the sink's. */
  readonly metrics: SinkMetrics;
  readonly logger: Logger;
}

/** What is in the dead-letter topic already: the sinks have put it there. */
const NO_LETTERS: DeadLetters = { send: async (): Promise<Answer> => ({ ok: true }) };

/** A job that was claimed, with all that it needs. */
export async function work(held: HeldReplay, deps: WorkerDeps, stopping: AbortSignal): Promise<void> {
  const { stream, topic, clientId, clock, sleep, failpoints, logger, sessionMs, queueBytes } = deps;
  const shortId = shortIdOf(held.job.replay_id);
  const admin = await stream.admin();
  const keeper = openKeeper({ leases: deps.leases, held, logger, stopping });
  const tables = deps.tables(shortId);
  // Where nothing was committed yet, nothing was stored.
  const sinksAt = async () => (await admin.committed(deps.sinkGroup, topic)).map(({ offset }) => Math.max(0, offset));
  let names = 0;
  const nextName = () => `${shortId}_${held.fence}_${names++}`;
  const groupOf = (purpose: 'fill' | 'undo') => `${deps.groupPrefix}${shortId}${purpose === 'undo' ? '-undo' : ''}`;
  const pipeline = {
    cluster: deps.cluster,
    deadLetterTopic: deps.deadLetterTopic,
    limits: deps.limits,
    schemas: deps.schemas,
    log: deps.log,
    clock,
    waitBefore: deps.waitBefore,
    sleep,
    failpoints,
    metrics: deps.metrics,
    logger,
  };
  try {
    const partitions = (await admin.logBounds(topic)).length;
    await run({
      held,
      keeper,
      leases: deps.leases,
      notes: notesOf(held, (progress) => keeper.save({ progress })),
      tables,
      comparing: deps.comparing(shortId),
      partitions,
      nextName,
      swapTo: (target) =>
        createSwap({
          tables,
          target,
          replay: shortId,
          nextName,
          mayWrite: () => held.valid(),
          openHold: () =>
            openHold({
              stream,
              topic,
              groupId: deps.sinkGroup,
              clientId: `${clientId}-hold`,
              sessionMs,
              queueBytes,
              partitions,
              pipeline: { ...pipeline, store: deps.store(''), deadLetters: deps.deadLetters },
            }),
          clock,
          sleep,
          failpoints,
          logger,
        }),
      openFill: ({ purpose, starts, ratePerSecond, selects, signal }) =>
        openFill(
          {
            stream,
            topic,
            groupId: groupOf(purpose),
            clientId: `${clientId}-${purpose}`,
            sessionMs,
            queueBytes,
            drainMs: deps.drainMs,
            starts,
            ratePerSecond,
            sinksAt,
            mayWrite: () => held.valid(),
            pipeline: {
              ...pipeline,
              store: deps.store(suffixOf(shortId)),
              deadLetters: NO_LETTERS,
              ...(selects === undefined ? {} : { selects }),
            },
          },
          signal,
        ),
      async forgetGroups() {
        for (const purpose of ['fill', 'undo'] as const)
          await admin.deleteGroup(groupOf(purpose)).catch((error: Error) => {
            logger.warn({ err: error.message }, 'a group of a replay is left behind, and expires');
          });
      },
      sinksAt,
      graceMs: deps.graceMs,
      nowMs: () => clock.now(),
      sleep,
      failpoints,
      logger,
    });
  } finally {
    await keeper.close();
    await admin.close();
  }
}

function notesOf(held: HeldReplay, save: (progress: Progress) => Promise<void>): Notes {
  let progress = (held.job.progress ?? {}) as Progress;
  return {
    read: () => progress,
    write(more) {
      progress = { ...progress, ...more };
      return save(progress);
    },
  };
}
