/** What is known of one message in one run. */
export interface Known {
  /** It has ended: nothing more may be sent for it. */
  readonly ended: boolean;
  /** Attempts made, as far as events say. */
  readonly attempts: number;
  /** Deferrals so far: one more than the highest number on any `deferred` event, 0 without one. */
  readonly deferrals: number;
  /** The highest `deferrals` of an event that moved it to a tier or to held; -1 without one. */
  readonly movedDeferrals: number;
}

/** What one event says. -1: nothing. */
export interface Saying {
  readonly ended: boolean;
  readonly attempt: number;
  readonly deferrals: number;
  readonly movedDeferrals: number;
}

/** So many records behind the newest one are always known, for copies that come late. */
export const LEDGER_WINDOW = 131_072;

const FIRST_CAPACITY = 1_024;
/** What is let go in one call: a hint that jumps ahead by a million records must not stop the process for a while. */
const MAX_EVICTED_AT_ONCE = 64;
const MAX_ATTEMPTS = 0xff;
const MAX_DEFERRALS = 0xff_fffe;
const ENDED = 0x8000_0000;

export interface LedgerTable {
  /** By rising offset; one that is lower than the last counts as the last, so it is only kept for longer. */
  note(messageId: string, run: number, saying: Saying, offset: number): void;
  look(messageId: string, run: number): Known | undefined;
  /** Nothing at or above this offset is let go, however far it lies behind. */
  keepFrom(offset: number): void;
  /** Events held, older ones of the same message included. */
  size(): number;
  bytes(): number;
}

/**
 * The ledger of one partition number, without an object a message: a ring of events in the order of their offsets, each
 * with all that was known of its message by then, and an index with open addressing from a message to its latest event.
 * An event leaves at the end of the ring, and takes its message along when it is the latest one.
 * 20 bytes an event and 8 to 16 of index: 3.6 MiB when the window is full.
 *
 * A message is known by 64 bits of a hash. With 131,072 of them one wrong answer in some 10^14 questions is to be expected.
 */
