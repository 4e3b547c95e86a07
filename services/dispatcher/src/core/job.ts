import type { Message, Past, SourceRecord } from '@volley/contract';
import type { Fate } from './gate.ts';
import { isTest } from './identity.ts';
import type { OutgoingMessage } from './outgoing.ts';
import type { Source } from './sources.ts';

/** A record that was handed over and is to be settled; the epoch says under which assignment. */
export interface Tracked {
  readonly record: SourceRecord;
  readonly epoch: number;
}

/** One message on its way through this process. */
export interface Job {
  readonly tracked: Tracked;
  readonly message: Message;
  readonly source: Source;
  /** Outside the statistics: nothing is written for it. */
  readonly isTest: boolean;
  /** Monotonic: when it came into memory, to be worked on. */
  readonly arrivedMs: number;
  /** `deferrals` as the record itself says. */
  readonly ownDeferrals: number;
  /** Attempts spent so far; a throttled one costs none. */
  attempts: number;
  /** `deferred` events written so far in this run. */
  deferrals: number;
  /** Epoch milliseconds of the first failed attempt, 0 if none has failed. */
  firstFailedAtMs: number;
  /** Attempts of this stay in memory, and the monotonic time at which the first of them failed. */
  triesHere: number;
  firstFailedHereMs: number;
  /** A record of a tier has one attempt, unless it was moved there before its first. */
  readonly mayRetryHere: boolean;
  /** The host that it goes to, once it was asked for; empty where it goes to the provider. */
  destination: string | undefined;
  /** Rendered once; a retry sends the same. */
  outgoing: OutgoingMessage | undefined;
  /** What the gate has decided when it let the job pass. */
  fate: Fate;
  /** Kept by the scheduler. */
  readonly seat: Seat;
}

/** `past`: what the record says of attempts and deferrals before it; `nowMs` is monotonic. */
export const jobOf = (tracked: Tracked, message: Message, source: Source, past: Past, nowMs: number): Job => ({
  tracked,
  message,
  source,
  isTest: isTest(tracked.record),
  arrivedMs: nowMs,
  ownDeferrals: past.deferrals,
  attempts: past.attempts,
  deferrals: past.deferrals,
  firstFailedAtMs: past.firstFailedAtMs,
  triesHere: 0,
  firstFailedHereMs: 0,
  mayRetryHere: source.kind !== 'tier' || past.attempts === 0,
  destination: undefined,
  outgoing: undefined,
  fate: SEND,
  seat: newSeat(),
});

const SEND: Fate = { go: 'send' };

/** Where a job is within the scheduler. */
export interface Seat {
  /** No other job of this recipient may run before this one is through. */
  holdsKey: boolean;
  isRunning: boolean;
  hasSlot: boolean;
  /** Monotonic time before which its retry does not start. */
  notBeforeMs: number;
  /** Tells a timer of this wait from one of an earlier wait. */
  waitSeq: number;
  /** It waits for its retry. */
  isRetrying: boolean;
  /** What it alone waits for; undefined if it is not parked. */
  parkedOn: string | undefined;
  /** Woken from there, and not looked at yet. */
  wokenFrom: string | undefined;
  /** Monotonic time since when it has stood at the head of its queue and been refused; -1 if it has not been. */
  standingSinceMs: number;
}

export const newSeat = (): Seat => ({
  holdsKey: false,
  isRunning: false,
  hasSlot: false,
  notBeforeMs: 0,
  waitSeq: 0,
  isRetrying: false,
  parkedOn: undefined,
  wokenFrom: undefined,
  standingSinceMs: -1,
});

/** Names a message and its run. */
export const keyOf = ({ message_id, run }: Message): string => (run === 0 ? message_id : `${message_id}/${run}`);
