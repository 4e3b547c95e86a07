import { REASONS, type Reason, TERMINAL_KINDS, type TerminalKind } from '@volley/contract';

/** A share of a campaign's messages: those whose hash leaves `is` when it is divided by `of`, a power of two. */
export interface Share {
  readonly of: number;
  readonly is: number;
}

export const WHOLE: Share = { of: 1, is: 0 };
export const halves = ({ of, is }: Share): readonly Share[] => [
  { of: of * 2, is },
  { of: of * 2, is: is + of },
];

/** How a message ended, as the log says: the first end of its latest run. Times are epoch milliseconds. */
export interface RecordedEnd {
  readonly kind: TerminalKind;
  readonly reason: Reason | '';
  readonly attempt: number;
  readonly endedAtMs: number;
  /** First and last failed attempt that another one followed; 0 where there was none. */
  readonly firstFailedAtMs: number;
  readonly lastFailedAtMs: number;
}

/** Which record of a message counts, and what was recorded of it, for the messages of one campaign in one partition. */
export interface MessageTable {
  /** Bytes of an id that tell the messages of the campaign apart: in this share or not. */
  isIn(messageId: string): boolean;
  /** Remembers where a record of a message lies. Of several the first one of the highest run counts. False: no room for it. */
  place(messageId: string, run: number, log: number, offset: number): boolean;
  counts(messageId: string, log: number, offset: number): boolean;
  /** A failed attempt that another one follows. Of an earlier run than is known: nothing. */
  failedAttempt(messageId: string, run: number, atMs: number): void;
  /** A run begins, or its first end; a later one of the same run says nothing new. */
  begin(messageId: string, run: number): void;
  end(messageId: string, run: number, end: Omit<RecordedEnd, 'firstFailedAtMs' | 'lastFailedAtMs'>): void;
  /** Undefined: it has not ended. */
  endOf(messageId: string): RecordedEnd | undefined;
  has(messageId: string): boolean;
  size(): number;
}

/** A million places of 53 bytes, three quarters of them used. */
const MAX_PLACES = 1 << 20;
const FIRST_PLACES = 1 << 10;
const REASON_CODES = ['', ...(Object.keys(REASONS) as Reason[])] as const;
const CODE_OF = new Map<string, number>(REASON_CODES.map((reason, i) => [reason, i]));

function columns(places: number) {
  return {
    used: new Uint8Array(places),
    high: new Uint32Array(places),
    low: new Uint32Array(places),
    /** Run, log and offset of the record that counts. */
    inRun: new Int32Array(places),
    log: new Uint8Array(places),
    offset: new Float64Array(places),
    /** Of the events: the latest run, -1 before the first; then its end, 0 while there is none. */
    run: new Int32Array(places).fill(-1),
    kind: new Uint8Array(places),
    reason: new Uint8Array(places),
    attempt: new Uint16Array(places),
    endedAt: new Float64Array(places),
    firstFailedAt: new Float64Array(places),
    lastFailedAt: new Float64Array(places),
  };
}
type Columns = ReturnType<typeof columns>;

/**
 * Open addressing over columns, no object a message. An id of one campaign is known by its last 64 bits (see ids.ts), so
 * a message is never taken for another one. `maxPlaces` is a power of two.
 */
export function createMessageTable(share: Share, maxPlaces = MAX_PLACES): MessageTable {
  let of = columns(Math.min(FIRST_PLACES, maxPlaces));
  let size = 0;
  // The id asked for. Kept here, because a pair would be an object a record.
  let high = 0;
  let low = 0;

  function read(messageId: string): number {
    high = Number.parseInt(messageId.slice(19, 23) + messageId.slice(24, 28), 16);
    low = Number.parseInt(messageId.slice(28), 16);
    return Math.imul(low ^ (high << 7), 0x9e3779b1) >>> 0;
  }

  /** Where the id asked for is, or the free place where it would be. */
  function find(table: Columns, hash: number): number {
    const mask = table.used.length - 1;
    // The low bits choose the share: within one they are all the same.
    let at = ((hash >>> 15) ^ hash) & mask;
    while (table.used[at] === 1 && (table.low[at] !== low || table.high[at] !== high)) at = (at + 1) & mask;
    return at;
  }

  function known(messageId: string): number {
    const at = find(of, read(messageId));
    return of.used[at] === 1 ? at : -1;
  }

  function grow(): void {
    const bigger = columns(of.used.length * 2);
    for (let from = 0; from < of.used.length; from++) {
      if (of.used[from] !== 1) continue;
      high = of.high[from] as number;
      low = of.low[from] as number;
      const to = find(bigger, Math.imul(low ^ (high << 7), 0x9e3779b1) >>> 0);
      for (const name of Object.keys(of) as (keyof Columns)[]) bigger[name][to] = of[name][from] as number;
    }
    of = bigger;
  }

  /** Nothing for an earlier run than is known; a later one forgets what was known of those before it. */
  function inRun(messageId: string, run: number): number {
    const at = known(messageId);
    if (at < 0 || run < (of.run[at] as number)) return -1;
    if (run > (of.run[at] as number)) {
      of.run[at] = run;
      of.kind[at] = 0;
      of.firstFailedAt[at] = 0;
      of.lastFailedAt[at] = 0;
    }
    return at;
  }

  return {
    isIn: (messageId) => (share.of === 1 ? true : (read(messageId) & (share.of - 1)) === share.is),
    place(messageId, run, log, offset) {
      let at = find(of, read(messageId));
      if (of.used[at] === 1) {
        if (run <= (of.inRun[at] as number)) return true;
      } else {
        if ((size + 1) * 4 > of.used.length * 3) {
          if (of.used.length >= maxPlaces) return false;
          grow();
          at = find(of, read(messageId));
        }
        size += 1;
        of.used[at] = 1;
        of.high[at] = high;
        of.low[at] = low;
      }
      of.inRun[at] = run;
      of.log[at] = log;
      of.offset[at] = offset;
      return true;
    },
    counts(messageId, log, offset) {
      const at = known(messageId);
      return at >= 0 && of.log[at] === log && of.offset[at] === offset;
    },
    begin: (messageId, run) => void inRun(messageId, run),
    failedAttempt(messageId, run, atMs) {
      const at = inRun(messageId, run);
      if (at < 0 || of.kind[at] !== 0) return;
      if (of.firstFailedAt[at] === 0) of.firstFailedAt[at] = atMs;
      of.lastFailedAt[at] = atMs;
    },
    end(messageId, run, end) {
      const at = inRun(messageId, run);
      if (at < 0 || of.kind[at] !== 0) return;
      of.kind[at] = TERMINAL_KINDS.indexOf(end.kind) + 1;
      of.reason[at] = CODE_OF.get(end.reason) ?? 0;
      of.attempt[at] = end.attempt;
      of.endedAt[at] = end.endedAtMs;
    },
    endOf(messageId) {
      const at = known(messageId);
      if (at < 0 || of.kind[at] === 0) return undefined;
      return {
        kind: TERMINAL_KINDS[(of.kind[at] as number) - 1] as TerminalKind,
        reason: REASON_CODES[of.reason[at] as number] ?? '',
        attempt: of.attempt[at] as number,
        endedAtMs: of.endedAt[at] as number,
        firstFailedAtMs: of.firstFailedAt[at] as number,
        lastFailedAtMs: of.lastFailedAt[at] as number,
      };
    },
    has: (messageId) => known(messageId) >= 0,
    size: () => size,
  };
}
