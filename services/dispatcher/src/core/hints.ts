import type { Ledger } from './ledger.ts';
import { createMark, type Mark, type MarkKeeper, NO_MARK } from './marks.ts';

/**
 * Hints: from where the next owner must read the deliveries to know what was done. The hint of a topic partition is the
 * lowest deliveries offset of any event of a record at or above its watermark, and the deliveries' known end when there
 * is none. It is committed beside the offset, as metadata.
 */
export interface Hints {
  /**
   * A topic partition is ours, from `watermark` on. `inherited`: what a former owner may have done at or above the
   * watermark, see `inheritedOf`; undefined when it can have done nothing there.
   */
  assigned(topic: string, number: number, inherited: Inherited | undefined): void;
  /** An event of this record is acknowledged. Ignored for a topic partition that is not ours. */
  note(topic: string, number: number, recordOffset: number, eventOffset: number): void;
  /**
   * The text to commit beside `watermark`, to be called in the tick in which the watermark is taken. Undefined while the
   * ledger of the number is not open: what is committed then still holds. Tells the ledger what it must keep. `isLast`: the
   * assignment ends with it, in order.
   */
  metadata(topic: string, number: number, watermark: number, isLast?: boolean): string | undefined;
  /** Undefined for a topic partition that is not ours. */
  mark(topic: string, number: number): MarkKeeper | undefined;
  /** The smallest hint of all topic partitions of this number; Infinity when none must be looked back for. */
  lowest(number: number): number;
  /** The assignment is over. */
  clear(): void;
}

/** What a former owner may have left at or above the watermark: events from `hint` on, of records below `reach`. */
export interface Inherited {
  readonly hint: number;
  readonly reach: number;
  /** Who died here before, and the watermark as of then. */
  readonly mark?: Mark;
  readonly from?: number;
}

/** What was committed beside an offset. */
export interface HintMetadata {
  readonly hint: number;
  /** No record at or above it had an event when this was committed; `REACH_ALLOWANCE` is what may have come since. */
  readonly reach: number;
  readonly mark: Mark;
}

/**
 * Records of one partition that an owner may handle after its last commit that counted: 5 s until its metadata is written
 * again and 10 s until its session is over, at 4,000 records a second in one partition. Were it more, those beyond lie in
 * the 65,536 events that are read before the smallest hint in any case.
 */
export const REACH_ALLOWANCE = 65_536;
/** Longer than anything that is written here, far below what the group keeps (4,096 bytes). */
const MAX_METADATA_CHARS = 256;
const VERSION = 1;

const isOffset = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Undefined for anything that was not written here: the deliveries are then read from the log's start. */
export function parseHintMetadata(text: string): HintMetadata | undefined {
  if (text === '' || text.length > MAX_METADATA_CHARS) return undefined;
  let value: Partial<Record<'v' | 'hint' | 'reach' | keyof Mark, unknown>> | null;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || value.v !== VERSION) return undefined;
  const { hint, reach } = value;
  return isOffset(hint) && isOffset(reach) ? { hint, reach, mark: markIn(value) } : undefined;
}

/** A mark that cannot be read is none: it costs the next owner some caution. */
function markIn({ starts = 0, suspect = -1, tries = 0 }: Partial<Record<keyof Mark, unknown>>): Mark {
  if (!isOffset(starts) || !isOffset(tries)) return NO_MARK;
  return isOffset(suspect) ? { starts, suspect, tries } : { starts, suspect: -1, tries: 0 };
}

/**
 * What is to be feared of former owners, when a topic partition is assigned.
 * - Its log ends at the committed offset: no record at or above it exists, so none has an event.
 * - No commit or unreadable metadata: whoever died before its first one may have begun, at any time.
 */
export function inheritedOf(of: {
  readonly committed: number;
  readonly metadata: string;
  /** Of the topic partition, as of now. */
  readonly logEnd: number;
}): Inherited | undefined {
  if (of.logEnd <= Math.max(0, of.committed)) return undefined;
  const found = of.committed < 0 ? undefined : parseHintMetadata(of.metadata);
  const reach = Math.max(0, of.committed, found?.reach ?? 0) + REACH_ALLOWANCE;
  return {
    hint: found?.hint ?? 0,
    reach: Math.min(reach, of.logEnd),
    mark: found?.mark ?? NO_MARK,
    from: Math.max(0, of.committed),
  };
}

