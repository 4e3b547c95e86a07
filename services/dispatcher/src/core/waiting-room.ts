import { createDueHeap } from './due-heap.ts';
import type { Tracked } from './job.ts';

/**
 * Records of retry tiers that are not due yet, in order of their time and not of the log: waits differ by jitter, and by
 * what a provider asked for. How many are here is bounded by the read-ahead of their topics.
 */
export interface WaitingRoom {
  enter(tracked: Tracked, dueMs: number): void;
  /** Those that are due at `nowMs` (epoch). */
  due(nowMs: number): readonly Tracked[];
  /** Epoch; Infinity if nobody waits. */
  nextDueMs(): number;
  clear(): void;
  size(): number;
}

/** So many that are due are let out in one go, so that a thousand of them do not hold up a heartbeat. */
const AT_ONCE = 500;
const NONE: readonly Tracked[] = [];

export function createWaitingRoom(): WaitingRoom {
  const heap = createDueHeap<Tracked>();
  return {
    enter: (tracked, dueMs) => heap.push(dueMs, tracked),
    due(nowMs) {
      if (heap.firstMs() > nowMs) return NONE;
      const out: Tracked[] = [];
      for (let t = heap.popDue(nowMs); t !== undefined; t = heap.popDue(nowMs)) {
        out.push(t);
        if (out.length === AT_ONCE) break;
      }
      return out;
    },
    nextDueMs: () => heap.firstMs(),
    clear: () => heap.clear(),
    size: () => heap.size(),
  };
}

/** Written and read waits are a little longer than asked for, never shorter: what failed together comes back spread out. */
const JITTER_PART = 0.05;
const JITTER_MAX_MS = 250;

/** At most what a record can be late by because one behind it in the log is due before it. `random` is in [0, 1). */
export const jitterMs = (waitMs: number, random: number): number =>
  Math.ceil(Math.min(waitMs * JITTER_PART, JITTER_MAX_MS) * random);

/**
 * When a record of a tier may run (epoch). What its header says, but no longer from now than its tier ever waits: a
 * record is read after it was written, so this makes none early, and one that says the year 2300 waits an hour.
 */
export const dueAt = (notBeforeMs: number, tierDelayMs: number, nowMs: number): number =>
  Math.min(notBeforeMs, nowMs + tierDelayMs + jitterMs(tierDelayMs, 1));

/** What a move writes as its not-before (epoch): never beyond what the tier waits, nor beyond the message's own deadline. */
export function notBefore(
  nowMs: number,
  waitMs: number,
  tierDelayMs: number,
  deadlineMs: number,
  random: number,
): number {
  const wait = Math.min(waitMs, tierDelayMs);
  return Math.ceil(Math.min(nowMs + wait + jitterMs(wait, random), Math.max(nowMs, deadlineMs)));
}
