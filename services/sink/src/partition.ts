import type { RepeatRule } from '@volley/contract';
import type { TrackedRecord } from '@volley/stream';
import {
  addTo as addToBatch,
  type BatchLimits,
  chooseNext,
  endsBefore,
  isFull,
  mayEndHere,
  msUntilChosen,
  openBatch,
} from './core/batch.ts';
import { metadataOf, type Plan } from './core/plan.ts';
import { FIRST_GENERATION, type Generation } from './core/token.ts';
import type { DeadLetter } from './ports.ts';
import type { PlanBook, SinkBatch } from './storing.ts';

/** A partition of one assignment: what of it is in memory, and how far it is planned. */
export interface Partition {
  readonly number: number;
  /** While it is taken over, or behind a record whose schema is being fetched: the order of the log is kept. */
  readonly undecoded: TrackedRecord[];
  waiting: boolean;
  rule: RepeatRule | undefined;
  generation: Generation;
  /** What the commit's metadata says, or is to say with the next commit. */
  plan: Plan | undefined;
  /** The last plan that a commit has asked for. */
  written: Plan | undefined;
  /** There is a plan in the commit, or there was one. */
  hasMetadata: boolean;
  /** The plan that this assignment began with, until its range is being built. */
  found: Plan | undefined;
  /** The offset after the last record that came. */
  handedTo: number;
  /** A range that somebody planned ends there: until then nothing of it can be stored. */
  readonly mustReach: number;
  /** Monotonic ms of the last record that was added, and of the last insert; of the assignment as long as there was none. */
  addedAtMs: number;
  insertedAtMs: number;
  open: SinkBatch | undefined;
  readonly sealed: SinkBatch[];
  storing: SinkBatch | undefined;
  stopped: boolean;
}

export const newPartition = (number: number, plan: Plan | undefined, nowMs: number): Partition => ({
  number,
  undecoded: [],
  waiting: true,
  rule: undefined,
  generation: FIRST_GENERATION,
  plan,
  written: plan,
  hasMetadata: plan !== undefined,
  found: plan,
  handedTo: 0,
  mustReach: plan?.to ?? 0,
  addedAtMs: nowMs,
  insertedAtMs: nowMs,
  open: undefined,
  sealed: [],
  storing: undefined,
  stopped: false,
});

export function addTo(
  p: Partition,
  t: TrackedRecord,
  outcome: string | DeadLetter | undefined,
  nowMs: number,
  limits: BatchLimits,
): void {
  const { record, epoch, bytes } = t;
  const { offset, timestampMs } = record;
  if (p.open && endsBefore(p.open, timestampMs)) seal(p);
  if (p.open === undefined) {
    p.open = openBatch({ partition: p.number, epoch, offset, timestampMs, nowMs, planned: p.found });
    p.found = undefined;
  }
  const isLetter = typeof outcome === 'object';
  p.addedAtMs = nowMs;
  addToBatch(
    p.open,
    offset,
    bytes,
    isLetter ? { deadLetter: outcome } : outcome === undefined ? {} : { line: outcome },
  );
  if (isFull(p.open, limits)) seal(p);
}

export function seal(p: Partition): void {
  if (p.open) p.sealed.push(p.open);
  p.open = undefined;
}

/** What may be inserted next, full or not. */
const nextOf = (p: Partition): SinkBatch | undefined =>
  p.sealed[0] ?? (p.open && mayEndHere(p.open) ? p.open : undefined);

/** What a commit writes beside this offset; undefined: nothing has ever stood there, and nothing has to. */
export function metadataAt(p: Partition, watermark: number): string | undefined {
  p.written = p.plan?.from === watermark ? p.plan : undefined;
  p.hasMetadata ||= p.written !== undefined;
  return p.hasMetadata ? metadataOf(p.written) : undefined;
}

export const planBookOf = (p: Partition): PlanBook => ({
  generation: p.generation,
  set(plan) {
    p.plan = plan;
  },
  isWritten: (plan) => p.written === plan,
});

/** When the log took the oldest of what is in memory, epoch ms. */
export function oldestOf(p: Partition): number | undefined {
  const batch = p.storing ?? p.sealed[0] ?? p.open;
  return batch?.appendedAtMs ?? p.undecoded[0]?.record.timestampMs;
}

export const needsMore = (p: Partition | undefined): boolean =>
  p !== undefined && !p.stopped && p.handedTo < p.mustReach;

/** Row text that waits. */
const textOf = (p: Partition): number =>
  p.sealed.reduce((sum, batch) => sum + batch.rows.size, 0) + (p.open?.rows.size ?? 0);

/** Whose batch is inserted next; nobody's: in how many ms that may be different. */
export function dueOf(
  idle: readonly Partition[],
  nowMs: number,
  lingerMs: number,
  pressedBytes: number,
  isInserting: boolean,
): { readonly due: Partition | undefined; readonly soonestMs: number | undefined } {
  const able = idle.filter((p) => nextOf(p) !== undefined);
  const waiting = able.map((p) => {
    const { rows, openedAtMs } = nextOf(p) as SinkBatch;
    const [quietMs, restedMs] = [nowMs - p.addedAtMs, nowMs - p.insertedAtMs];
    return { bytes: rows.size, waitedMs: nowMs - openedAtMs, quietMs, restedMs, sealed: p.sealed.length > 0 };
  });
  const isPressed = able.reduce((sum, p) => sum + textOf(p), 0) >= pressedBytes;
  const pressed = isPressed && (isInserting ? 'busy' : 'idle');
  const due = able[chooseNext(waiting, lingerMs, pressed)];
  const soonestMs =
    waiting.length === 0 ? undefined : Math.min(...waiting.map((w) => msUntilChosen(w, lingerMs, pressed)));
  return { due, soonestMs };
}

/** Nothing of it is stored any more in this assignment. */
export function giveUp(p: Partition): void {
  p.stopped = true;
  p.undecoded.length = 0;
  p.sealed.length = 0;
  p.open = undefined;
}
