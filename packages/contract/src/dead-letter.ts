import { DEAD_LETTER_HEADERS } from './headers.ts';
import { headersWithoutPast, originOf, pastOf } from './moved-record.ts';
import { detailOf, type Reason } from './reasons.ts';
import { MAX_MESSAGE_BYTES } from './topics.ts';

/** A record as it arrived: what a dead letter keeps untouched. */
export interface SourceRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
}

export interface DeadLetterFacts {
  readonly reason: Reason;
  readonly attempts: number;
  readonly firstFailedAtMs: number;
  readonly lastFailedAtMs: number;
  readonly error: string;
  /** W3C trace context, kept when the record has none of its own. */
  readonly traceparent?: string;
}

/** A hostile record may carry ten thousand headers: what goes along is bounded, the value is not touched. */
const MAX_HEADERS = 64;
const MAX_HEADER_BYTES = 32_768;

/** Same partition number, original key, value and headers; ours are added. A first origin stays when it fails again. */
export function deadLetterOf(record: SourceRecord, dlqTopic: string, facts: DeadLetterFacts) {
  const headers: Record<string, string | Buffer> = {};
  let bytes = 0;
  for (const [name, value] of Object.entries(headersWithoutPast(record)).slice(0, MAX_HEADERS)) {
    bytes += Buffer.byteLength(name) + value.length;
    if (bytes > MAX_HEADER_BYTES) break;
    headers[name] = value;
  }
  const H = DEAD_LETTER_HEADERS;
  headers[H.reason] = facts.reason;
  headers[H.origin] ??= pastOf(record)?.origin ?? originOf(record);
  headers[H.attempts] = String(facts.attempts);
  headers[H.firstFailedAt] ??= String(facts.firstFailedAtMs);
  headers[H.lastFailedAt] = String(facts.lastFailedAtMs);
  headers[H.error] = detailOf(facts.error);
  if (facts.traceparent) headers.traceparent ??= facts.traceparent;
  return { topic: dlqTopic, partition: record.partition, key: record.key, value: record.value, headers };
}

/** Our keys are ids of 36 bytes; a longer one is a stranger's. */
const MAX_KEY_BYTES = 1_024;

/**
 * For a record whose dead letter the log refuses whole: a topic's limit is asked of compressed bytes, so what came in may
 * inflate beyond what can go out. Key and value together keep at most `maxBytes`, the headers say what was there. By
 * default it fits into every dead-letter topic (`MAX_MESSAGE_BYTES` and room for the headers). What fits is not cut.
 */
export function boundedDeadLetterOf(
  record: SourceRecord,
  dlqTopic: string,
  facts: DeadLetterFacts,
  maxBytes = MAX_MESSAGE_BYTES,
) {
  const letter = deadLetterOf(record, dlqTopic, facts);
  const valueBytes = record.value?.length ?? 0;
  if ((record.key?.length ?? 0) + valueBytes <= maxBytes) return letter;
  const key = record.key?.subarray(0, Math.min(MAX_KEY_BYTES, maxBytes)) ?? null;
  const value = record.value?.subarray(0, maxBytes - (key?.length ?? 0)) ?? null;
  letter.headers[DEAD_LETTER_HEADERS.truncated] = '1';
  letter.headers[DEAD_LETTER_HEADERS.originalBytes] ??= String(valueBytes);
  return { ...letter, key, value };
}
