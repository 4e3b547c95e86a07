import { boundedDeadLetterOf, deadLetterOf, type Reason, type SourceRecord } from '@volley/contract';

/** What an event becomes that no row can be made of: its bytes, why, and how it is cut where it does not fit. */
export function deadLetterFor(record: SourceRecord, topic: string, reason: Reason, detail: string, nowMs: number) {
  const facts = { reason, attempts: 0, firstFailedAtMs: nowMs, lastFailedAtMs: nowMs, error: detail };
  const cutTo = (maxBytes: number) => boundedDeadLetterOf(record, topic, facts, maxBytes);
  return { ...deadLetterOf(record, topic, facts), cutTo };
}
