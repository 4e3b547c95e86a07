import { createDueHeap } from './due-heap.ts';
import { createFifo } from './fifo.ts';
import { type Job, keyOf } from './job.ts';
import { createParking } from './parking.ts';
import type { Slots } from './slots.ts';
import { createRings, empty, newTurn, queued, type Recipient, type Turn } from './turns.ts';

/** Why the next job of a campaign may not start yet. */
export interface Hold {
  /** Look again at this monotonic time; Infinity: only when woken. */
  readonly untilMs: number;
  /** `wakeAll(on)` ends the hold as well. */
  readonly on: string;
  /** `message`: this job steps aside, others of its campaign go on. */
  readonly scope?: 'campaign' | 'message';
}

/**
 * Lets a job pass or says why not. `slot`: it will be sent. `aside`: it ends or moves on without a provider call, which
 * takes no slot: a million messages of a cancelled campaign do not wait for calls that hang.
 */
export type Gate = (job: Job, nowMs: number) => 'slot' | 'aside' | Hold;

/**
 * Which message starts next. Campaigns take turns, so one that may not run (rate-limited, waiting for a version) stops
 * nobody else; within a campaign a recipient's messages run one at a time in log order. A job that waits for its retry, or
 * is parked, occupies its recipient and no slot.
 */
export interface Scheduler {
  offer(job: Job): void;
  /** The next job that `gate` lets pass; it is running from now on. */
  next(nowMs: number, gate: Gate, mayAside?: boolean): Job | undefined;
  /**
   * It is through, its slot and its recipient are free. If the message has `ended`, other copies of it that wait behind
   * it have ended as well: they are taken out and returned (a partition that was lost and came back brings such copies).
   */
  finish(job: Job, ended: boolean): readonly Job[];
  /** It gives its slot back and runs again not before `atMs`; its recipient stays occupied. */
  retryAt(job: Job, atMs: number): void;
  /** A campaign changed: its turn is looked at again, whatever held it. */
  wake(campaignId: string): void;
  /** A campaign stopped running: its retries are looked at again as well; those that may run after all wait on. */
  recall(campaignId: string): void;
  /** Everything held on this name is looked at again; of what is parked on it, as much as passes. */
  wakeAll(on: string): void;
  /** The assignment is over: all that is not running is dropped. */
  clear(): void;
  /** A stop: what has never been tried here is dropped, what runs or waits for its retry stays. */
  dropUntried(): void;
  /** When the next hold or retry is due; Infinity if none is. */
  nextDueMs(): number;
  running(): number;
  /** Waiting for a retry that is not due yet. */
  retrying(): number;
  /** Not running: queued, held, behind another of the same recipient, parked, or waiting for a retry. */
  waiting(): number;
  held(): readonly { campaignId: string; on: string; sinceMs: number }[];
  /** Jobs that are not running, by campaign. */
  backlog(): readonly { campaignId: string; waiting: number }[];
}

type Due = { readonly turn: Turn; readonly seq: number } | { readonly job: Job; readonly seq: number };

const NONE: readonly Job[] = [];
/** Beyond this many parked jobs of a campaign the next one holds it: looking for another that may go has its price. */
export const MAX_PARKED = 1_000;

