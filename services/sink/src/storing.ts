import type { Clock, Failpoints } from '@volley/runtime';
import { type Batch, mayBeForgotten } from './core/batch.ts';
import type { Plan } from './core/plan.ts';
import type { Repeater } from './core/repeat.ts';
import { type Generation, LAYOUT, tokenOf } from './core/token.ts';
import type { SinkMetrics } from './metrics.ts';
import type { DeadLetter, DeadLetters, Progress, RowStore } from './ports.ts';

export type SinkBatch = Batch<DeadLetter>;

export interface StoringDeps {
  readonly cluster: string;
  readonly topic: string;
  readonly store: RowStore;
  readonly deadLetters: DeadLetters;
  readonly progress: Progress;
  readonly clock: Clock;
  readonly failpoints: Failpoints;
  readonly metrics: SinkMetrics;
  readonly repeater: Repeater;
}

/** The plan of a partition, on its way into the commit's metadata. */
export interface PlanBook {
  /** Of the tables. */
  readonly generation: Generation;
  set(plan: Plan | undefined): void;
  /** A commit has asked for it, at its offset. */
  isWritten(plan: Plan): boolean;
}

/** 'over': the assignment ended, nothing of it counts. `wrong`: nothing more of the partition may be stored, and why. */
export type Stored = 'done' | 'over' | { readonly wrong: string };

export interface Storing {
  /** A whole batch, in the order of effects. */
  store(batch: SinkBatch, signal: AbortSignal, book: PlanBook): Promise<Stored>;
}

/** Plan, dead letters, insert, watermark: after each number, what a death leaves behind for the next owner. */
export function createStoring(deps: StoringDeps): Storing {
  const { progress, repeater, metrics: m, clock } = deps;

  async function plan(batch: SinkBatch, signal: AbortSignal, book: PlanBook): Promise<Plan | undefined> {
    // In the commit already, from somebody before.
    if (batch.planned !== undefined) return batch.planned;
    const { from, to, rows } = batch;
    const mine: Plan = { from, to, rows: rows.count, layout: LAYOUT, generation: book.generation };
    book.set(mine);
    const committed = await repeater.untilDone(`plan ${rangeOf(batch)}`, signal, async () => {
      const result = await progress.commitNow();
      if (result === 'committed' && book.isWritten(mine)) return { ok: true };
      return { ok: false, error: `the commit is ${result}` };
    });
    if (!committed) return undefined;
    await deps.failpoints.hit('sink.afterPlan');
    return mine;
  }

  async function bringDeadLetters(batch: SinkBatch, signal: AbortSignal): Promise<boolean> {
    const { deadLetters } = batch;
    if (deadLetters.length === 0) return true;
    return repeater.untilDone(`dead_letters ${rangeOf(batch)}`, signal, () => deps.deadLetters.send(deadLetters));
  }

  async function insertRows(batch: SinkBatch, planned: Plan, signal: AbortSignal): Promise<Stored> {
    const { partition, from, to, rows, day } = batch;
    if (rows.count === 0) return 'done';
    const { layout, generation } = planned;
    const token = tokenOf({ cluster: deps.cluster, topic: deps.topic, partition, from, to }, layout, generation);
    let tries = 0;
    const stored = await repeater.untilDone(`insert ${rangeOf(batch)}`, signal, async () => {
      tries += 1;
      await deps.failpoints.hit('sink.beforeInsert');
      // After a long sleep others may have inserted so much that the token of this range is forgotten.
      if (!progress.isMember()) return { ok: false, error: 'the group has not answered for a session' };
      const startedMs = clock.monotonicMs();
      const answer = await deps.store.insert({ partition, from, to, rows, token });
      m.insertSeconds.observe((clock.monotonicMs() - startedMs) / 1_000);
      return answer;
    });
    if (!stored) return 'over';
    await deps.failpoints.hit('sink.afterInsert');
    m.rows.inc({}, rows.count);
    m.batches.inc();
    m.batchRows.observe(rows.count);
    // One insert, answered at once: the engine has said what it did. Otherwise its window of tokens is not believed.
    if (tries === 1 && batch.planned === undefined) return 'done';
    let found = 0;
    const counted = await repeater.untilDone(`count ${rangeOf(batch)}`, signal, async () => {
      const answer = await deps.store.count({ partition, from, to, day });
      if (answer.ok) found = answer.rows;
      return answer;
    });
    if (!counted) return 'over';
    // As planned, where the registry knew less of the range then than now: what it lacked is a dead letter since.
    if (found === rows.count || found === planned.rows) return 'done';
    // A range is one part, which goes as a whole: then nobody can say how often it was there, and nobody asks.
    if (found === 0 && mayBeForgotten(day, clock.now())) return 'done';
    return { wrong: `[${from}, ${to}) has ${found} rows stored, and ${rows.count} in the log` };
  }

  return {
    async store(batch, signal, book) {
      // 1 The group has the plan, beside the offset that the range before it ended with. Left behind: the range is to be
      //   inserted by whoever comes, with exactly these ends.
      const planned = await plan(batch, signal, book);
      if (planned === undefined) return 'over';
      // 2 The log has every dead letter of the range. Left behind: they are written once more, with the same origin.
      if (!(await bringDeadLetters(batch, signal))) return 'over';
      // 3 The rows are stored under the token of the range. Left behind: the same insert again, which the token keeps out.
      const stored = await insertRows(batch, planned, signal);
      if (stored !== 'done') return stored;
      // 4 The watermark may pass the range, and its plan goes with it. It is committed with the next plan, or by itself.
      //   Left behind: as after 3.
      book.set(undefined);
      progress.settleTo({ partition: batch.partition, epoch: batch.epoch, to: batch.to, bytes: batch.recordBytes });
      return 'done';
    },
  };
}

const rangeOf = ({ partition, from, to }: SinkBatch) => `${partition} [${from}, ${to})`;
