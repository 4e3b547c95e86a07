import { belongsTo, createDecoder, type DeliveryEvent, type Reason } from '@volley/contract';
import type { Clock, Failpoints, Logger } from '@volley/runtime';
import type { AssignedPartition, LoopHandler, TrackedRecord } from '@volley/stream';
import type { BatchLimits } from './core/batch.ts';
import { deadLetterFor } from './core/dead-letter.ts';
import { planOf } from './core/plan.ts';
import { createRepeater, type Failure } from './core/repeat.ts';
import { type Row, toRow } from './core/to-row.ts';
import type { SinkMetrics } from './metrics.ts';
import {
  addTo,
  dueOf,
  giveUp,
  metadataAt,
  needsMore,
  newPartition,
  oldestOf,
  type Partition,
  planBookOf,
  seal,
} from './partition.ts';
import type { DeadLetter, DeadLetters, Log, Progress, RowStore, Schemas } from './ports.ts';
import { createStoring, type SinkBatch } from './storing.ts';
import { takeOver } from './takeover.ts';

export interface PipelineDeps {
  readonly cluster: string;
  readonly topic: string;
  readonly deadLetterTopic: string;
  readonly limits: BatchLimits & {
    readonly lingerMs: number;
    readonly maxInserts: number;
    /** With so much row text waiting nobody lingers. */
    readonly pressedBytes: number;
  };
  readonly schemas: Schemas;
  readonly store: RowStore;
  readonly deadLetters: DeadLetters;
  readonly log: Log;
  readonly progress: Progress;
  /** Absent: every event becomes a row. */
  readonly selects?: (event: DeliveryEvent) => boolean;
  readonly clock: Clock;
  /** Ms before the n-th repeat of an effect, from 1. */
  readonly waitBefore: (attempt: number) => number;
  /** Resolves after ms, or at once when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly failpoints: Failpoints;
  readonly metrics: SinkMetrics;
  readonly logger: Logger;
  readonly onFatal: (error: Error) => void;
}

export interface Pipeline {
  readonly handler: Required<
    Pick<LoopHandler, 'onRecords' | 'onAssigned' | 'onRevoked' | 'metadata' | 'needsMore' | 'standsStill'>
  >;
  /** From here on nothing waits for company: what is in memory is inserted at once. */
  flush(): void;
  /** Drops what is in memory and ends the repeating of what fails. */
  close(): void;
  failing(): Failure[];
  /** Append time (epoch ms) of the oldest event in memory, by partition. */
  oldestAppendedAtMs(): Map<number, number>;
}

/**
 * The life of a delivery event: decode, row, batch (a range of one partition), then plan, dead letters, insert, commit.
 * One insert a partition at a time and a few overall, while the next batches are being built.
 */
