const ANY_URL = /^[a-z][a-z0-9+.-]*:\/\//i;

/** Whether a recipient names an address of its own: its webhook goes there, not to the provider's `url`. */
export const isUrl = (recipient: string): boolean => ANY_URL.test(recipient);

/**
 * The destination host of a message as `host` or `host:port`, in the form that a client dials (lower case, punycode,
 * numbers as an address); empty when the message goes to the provider itself. What is kept per destination (breakers,
 * shares of a provider's calls) is kept by it. A URL that cannot be read has no host: the channel refuses it.
 */
export function hostOf(kind: string, recipient: string): string {
  if (kind !== 'webhook' || !isUrl(recipient)) return '';
  return URL.parse(recipient)?.host ?? '';
}