interface Deque {
  /** Pairs (record offset, event offset), in the order of the events. */
  records: Float64Array;
  events: Float64Array;
  head: number;
  size: number;
  /** One past the highest record that has an event, by us or by a former owner. */
  reach: number;
  /** As last committed or inherited. */
  hint: number;
  readonly mark: MarkKeeper;
}

const FIRST_CAPACITY = 16;

/**
 * Events of one topic partition are acknowledged by rising offset, so the front of a queue of (record, event) pairs is the
 * lowest event. Pairs whose record lies below the watermark leave at the front: a watermark only rises. A record that is
 * not higher than the last one in the queue is left out: as long as it matters, that earlier and lower event does.
 */
export function createHints(ledger: Pick<Ledger, 'isOpen' | 'end' | 'keepFrom'>): Hints {
  const numbers = new Map<number, Map<string, Deque>>();

  function push(of: Deque, record: number, event: number): void {
    if (of.size === of.records.length) grow(of);
    const at = (of.head + of.size) & (of.records.length - 1);
    of.records[at] = record;
    of.events[at] = event;
    of.size += 1;
  }

  function grow(of: Deque): void {
    const [records, events] = [new Float64Array(of.records.length * 2), new Float64Array(of.records.length * 2)];
    for (let i = 0; i < of.size; i++) {
      const at = (of.head + i) & (of.records.length - 1);
      records[i] = of.records[at] as number;
      events[i] = of.events[at] as number;
    }
    of.records = records;
    of.events = events;
    of.head = 0;
  }

  function lowest(number: number): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { hint, size, head, events } of numbers.get(number)?.values() ?? []) {
      least = Math.min(least, hint, size > 0 ? (events[head] as number) : hint);
    }
    return least;
  }

  return {
    assigned(topic, number, inherited) {
      const topics = numbers.get(number) ?? new Map<string, Deque>();
      numbers.set(number, topics);
      const of: Deque = {
        records: new Float64Array(FIRST_CAPACITY),
        events: new Float64Array(FIRST_CAPACITY),
        head: 0,
        size: 0,
        reach: inherited?.reach ?? 0,
        hint: inherited?.hint ?? Number.POSITIVE_INFINITY,
        mark: createMark(inherited?.mark ?? NO_MARK, inherited?.from ?? 0),
      };
      topics.set(topic, of);
      // As if the last record within reach had the lowest event: it holds the hint until all of them are through.
      if (inherited !== undefined) push(of, inherited.reach - 1, inherited.hint);
    },
    note(topic, number, recordOffset, eventOffset) {
      const of = numbers.get(number)?.get(topic);
      if (of === undefined) return;
      of.reach = Math.max(of.reach, recordOffset + 1);
      of.mark.progressed();
      const last = (of.head + of.size - 1) & (of.records.length - 1);
      if (of.size === 0 || recordOffset > (of.records[last] as number)) push(of, recordOffset, eventOffset);
    },
    metadata(topic, number, watermark, isLast = false) {
      const of = numbers.get(number)?.get(topic);
      if (of === undefined || !ledger.isOpen(number)) return undefined;
      while (of.size > 0 && (of.records[of.head] as number) < watermark) {
        of.head = (of.head + 1) & (of.records.length - 1);
        of.size -= 1;
      }
      of.hint = of.size > 0 ? (of.events[of.head] as number) : ledger.end(number);
      ledger.keepFrom(number, lowest(number));
      const { starts, suspect, tries } = of.mark.at(watermark, isLast);
      const reach = Math.max(of.reach, watermark);
      return JSON.stringify({
        v: VERSION,
        hint: of.hint,
        reach,
        ...(starts > 0 && { starts }),
        ...(suspect >= 0 && { suspect, tries }),
      });
    },
    mark: (topic, number) => numbers.get(number)?.get(topic)?.mark,
    lowest,
    clear: () => numbers.clear(),
  };
}
