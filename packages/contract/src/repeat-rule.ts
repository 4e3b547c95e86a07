import { isTerminal } from './kinds.ts';
import type { DeliveryEvent } from './records.generated.ts';

/** So many records before an event are looked at, by offset: what lies further back is not known. */
export const REPEAT_WINDOW = 131_072;

export type RuledEvent = Pick<DeliveryEvent, 'message_id' | 'run' | 'kind' | 'deferrals'>;

export interface RepeatRule {
  /**
   * The events of one partition of deliveries, each once, by rising offset; offsets may be left out. An event whose id is
   * not one of its campaign is left out by everybody: it says nothing about the message that it names.
   */
  offer(offset: number, event: RuledEvent): 'counts' | 'repeat';
}

const ENDED = 1;
const DEFERRED = 2;
const REDRIVEN = 3;

/**
 * A message ends once. Whether an event counts is a function of it and of the `REPEAT_WINDOW` records before it in its
 * partition, and of nothing else: progress, the sink and whoever rebuilds say the same of the same log.
 *
 * | Event of (message id, run r)  | Is a repeat when the window holds, of the same message              |
 * | ----------------------------- | ------------------------------------------------------------------- |
 * | an end (sent, failed, dead, …)| an end of r, or the redrive to r + 1                                |
 * | deferred, deferrals = 0       | an end of r, the redrive to r + 1, or a deferral 0 of r             |
 * | deferred, deferrals > 0       | an end of r, or the redrive to r + 1                                |
 * | redriven to r                 | a redrive to r or r + 1, an end of r, or a deferral 0 of r          |
 * | anything else                 | never: provider callbacks are told apart by their own ids           |
 *
 * The redrive to r + 1 follows the end of r, so what comes of r after it is late, also where that end has left the window.
 * A repeat is remembered like a first: otherwise the answer would depend on records before the window, and a rule that is
 * built from the window alone could not give it.
 *
 * 2 MiB, no object a record: a ring of 64-bit hashes by offset, and a table with open addressing that finds them in it. At
 * 131,072 different hashes one wrong answer in some 10^13 events is to be expected.
 *
 * `window` is a power of two; other sizes than the default are for tests.
 */
export function createRepeatRule(window = REPEAT_WINDOW): RepeatRule {
  if (window < 1 || !Number.isInteger(Math.log2(window))) throw new RangeError(`${window} is no power of two`);
  const ringLow = new Uint32Array(window);
  const ringHigh = new Uint32Array(window);
  /** Place in the ring, plus 1; 0: free. Twice as long as the ring, so that a search ends soon. */
  const table = new Uint32Array(window * 2);
  const mask = table.length - 1;
  let last = -1;
  // The hash asked for: of the message so far, and whole. Kept here, because a pair would be an object a record.
  let seedLow = 0;
  let seedHigh = 0;
  let low = 0;
  let high = 0;

  function seed(id: string): void {
    let a = 0x9e3779b9;
    let b = 0x85ebca6b;
    for (let i = 0; i < id.length; i++) {
      const c = id.charCodeAt(i);
      // Turned after each step: without it the low bits of both halves would say the same.
      a = Math.imul(a ^ c, 0x9e3779b1);
      a = (a << 15) | (a >>> 17);
      b = Math.imul(b ^ c, 0x85ebca77);
      b = (b << 11) | (b >>> 21);
    }
    seedLow = a;
    seedHigh = b;
  }

  /** The hash of (message, run, what): each half is finished as in murmur3 and depends on the other. */
  function hash(run: number, what: number): void {
    const more = Math.imul((run << 2) | what, 0x27d4eb2f);
    let a = seedLow ^ more;
    let b = seedHigh ^ ((more << 16) | (more >>> 16));
    a = Math.imul(a ^ (a >>> 16) ^ b, 0x85ebca6b);
    b = Math.imul(b ^ (b >>> 15) ^ a, 0x2c1b3c6d);
    a = Math.imul(a ^ (a >>> 13) ^ b, 0xc2b2ae35);
    b = Math.imul(b ^ (b >>> 12) ^ a, 0x297a2d39);
    low = (a ^ (a >>> 16)) >>> 0;
    high = (b ^ (b >>> 15)) >>> 0;
    // Both 0 is an empty place in the ring.
    if (low === 0 && high === 0) low = 1;
  }

  /** Slot of the hash asked for, or the free one where it would be. */
  function find(): number {
    let slot = low & mask;
    for (;;) {
      const place = table[slot] as number;
      if (place === 0 || (ringLow[place - 1] === low && ringHigh[place - 1] === high)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  function known(run: number, what: number): boolean {
    hash(run, what);
    return table[find()] !== 0;
  }

  /** Frees a slot; those behind it move up, so that a search still ends at the first free one. */
  function free(slot: number): void {
    let hole = slot;
    for (let next = (hole + 1) & mask; table[next] !== 0; next = (next + 1) & mask) {
      const home = (ringLow[(table[next] as number) - 1] as number) & mask;
      // Between hole and next, around the end: it is found without moving.
      if (hole <= next ? hole < home && home <= next : hole < home || home <= next) continue;
      table[hole] = table[next] as number;
      hole = next;
    }
    table[hole] = 0;
  }

  function forget(place: number): void {
    if (ringLow[place] === 0 && ringHigh[place] === 0) return;
    let slot = (ringLow[place] as number) & mask;
    while (table[slot] !== place + 1) slot = (slot + 1) & mask;
    free(slot);
    ringLow[place] = 0;
    ringHigh[place] = 0;
  }

  function remember(place: number, run: number, what: number): void {
    hash(run, what);
    const slot = find();
    const before = (table[slot] as number) - 1;
    if (before >= 0) {
      ringLow[before] = 0;
      ringHigh[before] = 0;
    }
    ringLow[place] = low;
    ringHigh[place] = high;
    table[slot] = place + 1;
  }

  function moveTo(offset: number): void {
    if (!(offset > last)) throw new RangeError(`offset ${offset} was offered after ${last}`);
    const skipped = offset - last - 1;
    if (skipped >= window) {
      ringLow.fill(0);
      ringHigh.fill(0);
      table.fill(0);
    } else for (let o = last + 1; o < offset; o++) forget(o % window);
    last = offset;
  }

  return {
    offer(offset, { message_id, run, kind, deferrals }) {
      moveTo(offset);
      const place = offset % window;
      const ended = isTerminal(kind);
      let what = 0;
      let repeat = false;
      if (ended || kind === 'deferred' || kind === 'redriven') {
        seed(message_id);
        repeat = known(run, ENDED) || known(run + 1, REDRIVEN);
        if (ended) what = ENDED;
        else if (kind === 'redriven') {
          what = REDRIVEN;
          repeat ||= known(run, REDRIVEN) || known(run, DEFERRED);
        } else if (deferrals === 0) {
          what = DEFERRED;
          repeat ||= known(run, DEFERRED);
        }
      }
      // What lies a window before was looked at just now, and leaves.
      forget(place);
      if (what !== 0) remember(place, run, what);
      return repeat ? 'repeat' : 'counts';
    },
  };
}
