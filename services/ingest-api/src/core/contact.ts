import { emailProblem, recipientProblem } from './address.ts';
import { MAX_TAG_CHARS, tagProblem } from './segment.ts';

/** One contact as a line gave it: what was not given is absent, so that it can stay as it was. */
export interface ContactPatch {
  readonly recipient: string;
  /** What addresses are compared by. */
  readonly addressKey: string;
  readonly name?: string;
  readonly tags?: readonly string[];
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Lines of the import that it comes from. */
  readonly lines?: readonly number[];
}

/** A line that was rejected. Codes are stable; the API lists them. */
export interface LineError {
  readonly line: number;
  readonly code: LineErrorCode;
  readonly detail: string;
}

export type LineErrorCode =
  | 'malformed_line'
  | 'line_too_long'
  | 'invalid_encoding'
  | 'invalid_recipient'
  | 'missing_recipient'
  | 'invalid_name'
  | 'invalid_tags'
  | 'invalid_attributes'
  | 'invalid_id'
  | 'invalid_vars'
  | 'unknown_field';

export const MAX_NAME_CHARS = 1_000;
export const MAX_TAGS = 100;
export const MAX_ATTRIBUTES = 100;
export const MAX_ATTRIBUTE_BYTES = 8_192;
/** Of a contact, whatever many lines and imports add up to: `attributes_fit_a_message` in sql/. */
export const MAX_MERGED_ATTRIBUTE_BYTES = 262_144;
const MAX_KEY_CHARS = 64;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what is refused
const LINE_BREAK = /[\u0000-\u001f\u007f\u2028\u2029]/;
const KEY = /^[\p{L}_][\p{L}\p{N}_ .-]*$/u;

type Checked = { ok: true; contact: ContactPatch } | { ok: false; code: LineErrorCode; detail: string };
const no = (code: LineErrorCode, detail: string): Checked => ({ ok: false, code, detail });

/**
 * A line's fields -> a contact. `to` wins over `email`; `name` and `tags` are known, anything else becomes an attribute.
 * null means "not given". From CSV every value is a string, and tags are separated by `;`.
 */
export function contactOf(fields: Readonly<Record<string, unknown>>): Checked {
  const { email, to, name, tags, ...attributes } = fields;
  const given = to ?? email;
  if (given === undefined || given === null || given === '')
    return no('missing_recipient', 'the line has neither email nor to');
  if (typeof given !== 'string') return no('invalid_recipient', 'the recipient is not a string');
  const recipient = given.trim();
  const problem = to === undefined || to === null ? emailProblem(recipient) : recipientProblem(recipient);
  if (problem) return no('invalid_recipient', problem);

  if (name !== undefined && name !== null) {
    if (typeof name !== 'string') return no('invalid_name', 'the name is not a string');
    if (name.length > MAX_NAME_CHARS) return no('invalid_name', `the name has more than ${MAX_NAME_CHARS} characters`);
    if (LINE_BREAK.test(name)) return no('invalid_name', 'the name has a line break or a control character');
  }
  let tagList: readonly string[] | undefined;
  if (tags !== undefined && tags !== null) {
    const list = typeof tags === 'string' ? splitTags(tags) : tags;
    if (!Array.isArray(list)) return no('invalid_tags', 'tags is not an array of strings');
    if (list.length > MAX_TAGS) return no('invalid_tags', `more than ${MAX_TAGS} tags`);
    for (const tag of list) {
      if (typeof tag !== 'string') return no('invalid_tags', 'a tag is not a string');
      const wrong = tagProblem(tag);
      if (wrong) return no('invalid_tags', `${wrong}: ${JSON.stringify(tag.slice(0, MAX_TAG_CHARS))}`);
    }
    tagList = [...new Set(list as string[])];
  }
  const wrong = attributesProblem(attributes);
  if (wrong) return no('invalid_attributes', wrong);
  if (Buffer.byteLength(JSON.stringify(attributes)) > MAX_ATTRIBUTE_BYTES)
    return no('invalid_attributes', `the attributes take more than ${MAX_ATTRIBUTE_BYTES} bytes`);
  return {
    ok: true,
    contact: {
      recipient,
      addressKey: recipient.toLowerCase(),
      ...(typeof name === 'string' ? { name } : {}),
      ...(tagList ? { tags: tagList } : {}),
      attributes,
    },
  };
}

/** How many a template may be given, and what they may be called. */
export function attributesProblem(attributes: Readonly<Record<string, unknown>>): string | undefined {
  let count = 0;
  for (const key in attributes) {
    if (++count > MAX_ATTRIBUTES) return `more than ${MAX_ATTRIBUTES} attributes`;
    if (key.length > MAX_KEY_CHARS || !KEY.test(key))
      return `not a name for an attribute: ${JSON.stringify(key.slice(0, MAX_KEY_CHARS))}`;
  }
  return undefined;
}

const splitTags = (text: string): string[] =>
  text
    .split(';')
    .map((tag) => tag.trim())
    .filter(Boolean);

/** One more byte than JSON has: Postgres writes a blank after each colon and comma. */
const bytesOf = (key: string, value: unknown): number =>
  Buffer.byteLength(JSON.stringify(key)) + Buffer.byteLength(JSON.stringify(value) ?? '') + 4;

/** Several lines of one address on their way to one contact. */
interface Merging {
  patch: ContactPatch;
  /** From the second line on; keys -> bytes, so that each line costs its own attributes and not those of all. */
  sizes?: Map<string, number>;
  bytes: number;
}

/**
 * One statement cannot touch a row twice, so lines of one address are merged first, in their order: later fields replace,
 * absent ones stay. Returns how many lines went into an earlier one, and those that would have made it too large.
 */
export function mergeByAddress(
  contacts: readonly ContactPatch[],
  maxBytes = MAX_MERGED_ATTRIBUTE_BYTES,
): { contacts: ContactPatch[]; merged: number; tooLarge: ContactPatch[] } {
  const byKey = new Map<string, Merging>();
  const tooLarge: ContactPatch[] = [];
  for (const contact of contacts) {
    const earlier = byKey.get(contact.addressKey);
    if (!earlier) byKey.set(contact.addressKey, { patch: contact, bytes: 0 });
    else if (!mergeInto(earlier, contact, maxBytes)) tooLarge.push(contact);
  }
  return {
    contacts: [...byKey.values()].map((m) => m.patch),
    merged: contacts.length - byKey.size - tooLarge.length,
    tooLarge,
  };
}

function mergeInto(into: Merging, contact: ContactPatch, maxBytes: number): boolean {
  if (!into.sizes) {
    into.sizes = new Map(Object.entries(into.patch.attributes).map(([key, value]) => [key, bytesOf(key, value)]));
    for (const size of into.sizes.values()) into.bytes += size;
    into.patch = { ...into.patch, attributes: { ...into.patch.attributes } };
  }
  const added = Object.entries(contact.attributes).map(([key, value]) => [key, bytesOf(key, value)] as const);
  const bytes = added.reduce((sum, [key, size]) => sum + size - (into.sizes?.get(key) ?? 0), into.bytes);
  if (bytes > maxBytes) return false;
  for (const [key, size] of added) into.sizes.set(key, size);
  into.bytes = bytes;
  const { attributes, lines } = into.patch;
  Object.assign(attributes, contact.attributes);
  into.patch = { ...into.patch, ...contact, attributes };
  if (lines && contact.lines) into.patch = { ...into.patch, lines: lines.concat(contact.lines) };
  return true;
}