export function createLedgerTable(window: number = LEDGER_WINDOW): LedgerTable {
  let capacity = FIRST_CAPACITY;
  let low = new Uint32Array(capacity);
  let high = new Uint32Array(capacity);
  /** Offset modulo 2^32: only distances are looked at. */
  let stamps = new Uint32Array(capacity);
  /** attempts << 24 | deferrals. */
  let counts = new Uint32Array(capacity);
  /** ended << 31 | movedDeferrals + 1. */
  let ends = new Uint32Array(capacity);
  /** Place in the ring plus 1; 0: free. */
  let index = new Uint32Array(indexSizeFor(capacity));
  let mask = index.length - 1;
  let head = 0;
  let size = 0;
  let newest = -1;
  let keptFrom = 0;
  // The key asked for. Kept here, because a pair would be an object a record.
  let keyLow = 0;
  let keyHigh = 0;

  /** Murmur3 in two lanes with different constants over four characters at a time, each lane finished with the other. */
  function keyOf(id: string, run: number): void {
    let a = 0x9e3779b9;
    let b = 0x3c6ef372;
    const whole = id.length & ~3;
    let i = 0;
    for (; i < whole; i += 4) {
      const word =
        id.charCodeAt(i) ^ (id.charCodeAt(i + 1) << 8) ^ (id.charCodeAt(i + 2) << 16) ^ (id.charCodeAt(i + 3) << 24);
      a ^= Math.imul(word, 0xcc9e2d51);
      a = (Math.imul((a << 13) | (a >>> 19), 5) + 0xe6546b64) | 0;
      b ^= Math.imul(word ^ (word >>> 15), 0x1b873593);
      b = (Math.imul((b << 17) | (b >>> 15), 0x2c1b3c6d) + 0x38495ab5) | 0;
    }
    let rest = id.length;
    for (; i < id.length; i++) rest = Math.imul(rest, 0x01000193) ^ id.charCodeAt(i);
    a = Math.imul(a ^ rest, 0x85ebca6b) ^ run;
    b = Math.imul(b ^ Math.imul(run, 0x9e3779b1), 0xc2b2ae35) ^ rest;
    a = Math.imul(a ^ (a >>> 16) ^ b, 0x85ebca6b);
    b = Math.imul(b ^ (b >>> 15) ^ a, 0x2c1b3c6d);
    a = Math.imul(a ^ (a >>> 13) ^ b, 0xc2b2ae35);
    b = Math.imul(b ^ (b >>> 12) ^ a, 0x297a2d39);
    keyLow = (a ^ (a >>> 16)) >>> 0;
    keyHigh = (b ^ (b >>> 15)) >>> 0;
  }

  /** Slot of the key asked for, or the free one where it would be. */
  function find(): number {
    let slot = keyLow & mask;
    for (;;) {
      const place = index[slot] as number;
      if (place === 0 || (low[place - 1] === keyLow && high[place - 1] === keyHigh)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  /** Frees a slot; those behind it move up, so that a search still ends at the first free one. */
  function free(slot: number): void {
    let hole = slot;
    for (let next = (hole + 1) & mask; index[next] !== 0; next = (next + 1) & mask) {
      const home = (low[(index[next] as number) - 1] as number) & mask;
      // Between hole and next, around the end: it is found without moving.
      if (hole <= next ? hole < home && home <= next : hole < home || home <= next) continue;
      index[hole] = index[next] as number;
      hole = next;
    }
    index[hole] = 0;
  }

  /** The slot that names this place of the ring; -1 when a later event of the message has taken over. */
  function slotOf(place: number): number {
    let slot = (low[place] as number) & mask;
    for (; index[slot] !== 0; slot = (slot + 1) & mask) if (index[slot] === place + 1) return slot;
    return -1;
  }

  function evict(): void {
    const keep = Math.max(window, Math.min(newest - keptFrom, 0xffff_ffff));
    for (let n = 0; size > 0 && n < MAX_EVICTED_AT_ONCE; n++) {
      if (((newest >>> 0) - (stamps[head] as number)) >>> 0 <= keep) break;
      const slot = slotOf(head);
      if (slot >= 0) free(slot);
      head = head + 1 === capacity ? 0 : head + 1;
      size -= 1;
    }
    // It had to keep much for a while: the memory is given back.
    if (capacity > grown(window) && size < capacity / 4) resize(Math.max(grown(window), Math.ceil(size * 1.5)));
  }

  /** Into a ring of another length, without the events that a later one of their message has replaced. */
  function resize(newCapacity: number): void {
    const of = { low, high, stamps, counts, ends };
    const places: number[] | Uint32Array = new Uint32Array(size);
    let kept = 0;
    for (let i = 0, place = head; i < size; i++, place = place + 1 === capacity ? 0 : place + 1) {
      if (slotOf(place) >= 0) places[kept++] = place;
    }
    capacity = newCapacity;
    low = new Uint32Array(capacity);
    high = new Uint32Array(capacity);
    stamps = new Uint32Array(capacity);
    counts = new Uint32Array(capacity);
    ends = new Uint32Array(capacity);
    index = new Uint32Array(indexSizeFor(capacity));
    mask = index.length - 1;
    for (let i = 0; i < kept; i++) {
      const place = places[i] as number;
      low[i] = of.low[place] as number;
      high[i] = of.high[place] as number;
      stamps[i] = of.stamps[place] as number;
      counts[i] = of.counts[place] as number;
      ends[i] = of.ends[place] as number;
      let slot = (low[i] as number) & mask;
      while (index[slot] !== 0) slot = (slot + 1) & mask;
      index[slot] = i + 1;
    }
    head = 0;
    size = kept;
  }

  const grown = (atLeast: number) => atLeast + (atLeast >>> 5) + FIRST_CAPACITY;

  return {
    note(messageId, run, saying, offset) {
      newest = Math.max(newest, offset);
      evict();
      if (size === capacity) {
        const doubled = capacity * 2;
        resize(capacity < grown(window) ? Math.min(doubled, grown(window)) : Math.ceil(capacity * 1.5));
      }
      keyOf(messageId, run);
      const slot = find();
      const before = (index[slot] as number) - 1;
      let attempts = Math.min(MAX_ATTEMPTS, Math.max(0, saying.attempt));
      let deferrals = Math.min(MAX_DEFERRALS, saying.deferrals + 1);
      let moved = Math.min(MAX_DEFERRALS, saying.movedDeferrals + 1);
      let ended = saying.ended ? ENDED : 0;
      if (before >= 0) {
        attempts = Math.max(attempts, (counts[before] as number) >>> 24);
        deferrals = Math.max(deferrals, (counts[before] as number) & 0xff_ffff);
        moved = Math.max(moved, (ends[before] as number) & 0xff_ffff);
        ended |= (ends[before] as number) & ENDED;
      }
      const place = head + size < capacity ? head + size : head + size - capacity;
      size += 1;
      low[place] = keyLow;
      high[place] = keyHigh;
      stamps[place] = newest >>> 0;
      counts[place] = (attempts << 24) | deferrals;
      ends[place] = ended | moved;
      index[slot] = place + 1;
    },
    look(messageId, run) {
      keyOf(messageId, run);
      const place = (index[find()] as number) - 1;
      if (place < 0) return undefined;
      const count = counts[place] as number;
      const end = ends[place] as number;
      return {
        ended: end >= ENDED,
        attempts: count >>> 24,
        deferrals: count & 0xff_ffff,
        movedDeferrals: (end & 0xff_ffff) - 1,
      };
    },
    keepFrom(offset) {
      keptFrom = offset;
    },
    size: () => size,
    bytes: () => capacity * 20 + index.length * 4,
  };
}

/** A power of two; never more than about half full. */
function indexSizeFor(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(capacity * 1.85));
}
