import type { Reason } from '@volley/contract';

/** One mailbox, in parts: handed on as an object, so that nobody downstream parses it as a list. */
export interface Mailbox {
  readonly name: string;
  readonly address: string;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these end or split a header line
const CONTROL = /[\u0000-\u001f\u007f\u0085\u2028\u2029]/;
/**
 * One dot-atom local part and a host name or an address literal. Quoted local parts, comments, groups, routes and lists
 * are refused: they are how one field becomes two recipients. Beyond ASCII is allowed (RFC 6531).
 */
const LOCAL = /^[^\s@<>()[\],;:\\"]+$/;
const LABELS = /^(?!-)[^\s@<>()[\],;:\\"./?#%&=+*!$'`{}|~^_]+(?:\.[^\s@<>()[\],;:\\"./?#%&=+*!$'`{}|~^_]+)*$/;
const LITERAL = /^\[(?:\d{1,3}(?:\.\d{1,3}){3}|IPv6:[0-9a-fA-F:.]+)\]$/;
const encoder = new TextEncoder();
const bytes = (text: string) => encoder.encode(text).length;

/** RFC 5321 4.5.3.1: 64 octets before the @, 254 in all. */
export function isAddress(text: string): boolean {
  if (text.length > 320 || CONTROL.test(text) || !text.isWellFormed()) return false;
  const at = text.lastIndexOf('@');
  if (at < 1) return false;
  const local = text.slice(0, at);
  const domain = text.slice(at + 1);
  if (bytes(local) > 64 || bytes(text) > 254) return false;
  if (!LOCAL.test(local) || local.startsWith('.') || local.endsWith('.') || local.includes('..')) return false;
  return LABELS.test(domain) || LITERAL.test(domain);
}

/** `a@x.org`, `Ann <a@x.org>` or `"Ann, B." <a@x.org>`: exactly one, or undefined. */
export function parseMailbox(text: string): Mailbox | undefined {
  if (CONTROL.test(text) || text.length > 1_320) return undefined;
  const trimmed = text.trim();
  if (!trimmed.endsWith('>')) return isAddress(trimmed) ? { name: '', address: trimmed } : undefined;
  const open = trimmed.lastIndexOf('<');
  if (open < 0) return undefined;
  const address = trimmed.slice(open + 1, -1).trim();
  let name = trimmed.slice(0, open).trim();
  if (name.length >= 2 && name.startsWith('"') && name.endsWith('"')) {
    name = name.slice(1, -1).replace(/\\(.)/g, '$1');
  } else if (/[<>@,;:"\\]/.test(name)) {
    return undefined;
  }
  return isAddress(address) ? { name, address } : undefined;
}

export interface MailFields {
  readonly recipient: string;
  readonly recipientName: string;
  readonly subject: string;
  readonly from: string;
  readonly replyTo: string;
}

export interface MailHeaders {
  readonly to: Mailbox;
  readonly from: Mailbox;
  readonly replyTo: Mailbox | undefined;
  readonly subject: string;
}

/** Everything that becomes a header of a mail, checked before a connection is asked for. */
export function mailHeadersOf(
  fields: MailFields,
): { ok: true; headers: MailHeaders } | { ok: false; reason: Reason; detail: string } {
  for (const [name, value] of Object.entries(fields)) {
    if (CONTROL.test(value as string))
      return { ok: false, reason: 'header_injection', detail: `${name} has a line break or control character` };
  }
  if (!isAddress(fields.recipient))
    return { ok: false, reason: 'invalid_recipient', detail: 'the recipient is not exactly one mailbox' };
  const from = parseMailbox(fields.from);
  if (from === undefined)
    return { ok: false, reason: 'render_failed', detail: 'the sender is not exactly one mailbox' };
  const replyTo = fields.replyTo === '' ? undefined : parseMailbox(fields.replyTo);
  if (fields.replyTo !== '' && replyTo === undefined)
    return { ok: false, reason: 'render_failed', detail: 'reply_to is not exactly one mailbox' };
  const to = { name: fields.recipientName, address: fields.recipient };
  return { ok: true, headers: { to, from, replyTo, subject: fields.subject } };
}
