/** A name for one intent: its repeats carry the same. (`randomUUID` is missing where the page comes by plain http.) */
export const newIdempotencyKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
