import { pastOf } from '@volley/contract';
import type { HeldPasses } from './held-passes.ts';
import type { Tracked } from './job.ts';
import type { Sources } from './sources.ts';
import { dueAt, type WaitingRoom } from './waiting-room.ts';

/**
 * When a record that was read is looked at: not before the ledger of its number is read, a record of a tier when it is due,
 * one of held when a pass takes it, all others at once.
 */
export interface Arrivals {
  /** Records of one partition, in offset order. */
  offer(records: readonly Tracked[], logEnd: number): void;
  /** The ledger of this number is read. */
  opened(partition: number): void;
  /** Lets in what is due at `nowMs` (epoch). */
  letIn(nowMs: number): void;
  /** Epoch; Infinity if nothing waits for a time. */
  nextDueMs(): number;
  /** The assignment is over. */
  clear(): void;
  /** Batches that wait for a ledger. */
  blocked(): number;
}

export function createArrivals(options: {
  readonly sources: Sources;
  readonly isOpen: (partition: number) => boolean;
  readonly room: WaitingRoom;
  readonly held: HeldPasses;
  readonly now: () => number;
  /** It is looked at. Records of one partition. */
  readonly take: (records: readonly Tracked[]) => void;
}): Arrivals {
  const { sources, room, held } = options;
  let closed: { readonly records: readonly Tracked[]; readonly logEnd: number }[] = [];

  function admit(records: readonly Tracked[], logEnd: number): void {
    const source = sources.of((records[0] as Tracked).record.topic);
    if (source.kind === 'lane') options.take(records);
    else if (source.kind === 'held') takeSome(held.offer(records, logEnd));
    else takeSome(dueOf(records, sources.tier(source.tier).delayMs));
  }

  function takeSome(records: readonly Tracked[]): void {
    if (records.length > 0) options.take(records);
  }

  /** What cannot be read waits for nothing: it is refused. */
  function dueOf(records: readonly Tracked[], delayMs: number): readonly Tracked[] {
    const nowMs = options.now();
    return records.filter((tracked) => {
      const dueMs = dueAt(pastOf(tracked.record)?.notBeforeMs ?? 0, delayMs, nowMs);
      if (dueMs <= nowMs) return true;
      room.enter(tracked, dueMs);
      return false;
    });
  }

  return {
    offer(records, logEnd) {
      const first = records[0];
      if (first === undefined) return;
      if (options.isOpen(first.record.partition)) admit(records, logEnd);
      else closed.push({ records, logEnd });
    },
    opened(partition) {
      const mine = closed.filter(({ records }) => records[0]?.record.partition === partition);
      closed = closed.filter(({ records }) => records[0]?.record.partition !== partition);
      for (const { records, logEnd } of mine) admit(records, logEnd);
    },
    letIn(nowMs) {
      for (const tracked of room.due(nowMs)) options.take([tracked]);
    },
    nextDueMs: () => room.nextDueMs(),
    clear() {
      closed = [];
      room.clear();
      held.clear();
    },
    blocked: () => closed.length,
  };
}
