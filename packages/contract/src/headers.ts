/** Header names. Values are UTF-8 text, short; whoever reads one bounds and checks it first. */

/** On every message record, so that an unreadable value still ends as `dead` under its own id. */
export const HEADERS = {
  messageId: 'v-message-id',
  tenantId: 'v-tenant-id',
  campaignId: 'v-campaign-id',
  lane: 'v-lane',
  /** Tier and held records: attempts made so far, and deferrals so far, the one that moved it here included. */
  attempt: 'v-attempt',
  deferrals: 'v-deferrals',
  /** Tier records: epoch milliseconds before which it does not run. */
  notBefore: 'v-not-before',
  /** Tier and held records: topic/partition/offset/timestamp of the record as it first arrived. */
  origin: 'v-origin',
  /** Tier and held records: epoch milliseconds of the first failed attempt; absent where none has failed. */
  firstFailedAt: 'v-first-failed',
  /** A message that was sent again on somebody's word: id of the redrive. */
  redrive: 'v-redrive',
  /** '1' on a message of `POST …/test`: outside the statistics. */
  test: 'v-test',
  traceparent: 'traceparent',
} as const;

/** Added to a dead letter; the record's own headers stay beside them untouched. */
export const DEAD_LETTER_HEADERS = {
  reason: 'volley-reason',
  /** topic/partition/offset/timestamp of the record as it first arrived. */
  origin: 'volley-origin',
  attempts: 'volley-attempts',
  firstFailedAt: 'volley-first-failed-at',
  lastFailedAt: 'volley-last-failed-at',
  error: 'volley-error',
  /** '1' when key or value were cut because the log does not take them whole; absent otherwise. */
  truncated: 'volley-truncated',
  /** Beside it: bytes of the value as it first arrived. */
  originalBytes: 'volley-original-bytes',
} as const;
