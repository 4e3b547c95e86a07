import { createHmac, createSecretKey } from 'node:crypto';

/** The signature of one attempt, as `webhook-signature` carries it. */
export type Sign = (messageId: string, timestampS: number, body: Buffer) => string;

/**
 * Standard Webhooks: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`. Several secrets (`whsec_…`, separated
 * by spaces) make several signatures, so that a receiver may change its secret while messages are under way.
 * Undefined without a secret: nothing is signed.
 */
export function signerOf(secret: string | undefined): Sign | undefined {
  const keys = (secret ?? '')
    .split(' ')
    .filter(Boolean)
    .map((text) => createSecretKey(Buffer.from(text.replace(/^whsec_/, ''), 'base64')));
  if (keys.length === 0) return undefined;
  return (messageId, timestampS, body) =>
    keys
      .map(
        (key) => `v1,${createHmac('sha256', key).update(`${messageId}.${timestampS}.`).update(body).digest('base64')}`,
      )
      .join(' ');
}