export function createPipeline(deps: PipelineDeps): Pipeline {
  const { limits, clock, metrics: m, logger } = deps;
  const decode = createDecoder('DeliveryEvent', { get: (id) => deps.schemas.get(id), load: async () => {} });
  const repeater = createRepeater({
    monotonicMs: () => clock.monotonicMs(),
    waitBefore: deps.waitBefore,
    sleep: deps.sleep,
    onFailure({ what, error }, attempt) {
      m.retries.inc({ effect: what.split(' ')[0] as string });
      logger.warn({ what, attempt, err: error }, 'not acknowledged, trying again');
    },
  });
  const storing = createStoring({ ...deps, repeater });
  /** Partitions with a batch on its way, of this assignment or of one that is over: never two of one partition. */
  const busy = new Set<number>();
  let assignment = new AbortController();
  let partitions = new Map<number, Partition>();
  let lingerMs = limits.lingerMs;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function onAssigned(assigned: readonly AssignedPartition[]): void {
    drop();
    for (const a of assigned) {
      const number = a.partition;
      const found = planOf(a.metadata, a.committed);
      const plan = found === 'unreadable' ? undefined : found;
      const p = newPartition(number, plan, clock.monotonicMs());
      partitions.set(number, p);
      if (found === 'unreadable') stop(p, `what stands beside its offset is no plan of a sink: ${a.metadata}`);
      else begin(p, a, assignment.signal).catch(deps.onFatal);
    }
  }

  async function begin(p: Partition, assigned: AssignedPartition, signal: AbortSignal): Promise<void> {
    const { log, store, schemas } = deps;
    const taken = await takeOver({ log, store, schemas, decode, repeater }, assigned, p.plan, signal);
    if (taken === 'over') return;
    if ('stop' in taken) return stop(p, taken.stop);
    Object.assign(p, taken);
    resume(p);
  }

  function resume(p: Partition): void {
    if (p.stopped) return;
    p.waiting = false;
    read(p, p.undecoded.splice(0));
  }

  function stop(p: Partition, why: string): void {
    giveUp(p);
    deps.progress.release(p.number);
    deps.progress.stopPartition(p.number, why);
  }

  function onRecords(tracked: readonly TrackedRecord[]): void {
    const p = partitions.get(tracked[0]?.record.partition ?? -1);
    if (p === undefined || p.stopped) return;
    p.handedTo = (tracked.at(-1)?.record.offset ?? 0) + 1;
    if (p.waiting) for (const t of tracked) p.undecoded.push(t);
    else read(p, tracked);
  }

  function read(p: Partition, tracked: readonly TrackedRecord[]): void {
    for (let i = 0; i < tracked.length; i++) {
      const t = tracked[i] as TrackedRecord;
      const decoded = decode(t.record.value);
      if (decoded.ok) {
        const row = rowOf(p, t, decoded.value);
        if (row?.ok === false) bury(p, t, 'undecodable', row.detail);
        else add(p, t, row?.line);
      } else if (decoded.reason === 'needs_schema') {
        for (; i < tracked.length; i++) p.undecoded.push(tracked[i] as TrackedRecord);
        fetchSchema(p, decoded.schemaId, assignment.signal).catch(deps.onFatal);
      } else {
        bury(p, t, decoded.reason, decoded.detail);
      }
    }
    pump();
  }

  function rowOf(p: Partition, t: TrackedRecord, event: DeliveryEvent): Row | undefined {
    // Also of what no row can hold: progress has counted it.
    const isKnown = belongsTo(event.message_id, event.campaign_id);
    const isRepeat = isKnown && p.rule?.offer(t.record.offset, event) === 'repeat';
    return deps.selects?.(event) === false ? undefined : toRow(event, t.record, isRepeat);
  }

  /** An unreachable registry says nothing about a record: the partition waits, and nothing becomes a dead letter. */
  async function fetchSchema(p: Partition, schemaId: number, signal: AbortSignal): Promise<void> {
    p.waiting = true;
    const loaded = await repeater.untilDone(`schema ${schemaId}`, signal, () => deps.schemas.load(schemaId));
    if (loaded) resume(p);
  }

  function bury(p: Partition, t: TrackedRecord, reason: Reason, detail: string): void {
    add(p, t, deadLetterFor(t.record, deps.deadLetterTopic, reason, detail, clock.now()));
    m.undecodable.inc({ reason });
    logger.warn({ partition: p.number, offset: t.record.offset, reason, detail }, 'an event cannot be stored');
  }

  const add = (p: Partition, t: TrackedRecord, outcome: string | DeadLetter | undefined): void =>
    addTo(p, t, outcome, clock.monotonicMs(), limits);

  /** Starts what is due, and sets a timer for what will be. */
  function pump(): void {
    clearTimeout(timer);
    const nowMs = clock.monotonicMs();
    while (busy.size < limits.maxInserts) {
      const idle = [...partitions.values()].filter((p) => !busy.has(p.number));
      const { due: p, soonestMs } = dueOf(idle, nowMs, lingerMs, limits.pressedBytes, busy.size > 0 && lingerMs > 0);
      if (p === undefined) {
        if (soonestMs !== undefined) timer = setTimeout(pump, Math.ceil(soonestMs));
        return;
      }
      if (p.sealed.length === 0) seal(p);
      store(p, p.sealed.shift() as SinkBatch, assignment.signal).catch(deps.onFatal);
    }
  }

  async function store(p: Partition, batch: SinkBatch, signal: AbortSignal): Promise<void> {
    p.storing = batch;
    busy.add(p.number);
    const stored = await storing.store(batch, signal, planBookOf(p));
    if (typeof stored === 'object' && !signal.aborted) stop(p, stored.wrong);
    p.storing = undefined;
    p.insertedAtMs = clock.monotonicMs();
    busy.delete(p.number);
    pump();
    // What is planned next has its commit under way, and that one says of this range that it is done.
    if (!busy.has(p.number)) await deps.progress.commitNow();
  }

  /** Nothing of an assignment that is over is started; what is on its way ends without counting. */
  function drop(): void {
    clearTimeout(timer);
    assignment.abort();
    assignment = new AbortController();
    partitions = new Map();
  }

  return {
    handler: {
      onRecords,
      onAssigned,
      onRevoked: drop,
      needsMore: ({ partition }) => needsMore(partitions.get(partition)),
      standsStill: ({ partition }) => partitions.get(partition)?.waiting === true,
      metadata({ partition }, watermark) {
        const p = partitions.get(partition);
        if (p === undefined || p.stopped) return undefined;
        return metadataAt(p, watermark);
      },
    },
    flush() {
      lingerMs = 0;
      // Its end does not come any more: the next owner has it whole.
      for (const p of partitions.values()) {
        if (!needsMore(p)) continue;
        giveUp(p);
        deps.progress.release(p.number);
      }
      pump();
    },
    close: drop,
    failing: repeater.failing,
    oldestAppendedAtMs() {
      const oldest = new Map<number, number>();
      for (const p of partitions.values()) {
        const atMs = oldestOf(p);
        if (atMs !== undefined) oldest.set(p.number, atMs);
      }
      return oldest;
    },
  };
}
