/**
 * Why a message was deferred, failed, died or expired: a closed list, one line each. Used by dead letters, delivery
 * events, `failure_reasons` and docs/reasons.md (held to this table by the agreement test).
 */
export const REASONS = {
  // the provider
  provider_transient: 'The provider could not take it now (a temporary answer).',
  provider_throttled: 'The provider asked to slow down; costs no attempt.',
  provider_refused: 'The provider refused it for good.',
  provider_timeout: 'No answer in time: unknown outcome, tried again under the same id.',
  connection_failed: 'No connection to the provider could be made or kept.',
  recipient_refused: 'The provider refused the recipient for good.',
  blocked_destination: 'The recipient names an address that Volley does not call: private, local or not allowed.',
  // the message
  undecodable:
    'The record cannot be read as a Message (not Avro, truncated, bytes left over), or its key, headers or campaign say otherwise.',
  unknown_schema: 'The registry says that the schema of the record does not exist.',
  wrong_record: 'The record was written with the schema of another record.',
  missing_variable: 'The template needs a variable which this recipient does not have.',
  render_failed: 'The template failed for this recipient, or its limits were reached.',
  header_injection: 'A value with a line break would have become a header of the mail.',
  invalid_recipient: 'The recipient is not an address that the channel can use.',
  campaign_unknown: 'The campaign, in the version that the message asks for, did not arrive in time.',
  // Volley
  attempts_exhausted: 'All attempts were made; the detail names the last failure.',
  patience_exhausted: 'It was tried for as long as one message may be; the detail names the last failure.',
  crashed: 'The process that handled it ended without an answer, three times at this very record.',
  expired: 'The message or its campaign passed its deadline before it could be sent.',
  cancelled: 'The campaign was cancelled before this message was sent.',
  paused: 'The campaign is paused.',
  throttled: "Volley's own rate limit; costs no attempt.",
  breaker: 'The circuit breaker of the provider is open; costs no attempt.',
} as const;

export type Reason = keyof typeof REASONS;

/** How an attempt can fail; decides what happens next. */
export type ErrorClass = 'transient' | 'throttled' | 'timeout' | 'permanent' | 'poison' | 'expired';

/** Longest detail (the provider's answer) that an event or a dead letter carries, in characters. */
export const MAX_DETAIL_CHARS = 256;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what is removed
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/** One line, printable, bounded: what may be stored and logged of a text that somebody else wrote. */
export function detailOf(text: string): string {
  return text.replace(CONTROL, ' ').trim().slice(0, MAX_DETAIL_CHARS).toWellFormed();
}
