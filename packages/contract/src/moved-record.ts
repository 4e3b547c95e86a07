import type { SourceRecord } from './dead-letter.ts';
import { HEADERS } from './headers.ts';

/** What a record that waits in a tier or in held says of its past; a record of a lane has none. */
export interface Past {
  /** Attempts made so far. */
  readonly attempts: number;
  /** Deferrals so far. */
  readonly deferrals: number;
  /** Epoch milliseconds, 0 when no attempt has failed. */
  readonly firstFailedAtMs: number;
  /** Epoch milliseconds; 0: at once. */
  readonly notBeforeMs: number;
  /** topic/partition/offset/timestamp of the record as it first arrived. */
  readonly origin: string;
}

/** Beyond this a count was not written by Volley. */
const MAX_COUNT = 1_000_000;
const MAX_ORIGIN_BYTES = 400;
const ORIGIN = /^[A-Za-z0-9._-]{1,249}\/\d{1,9}\/\d{1,16}\/-?\d{1,16}$/;

const OURS: ReadonlySet<string> = new Set([
  HEADERS.attempt,
  HEADERS.deferrals,
  HEADERS.notBefore,
  HEADERS.origin,
  HEADERS.firstFailedAt,
]);

export const originOf = (record: SourceRecord): string =>
  `${record.topic}/${record.partition}/${record.offset}/${record.timestampMs}`;

function numberOf(record: SourceRecord, name: string, max: number): number | undefined {
  const value = record.headers[name];
  if (value === undefined) return 0;
  const text = value.length <= 16 ? value.toString('latin1') : '';
  const number = /^\d+$/.test(text) ? Number(text) : -1;
  return number >= 0 && number <= max ? number : undefined;
}

/** Undefined: the headers are not what Volley writes (another team may write to the topic). */
export function pastOf(record: SourceRecord): Past | undefined {
  const attempts = numberOf(record, HEADERS.attempt, MAX_COUNT);
  const deferrals = numberOf(record, HEADERS.deferrals, MAX_COUNT);
  const firstFailedAtMs = numberOf(record, HEADERS.firstFailedAt, Number.MAX_SAFE_INTEGER);
  const notBeforeMs = numberOf(record, HEADERS.notBefore, Number.MAX_SAFE_INTEGER);
  if (attempts === undefined || deferrals === undefined || firstFailedAtMs === undefined || notBeforeMs === undefined)
    return undefined;
  const given = record.headers[HEADERS.origin];
  const text = given !== undefined && given.length <= MAX_ORIGIN_BYTES ? given.toString('latin1') : '';
  return { attempts, deferrals, firstFailedAtMs, notBeforeMs, origin: ORIGIN.test(text) ? text : originOf(record) };
}

/** The headers that the record had when it first arrived: without those that a move added. */
export function headersWithoutPast(record: SourceRecord): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(record.headers).filter(([name]) => !OURS.has(name)));
}

/** The same record for a tier or for held: same partition number, key and value untouched, its past in headers. */
export function movedRecordOf(record: SourceRecord, topic: string, past: Past) {
  const headers: Record<string, string | Buffer> = headersWithoutPast(record);
  headers[HEADERS.attempt] = String(past.attempts);
  headers[HEADERS.deferrals] = String(past.deferrals);
  headers[HEADERS.origin] = past.origin;
  if (past.firstFailedAtMs > 0) headers[HEADERS.firstFailedAt] = String(past.firstFailedAtMs);
  if (past.notBeforeMs > 0) headers[HEADERS.notBefore] = String(past.notBeforeMs);
  return { topic, partition: record.partition, key: record.key, value: record.value, headers };
}
