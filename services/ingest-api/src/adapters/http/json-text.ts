/**
 * What JSON.parse takes and Volley does not: looked for in the text, before anything is built from it. Depth (V8 parses
 * a million levels and overflows later), keys that reach prototypes, keys that stand twice (the last would win quietly),
 * numbers that a double cannot hold, NUL and lone surrogates (Postgres and Avro refuse them, too late to say where).
 * Assumes nothing: syntax errors are left to JSON.parse, which follows.
 */
export interface JsonFault {
  /** Characters from the start, from 0. */
  readonly position: number;
  readonly detail: string;
}

const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);
const QUOTE = 34;
const BACKSLASH = 92;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const NUMBER_CHARACTER = /[0-9+\-.eE]/;

/** Ordinal of the closing quote of the string that opens at `start`, or the length when there is none. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === BACKSLASH) i += 1;
    else if (c === QUOTE) return i;
  }
  return text.length;
}

function stringFault(text: string, start: number, end: number): JsonFault | undefined {
  let escaped = false;
  for (let i = start + 1; i < end; i++) {
    const c = text.charCodeAt(i);
    if (c === BACKSLASH) {
      escaped = true;
      i += 1;
    } else if (c >= 0xd800 && c <= 0xdfff) {
      const paired = c <= 0xdbff && i + 1 < end && text.charCodeAt(i + 1) >= 0xdc00 && text.charCodeAt(i + 1) <= 0xdfff;
      if (!paired) return { position: i, detail: 'half of a surrogate pair' };
      i += 1;
    }
  }
  if (!escaped) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text.slice(start, end + 1));
  } catch {
    return undefined;
  }
  if ((value as string).includes('\u0000')) return { position: start, detail: 'a string holds the character NUL' };
  if (!(value as string).isWellFormed()) return { position: start, detail: 'a string holds half of a surrogate pair' };
  return undefined;
}

function numberFault(raw: string, position: number): JsonFault | undefined {
  const value = Number(raw);
  if (!Number.isFinite(value)) return { position, detail: 'a number is too large' };
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    return { position, detail: 'a number is beyond 2^53: write it as a string' };
  return undefined;
}

export function findJsonFault(text: string, maxDepth: number): JsonFault | undefined {
  // Keys of each open object; undefined for an array.
  const open: (Set<string> | undefined)[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      const end = endOfString(text, i);
      const fault = stringFault(text, i, end);
      if (fault) return fault;
      const keys = open.at(-1);
      if (keys) {
        let next = end + 1;
        while (next < text.length && text.charCodeAt(next) <= 32) next += 1;
        if (text.charAt(next) === ':') {
          const raw = text.slice(i, end + 1);
          const key = raw.includes('\\') ? unescaped(raw) : raw.slice(1, -1);
          if (FORBIDDEN_KEYS.has(key)) return { position: i, detail: `the key ${key} is not allowed` };
          if (keys.has(key)) return { position: i, detail: 'a key stands twice in one object' };
          keys.add(key);
        }
      }
      i = end;
    } else if (c === 123 || c === 91) {
      open.push(c === 123 ? new Set() : undefined);
      if (open.length > maxDepth) return { position: i, detail: `more than ${maxDepth} levels deep` };
    } else if (c === 125 || c === 93) {
      open.pop();
    } else if (c === 45 || (c >= 48 && c <= 57)) {
      NUMBER.lastIndex = i;
      const raw = NUMBER.exec(text)?.[0] ?? '';
      const fault = numberFault(raw, i);
      if (fault) return fault;
      i += Math.max(raw.length, 1) - 1;
      while (i + 1 < text.length && NUMBER_CHARACTER.test(text.charAt(i + 1))) i += 1;
    }
  }
  return undefined;
}

function unescaped(raw: string): string {
  try {
    return JSON.parse(raw) as string;
  } catch {
    return raw;
  }
}

export type ParsedJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly fault: JsonFault };

export function parseJsonText(text: string, maxDepth: number): ParsedJson {
  const fault = findJsonFault(text, maxDepth);
  if (fault) return { ok: false, fault };
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    const position = Number(/position (\d+)/.exec((error as Error).message)?.[1] ?? text.length);
    return { ok: false, fault: { position, detail: 'not JSON, or cut off' } };
  }
}
