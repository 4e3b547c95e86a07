/**
 * What may be written to. Linear in the length, length first: no expression here can be made to backtrack.
 * An `email` is exactly one mailbox. A `to` may also be a phone number or an http(s) URL: the channel decides what it can use.
 */
export const MAX_ADDRESS_CHARS = 320;
export const MAX_URL_CHARS = 2_000;
const MAX_LOCAL_CHARS = 64;
const MAX_DOMAIN_CHARS = 253;

const LOCAL_ATOM = /^[\p{L}\p{N}!#$%&'*+\-/=?^_`{|}~]+$/u;
const LABEL = /^[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}-]*[\p{L}\p{N}\p{M}])?$/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what is refused
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

export function emailProblem(address: string): string | undefined {
  if (address.length === 0) return 'the address is empty';
  if (address.length > MAX_ADDRESS_CHARS) return `the address has more than ${MAX_ADDRESS_CHARS} characters`;
  if (UNPRINTABLE.test(address)) return 'the address has a line break or a control character';
  const at = address.indexOf('@');
  if (at <= 0 || at !== address.lastIndexOf('@')) return 'an address is one mailbox: name@domain';
  const local = address.slice(0, at);
  const domain = address.slice(at + 1);
  if (local.length > MAX_LOCAL_CHARS || domain.length > MAX_DOMAIN_CHARS) return 'a part of the address is too long';
  if (!local.split('.').every((atom) => LOCAL_ATOM.test(atom))) return 'the part before @ is not a mailbox name';
  const labels = domain.split('.');
  if (labels.length < 2 && domain !== 'localhost') return 'the domain has no dot';
  if (!labels.every((label) => label.length <= 63 && LABEL.test(label))) return 'the part after @ is not a domain';
  return undefined;
}

const PHONE = /^\+?[0-9][0-9 ().-]{2,30}$/;
const URL_START = /^https?:\/\/[^\s/]/i;

/**
 * What no setting of a dispatcher lets a webhook call. Private addresses are not among it: an allow-list may open them, and
 * the dispatcher, which has that list, refuses them when it calls.
 */
function urlProblem(to: string): string | undefined {
  const url = URL.parse(to);
  if (url === null) return 'the URL cannot be read';
  return url.username === '' && url.password === '' ? undefined : 'a URL with user or password is not called';
}

/** For `to`: an e-mail address, a phone number, or a URL. */
export function recipientProblem(to: string): string | undefined {
  if (to.length === 0) return 'the recipient is empty';
  if (UNPRINTABLE.test(to)) return 'the recipient has a line break or a control character';
  if (URL_START.test(to)) {
    if (to.length > MAX_URL_CHARS) return `the URL has more than ${MAX_URL_CHARS} characters`;
    if (!/^[\x21-\x7e]+$/.test(to)) return 'a URL is written in ASCII without white space';
    return urlProblem(to);
  }
  if (to.includes('@')) return emailProblem(to);
  if (PHONE.test(to)) return undefined;
  return 'the recipient is neither an e-mail address, a phone number nor an http(s) URL';
}

/** `a@b.example` or `Name <a@b.example>`, as a From or Reply-To takes it: one mailbox, no line break. */
export function mailboxProblem(text: string): string | undefined {
  if (UNPRINTABLE.test(text)) return 'a line break or a control character would become a header of its own';
  const open = text.lastIndexOf('<');
  if (open < 0) return emailProblem(text.trim());
  if (!text.endsWith('>')) return 'a mailbox is written name@domain or Name <name@domain>';
  const name = text.slice(0, open).trim();
  if (/[<>,;:@]/.test(name.replace(/^"[^"\\]*"$/, ''))) return 'the name before < has a reserved character';
  return emailProblem(text.slice(open + 1, -1).trim());
}
