import type { Failure, Judgement } from './classify.ts';

/**
 * What the outcome of a call says about the provider, as against the message. `answered`: it works, whatever it answered,
 * a refusal included. `erring`: it answers that it does not work. `silent`: no connection, or no answer in time.
 * `throttled`: it asked to slow down. `none`: it was not called, or not heard.
 */
export type Health = 'answered' | 'erring' | 'silent' | 'throttled' | 'none';

/** SMTP's "service not available, closing" (RFC 5321 4.2.3); other 4yz answers, such as greylisting, are about the message. */
const SMTP_CLOSING = 421;

export function healthOf(failure: Failure, judgement: Judgement): Health {
  if (judgement.class === 'throttled') return 'throttled';
  if (judgement.class === 'timeout' || judgement.reason === 'connection_failed') return 'silent';
  if (judgement.class === 'poison' || judgement.class === 'expired') return 'none';
  if (failure.status === undefined) return 'none';
  const erring = failure.protocol === 'smtp' ? failure.status === SMTP_CLOSING : failure.status >= 500;
  return erring ? 'erring' : 'answered';
}
