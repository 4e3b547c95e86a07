import type { Plan } from './plan.ts';
import { RowText } from './row-text.ts';

/**
 * A batch is a range [from, to) of one partition: the rows of its records, and gaps where a record became a dead letter.
 * Where it ends depends on sizes, on time and on the log's clock, never on what the insert does; once that is planned it
 * ends there for everybody.
 */
export interface BatchLimits {
  readonly maxRows: number;
  /** Of row text, in characters. */
  readonly maxBytes: number;
}

/** `D` is a dead letter. Of its records it keeps what settles them, and nothing that would hold their bytes. */
export interface Batch<D> {
  readonly partition: number;
  /** Assignment that its records came under. */
  readonly epoch: number;
  readonly from: number;
  /** The offset after the last record. */
  to: number;
  /** Day of the log's append time, in days since 1970: the raw table's partition. */
  readonly day: number;
  /** When the log took its first record, epoch ms. */
  readonly appendedAtMs: number;
  readonly rows: RowText;
  readonly deadLetters: D[];
  records: number;
  /** What its records count for in memory. */
  recordBytes: number;
  /** Monotonic ms. */
  readonly openedAtMs: number;
  /** It was planned before this assignment: it ends where the plan says, and rows of it may be stored. */
  readonly planned: Plan | undefined;
}

const DAY_MS = 86_400_000;
export const dayOf = (timestampMs: number): number => Math.floor(timestampMs / DAY_MS);
/** Raw rows are kept for so long from their append time on, and dropped by whole parts. */
const KEPT_DAYS = 90;
/** Rows of this day (since 1970) may be dropped as soon as they are stored. */
export const mayBeForgotten = (day: number, nowMs: number): boolean => nowMs >= (day + KEPT_DAYS) * DAY_MS;

export function openBatch<D>(at: {
  partition: number;
  epoch: number;
  offset: number;
  timestampMs: number;
  nowMs: number;
  planned?: Plan | undefined;
}): Batch<D> {
  return {
    partition: at.partition,
    epoch: at.epoch,
    from: at.offset,
    to: at.offset,
    day: dayOf(at.timestampMs),
    appendedAtMs: at.timestampMs,
    rows: new RowText(),
    deadLetters: [],
    records: 0,
    recordBytes: 0,
    openedAtMs: at.nowMs,
    planned: at.planned,
  };
}

/** What became of a record: a row, or a dead letter, or nothing (the range spans these two, the rows do not). */
export type Outcome<D> = { readonly line?: string; readonly deadLetter?: D };

/** `bytes`: what the record counts for in memory. */
export function addTo<D>(batch: Batch<D>, offset: number, bytes: number, { line, deadLetter }: Outcome<D>): void {
  batch.to = offset + 1;
  batch.records += 1;
  batch.recordBytes += bytes;
  if (deadLetter !== undefined) batch.deadLetters.push(deadLetter);
  if (line !== undefined) batch.rows.add(line);
}

/** A batch of dead letters only must end too. */
export const isFull = (batch: Batch<unknown>, limits: BatchLimits): boolean =>
  batch.planned === undefined
    ? batch.records >= limits.maxRows || batch.rows.size >= limits.maxBytes
    : batch.to >= batch.planned.to;

/** The log's day has changed: one insert is one part of one day, under one token. */
export const endsBefore = (batch: Batch<unknown>, timestampMs: number): boolean =>
  batch.planned === undefined && batch.day !== dayOf(timestampMs);

/** May it be inserted before it is full? */
export const mayEndHere = (batch: Batch<unknown>): boolean => batch.planned === undefined;

/** Also without a linger a quiet partition waits no longer than four of these behind others. */
const SHORTEST_LINGER_MS = 250;
const STARVING_LINGERS = 4;
/** So long without a record, and nothing more is expected. */
const QUIET_MS = 200;

/** What choosing the next batch needs to know of a partition. */
export interface Waiting {
  readonly bytes: number;
  /** Since its first record came. */
  readonly waitedMs: number;
  /** Since its last record came. */
  readonly quietMs: number;
  /** Since the partition's last insert, or since it was assigned. */
  readonly restedMs: number;
  /** It is full, or something else has ended it. */
  readonly sealed: boolean;
}

/**
 * An insert costs the store about as much for ten rows as for five thousand, in every table that it reaches. So a batch
 * waits a whole linger while records come; when they stop it goes, unless its partition had an insert half a linger ago.
 * 0: it is due. Every record that comes puts it off again, until the linger is over.
 */
export function msUntilDue(w: Waiting, lingerMs: number): number {
  if (w.sealed) return 0;
  return Math.max(0, Math.min(lingerMs - w.waitedMs, Math.max(QUIET_MS - w.quietMs, lingerMs / 2 - w.restedMs)));
}

const msUntilStarving = ({ waitedMs }: Waiting, lingerMs: number): number =>
  STARVING_LINGERS * Math.max(lingerMs, SHORTEST_LINGER_MS) - waitedMs;

export type Pressed = false | 'idle' | 'busy';

/** 0: it may be chosen now. Otherwise in so many ms, unless more is inserted or comes before. */
export function msUntilChosen(w: Waiting, lingerMs: number, pressed: Pressed): number {
  if (pressed === false) return msUntilDue(w, lingerMs);
  return pressed === 'idle' || w.sealed ? 0 : Math.max(0, msUntilStarving(w, lingerMs));
}

/**
 * Which of these is inserted next; -1: none is due. The fullest first, because it frees most memory; but whoever has
 * waited four lingers goes ahead, or a quiet partition would never be seen while others catch up. `pressed`: so much is read
 * ahead that a part of it comes late whatever is done. Then nobody's linger ends: 'idle', nothing is being inserted, so the
 * fullest goes as it is; 'busy', what is not full may grow meanwhile.
 */
export function chooseNext(waiting: readonly Waiting[], lingerMs: number, pressed: Pressed): number {
  let best = -1;
  let bestUrgency = -1;
  waiting.forEach((w, i) => {
    if (msUntilChosen(w, lingerMs, pressed) > 0) return;
    const urgency = msUntilStarving(w, lingerMs) <= 0 ? Number.MAX_SAFE_INTEGER / 2 + w.waitedMs : w.bytes;
    if (urgency > bestUrgency) {
      best = i;
      bestUrgency = urgency;
    }
  });
  return best;
}