export function createScheduler(slots: Slots): Scheduler {
  const turns = new Map<string, Turn>();
  const heldOn = new Map<string, Set<Turn>>();
  const due = createDueHeap<Due>();
  const parking = createParking((job) => again(job));
  const rings = createRings(slots);
  let running = 0;
  let waiting = 0;
  let retrying = 0;

  const turnOf = (campaignId: string): Turn => {
    let turn = turns.get(campaignId);
    if (turn === undefined) {
      turn = newTurn(campaignId, !slots.free());
      turns.set(campaignId, turn);
    }
    return turn;
  };

  const unhold = (turn: Turn) => {
    turn.look = true;
    if (turn.hold !== undefined) {
      const set = heldOn.get(turn.hold.on);
      set?.delete(turn);
      if (set?.size === 0) heldOn.delete(turn.hold.on);
      turn.hold = undefined;
      turn.holdSeq += 1;
    }
    rings.enter(turn);
  };

  const hold = (turn: Turn, why: Hold, nowMs: number) => {
    turn.hold = why;
    turn.holdSeq += 1;
    if (turn.heldSinceMs < 0) turn.heldSinceMs = nowMs;
    const set = heldOn.get(why.on);
    if (set === undefined) heldOn.set(why.on, new Set([turn]));
    else set.add(turn);
    if (why.untilMs !== Number.POSITIVE_INFINITY) due.push(why.untilMs, { turn, seq: turn.holdSeq });
  };

  const retire = (turn: Turn) => {
    if (queued(turn) + turn.busy.size > 0) return;
    if (turn.hold !== undefined || turn.inRing || turn.inAside) return;
    turns.delete(turn.campaignId);
  };

  const occupy = (turn: Turn, job: Job) => {
    if (job.seat.holdsKey) turn.again.shift();
    else {
      first(turn).shift();
      job.seat.holdsKey = true;
      turn.busy.set(job.message.recipient, { holder: job, behind: undefined, hasCopies: false });
    }
  };

  /** It waits for a time, or for being woken; in the queue it is no more. */
  const wait = (job: Job, untilMs: number) => {
    job.seat.waitSeq += 1;
    if (untilMs !== Number.POSITIVE_INFINITY) due.push(untilMs, { job, seq: job.seat.waitSeq });
  };

  /** Its wait is over: it is looked at again. */
  const again = (job: Job) => {
    const { seat } = job;
    const turn = turnOf(job.message.campaign_id);
    seat.waitSeq += 1;
    if (seat.isRetrying) retrying -= 1;
    else turn.parked -= 1;
    seat.isRetrying = false;
    turn.again.push(job);
    turn.look = true;
    rings.enter(turn);
  };

  /**
   * What has waited for its time comes before what is fresh: behind a campaign that leaves at its rate it would be as late
   * as that rate makes it.
   */
  const first = (turn: Turn) => (turn.waited.size() > 0 ? turn.waited : turn.fresh);

  /** The turn's next job; those whose recipient is busy step behind the one that runs. */
  const head = (turn: Turn): Job | undefined => {
    const own = turn.again.peek();
    if (own !== undefined) return own;
    for (;;) {
      const queue = first(turn);
      const job = queue.peek();
      if (job === undefined) return undefined;
      const entry = turn.busy.get(job.message.recipient);
      if (entry === undefined) return job;
      queue.shift();
      entry.behind ??= createFifo();
      entry.behind.push(job);
      entry.hasCopies ||= keyOf(job.message) === keyOf(entry.holder.message);
    }
  };

  /** Copies of the one that has ended, out of those behind it. Looking at all of them is for when there is one. */
  const takeCopies = (entry: Recipient): readonly Job[] => {
    const key = keyOf(entry.holder.message);
    const copies: Job[] = [];
    const others = createFifo<Job>();
    for (let job = entry.behind?.shift(); job !== undefined; job = entry.behind?.shift())
      if (keyOf(job.message) === key) copies.push(job);
      else others.push(job);
    entry.behind = others;
    return copies;
  };

  const wakeDue = (nowMs: number) => {
    for (let item = due.popDue(nowMs); item !== undefined; item = due.popDue(nowMs)) {
      if ('turn' in item) {
        if (item.turn.holdSeq === item.seq) unhold(item.turn);
      } else if (item.job.seat.waitSeq === item.seq) {
        parking.leave(item.job);
        again(item.job);
      }
    }
  };

  const start = (turn: Turn, job: Job, needsSlot: boolean) => {
    turn.heldSinceMs = -1;
    turn.waiting -= 1;
    waiting -= 1;
    running += 1;
    occupy(turn, job);
    job.seat.isRunning = true;
    job.seat.hasSlot = needsSlot;
    job.seat.standingSinceMs = -1;
    if (needsSlot) slots.take();
    parking.passed(job);
    if (queued(turn) > 0) rings.enter(turn);
  };

  return {
    offer(job) {
      const turn = turnOf(job.message.campaign_id);
      (job.source.kind === 'lane' ? turn.fresh : turn.waited).push(job);
      turn.waiting += 1;
      waiting += 1;
      rings.enter(turn);
    },

    next(nowMs, gate, mayAside = true) {
      wakeDue(nowMs);
      for (let turn = rings.next(mayAside); turn !== undefined; turn = rings.next(mayAside)) {
        if (turn.hold !== undefined) continue;
        const job = head(turn);
        if (job === undefined) {
          retire(turn);
          continue;
        }
        const { seat } = job;
        const answer = gate(job, nowMs);
        if (typeof answer === 'object') {
          if (seat.standingSinceMs < 0) seat.standingSinceMs = nowMs;
          if (answer.scope === 'message' && turn.parked < MAX_PARKED) {
            occupy(turn, job);
            turn.parked += 1;
            parking.enter(job, answer.on);
            wait(job, answer.untilMs);
            rings.enter(turn);
          } else hold(turn, answer, nowMs);
        } else if (answer === 'aside') {
          turn.look = true;
          if (mayAside) {
            start(turn, job, false);
            return job;
          }
          rings.enter(turn);
        } else if (seat.notBeforeMs > nowMs) {
          // A recalled retry whose campaign runs after all.
          occupy(turn, job);
          seat.isRetrying = true;
          retrying += 1;
          wait(job, seat.notBeforeMs);
          rings.enter(turn);
        } else {
          turn.look = false;
          if (slots.free()) {
            start(turn, job, true);
            return job;
          }
          rings.enter(turn);
        }
      }
      return undefined;
    },

    finish(job, ended) {
      running -= 1;
      job.seat.isRunning = false;
      if (job.seat.hasSlot) slots.give();
      const turn = turnOf(job.message.campaign_id);
      const entry = turn.busy.get(job.message.recipient);
      if (entry?.holder !== job) return NONE;
      const copies = ended && entry.hasCopies ? takeCopies(entry) : NONE;
      waiting -= copies.length;
      turn.waiting -= copies.length;
      entry.hasCopies = false;
      const next = entry.behind?.shift();
      if (next === undefined) {
        turn.busy.delete(job.message.recipient);
        retire(turn);
      } else {
        entry.holder = next;
        next.seat.holdsKey = true;
        turn.again.push(next);
        rings.enter(turn);
      }
      return copies;
    },

    retryAt(job, atMs) {
      const { seat } = job;
      running -= 1;
      waiting += 1;
      retrying += 1;
      turnOf(job.message.campaign_id).waiting += 1;
      seat.isRunning = false;
      if (seat.hasSlot) slots.give();
      seat.isRetrying = true;
      seat.notBeforeMs = atMs;
      wait(job, atMs);
    },

    wake(campaignId) {
      const turn = turns.get(campaignId);
      if (turn !== undefined) unhold(turn);
    },

    recall(campaignId) {
      const turn = turns.get(campaignId);
      if (turn === undefined) return;
      for (const { holder } of turn.busy.values()) {
        if (holder.seat.isRetrying) again(holder);
        else if (parking.leave(holder)) again(holder);
      }
      unhold(turn);
    },

    wakeAll(on) {
      for (const turn of [...(heldOn.get(on) ?? [])]) unhold(turn);
      parking.wake(on);
    },

    clear() {
      due.clear();
      parking.clear();
      rings.clear();
      heldOn.clear();
      waiting = 0;
      retrying = 0;
      for (const turn of turns.values()) {
        empty(turn);
        for (const [recipient, entry] of turn.busy) {
          if (entry.holder.seat.isRunning) entry.behind = undefined;
          else turn.busy.delete(recipient);
        }
        retire(turn);
      }
    },

    dropUntried() {
      waiting = 0;
      for (const turn of turns.values()) {
        turn.fresh = createFifo();
        turn.waited = createFifo();
        turn.parked = 0;
        const tried = createFifo<Job>();
        for (let job = turn.again.shift(); job !== undefined; job = turn.again.shift())
          if (job.triesHere > 0) tried.push(job);
        turn.again = tried;
        turn.waiting = tried.size();
        for (const [recipient, entry] of turn.busy) {
          const { seat, triesHere } = entry.holder;
          entry.behind = undefined;
          if (seat.isRetrying) turn.waiting += 1;
          else if (!seat.isRunning && (triesHere === 0 || parking.leave(entry.holder))) {
            seat.waitSeq += 1;
            turn.busy.delete(recipient);
          }
        }
        waiting += turn.waiting;
        retire(turn);
      }
      parking.clear();
    },

    retrying: () => retrying,
    nextDueMs: () => due.firstMs(),
    running: () => running,
    waiting: () => waiting,
    held: () =>
      [...turns.values()].flatMap((turn) =>
        turn.hold === undefined ? [] : [{ campaignId: turn.campaignId, on: turn.hold.on, sinceMs: turn.heldSinceMs }],
      ),
    backlog: () =>
      [...turns.values()].flatMap((turn) =>
        turn.waiting === 0 ? [] : [{ campaignId: turn.campaignId, waiting: turn.waiting }],
      ),
  };
}
