import type { Lane } from '@volley/contract';
import { type Job, keyOf } from './job.ts';
import { createScheduler, type Gate, type Hold, type Scheduler } from './scheduler.ts';
import { createSlots } from './slots.ts';

/**
 * A scheduler a lane, one budget of slots. Transactional messages go first, and bulk leaves them a part of the slots; every
 * few of theirs one of bulk may go, so that neither lane can stop the other.
 */
export type Lanes = Omit<Scheduler, 'next'> & {
  next(nowMs: number, mayAside: boolean): Job | undefined;
  byLane(): Readonly<Record<Lane, { readonly running: number; readonly waiting: number }>>;
};

const BULK_EVERY = 8;

export function createLanes(slots: number, gate: Gate): Lanes {
  const of = createSlots(slots);
  const transactional = createScheduler(of.transactional);
  const bulk = createScheduler(of.bulk);
  const both = [transactional, bulk] as const;
  const lane = (job: Job) => (job.message.lane === 'transactional' ? transactional : bulk);
  let sinceBulk = 0;

  /** By message and run: what has started and is not through. Another copy of it waits until this one is. */
  const underWay = new Map<string, Job>();
  const twins = new Set<string>();

  const behindTwin: Gate = (job, nowMs) => {
    const key = keyOf(job.message);
    const other = underWay.get(key);
    if (other === undefined || other === job) return gate(job, nowMs);
    twins.add(key);
    return { on: `message:${key}`, untilMs: Number.POSITIVE_INFINITY, scope: 'message' } satisfies Hold;
  };

  const sum = (count: (s: Scheduler) => number) => count(transactional) + count(bulk);

  return {
    offer: (job) => lane(job).offer(job),

    next(nowMs, mayAside) {
      sinceBulk += 1;
      const order = sinceBulk >= BULK_EVERY ? [bulk, transactional] : both;
      for (const scheduler of order) {
        const job = scheduler.next(nowMs, behindTwin, mayAside);
        if (job === undefined) continue;
        if (scheduler === bulk) sinceBulk = 0;
        underWay.set(keyOf(job.message), job);
        return job;
      }
      return undefined;
    },

    finish(job, ended) {
      const key = keyOf(job.message);
      if (underWay.get(key) === job) underWay.delete(key);
      const copies = lane(job).finish(job, ended);
      if (twins.size > 0 && twins.delete(key)) for (const scheduler of both) scheduler.wakeAll(`message:${key}`);
      return copies;
    },

    retryAt: (job, atMs) => lane(job).retryAt(job, atMs),
    wake(campaignId) {
      for (const scheduler of both) scheduler.wake(campaignId);
    },
    recall(campaignId) {
      for (const scheduler of both) scheduler.recall(campaignId);
    },
    wakeAll(on) {
      for (const scheduler of both) scheduler.wakeAll(on);
    },
    clear() {
      for (const scheduler of both) scheduler.clear();
      for (const [key, job] of underWay) if (!job.seat.isRunning) underWay.delete(key);
      twins.clear();
    },
    dropUntried() {
      for (const scheduler of both) scheduler.dropUntried();
    },
    nextDueMs: () => Math.min(transactional.nextDueMs(), bulk.nextDueMs()),
    running: () => sum((s) => s.running()),
    retrying: () => sum((s) => s.retrying()),
    waiting: () => sum((s) => s.waiting()),
    byLane: () => ({
      transactional: { running: transactional.running(), waiting: transactional.waiting() },
      bulk: { running: bulk.running(), waiting: bulk.waiting() },
    }),
    held: () => both.flatMap((s) => s.held()),
    backlog: () => both.flatMap((s) => s.backlog()),
  };
}
