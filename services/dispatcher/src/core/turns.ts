import { createFifo, type Fifo } from './fifo.ts';
import type { Job } from './job.ts';
import type { Hold } from './scheduler.ts';
import type { Slots } from './slots.ts';

/** One recipient of a campaign: its messages run one at a time. */
export interface Recipient {
  holder: Job;
  /** In the order of the log. There may be tens of thousands: a webhook campaign may have one URL for all. */
  behind: Fifo<Job> | undefined;
  /** Some of those behind are copies of the holder. */
  hasCopies: boolean;
}

/** The messages of one campaign that are in memory. */
export interface Turn {
  readonly campaignId: string;
  /** From a lane. */
  fresh: Fifo<Job>;
  /** From a tier or held: their time has come, or their campaign was resumed. They are older than what is fresh. */
  waited: Fifo<Job>;
  /** They own their recipient already: due retries, successors, and what was parked. They go before all others. */
  again: Fifo<Job>;
  readonly busy: Map<string, Recipient>;
  waiting: number;
  parked: number;
  inRing: boolean;
  inAside: boolean;
  /** To be asked even when no slot is free: its next job may need none. */
  look: boolean;
  hold: Hold | undefined;
  heldSinceMs: number;
  /** Tells a timer of this hold from one of an earlier hold. */
  holdSeq: number;
}

export const newTurn = (campaignId: string, look: boolean): Turn => ({
  campaignId,
  fresh: createFifo(),
  waited: createFifo(),
  again: createFifo(),
  busy: new Map(),
  waiting: 0,
  parked: 0,
  inRing: false,
  inAside: false,
  look,
  hold: undefined,
  heldSinceMs: -1,
  holdSeq: 0,
});

/** Jobs in its queues. */
export const queued = ({ fresh, waited, again }: Turn): number => fresh.size() + waited.size() + again.size();

/** All that is not running is dropped; timers of an earlier hold mean nothing any more. */
export function empty(turn: Turn): void {
  turn.fresh = createFifo();
  turn.waited = createFifo();
  turn.again = createFifo();
  turn.waiting = 0;
  turn.parked = 0;
  turn.inRing = false;
  turn.inAside = false;
  turn.look = false;
  turn.hold = undefined;
  turn.holdSeq += 1;
  turn.heldSinceMs = -1;
}

/**
 * Whose turn it is. Two rings: one of campaigns that are asked when a slot is free, one of those to be asked in any case,
 * because their next message may need none. A turn may stand in both; whichever comes first asks.
 */
export interface Rings {
  /** Unless it is held. */
  enter(turn: Turn): void;
  next(mayAside: boolean): Turn | undefined;
  clear(): void;
}

export function createRings(slots: Slots): Rings {
  let ring = createFifo<Turn>();
  let aside = createFifo<Turn>();
  let asideFirst = false;

  const fromRing = () => {
    const turn = ring.shift();
    if (turn !== undefined) turn.inRing = false;
    return turn;
  };
  const fromAside = () => {
    const turn = aside.shift();
    if (turn !== undefined) turn.inAside = false;
    return turn;
  };

  return {
    enter(turn) {
      if (turn.hold !== undefined) return;
      if (turn.look) {
        if (turn.inAside) return;
        turn.inAside = true;
        aside.push(turn);
      } else if (!turn.inRing) {
        turn.inRing = true;
        ring.push(turn);
      }
    },
    next(mayAside) {
      const mayStart = slots.free();
      if (!mayAside) return mayStart ? fromRing() : undefined;
      // By turns: neither may starve the other.
      asideFirst = !asideFirst;
      return asideFirst
        ? (fromAside() ?? (mayStart ? fromRing() : undefined))
        : ((mayStart ? fromRing() : undefined) ?? fromAside());
    },
    clear() {
      ring = createFifo();
      aside = createFifo();
    },
  };
}
