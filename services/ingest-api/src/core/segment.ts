import { fail, ok, type Result } from './result.ts';

/**
 * Segment rule: `vip,tw` means both tags, an empty rule everyone. The grammar keeps `or`, `not`, attributes, quotes and
 * brackets for itself: until they are supported they are refused with their place, never read as part of a tag.
 */
export type Segment = { readonly kind: 'everyone' } | { readonly kind: 'tags'; readonly all: readonly string[] };

export const MAX_RULE_CHARS = 2_000;
export const MAX_RULE_TERMS = 100;
export const MAX_TAG_CHARS = 64;

const RESERVED_CHARACTER = /[()[\]{}!&|"'`=<>;*?:~^$\\]/;
const RESERVED_WORD = /(?:^|\s)(and|or|not|in)(?=\s|$)/i;

/** Characters that a tag may not have, because a rule, a CSV cell or the log would read them as something else. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are among what is refused
const NOT_IN_TAG = /[\u0000-\u001f\u007f-\u009f\u2028\u2029,()[\]{}!&|"'`=<>;*?:~^$\\]/;

/** Why a text cannot be a tag; undefined when it can. */
export function tagProblem(tag: string): string | undefined {
  if (tag.length === 0) return 'a tag is empty';
  if (tag.length > MAX_TAG_CHARS) return `a tag has more than ${MAX_TAG_CHARS} characters`;
  if (tag.trim() !== tag) return 'a tag begins or ends with white space';
  if (NOT_IN_TAG.test(tag)) return 'a tag has a character that is reserved for rules';
  if (RESERVED_WORD.test(tag)) return 'and, or, not and in are reserved words';
  return undefined;
}

export function parseSegment(rule: string): Result<Segment> {
  if (rule.length > MAX_RULE_CHARS) return invalid(`the rule has more than ${MAX_RULE_CHARS} characters`, 1);
  if (rule.trim() === '') return ok({ kind: 'everyone' });
  const tags = new Set<string>();
  let start = 0;
  for (const part of rule.split(',')) {
    const column = start + (part.length - part.trimStart().length) + 1;
    const character = RESERVED_CHARACTER.exec(part);
    if (character) return unsupported(character[0], start + character.index + 1);
    const word = RESERVED_WORD.exec(part);
    if (word?.[1]) return unsupported(word[1], start + word.index + word[0].length - word[1].length + 1);
    const tag = part.trim();
    const problem = tagProblem(tag);
    if (problem) return invalid(problem, column);
    tags.add(tag);
    start += part.length + 1;
  }
  if (tags.size > MAX_RULE_TERMS) return invalid(`the rule has more than ${MAX_RULE_TERMS} terms`, 1);
  return ok({ kind: 'tags', all: [...tags] });
}

/** A tag of several words stands in quotes, which no tag has itself. */
const shown = (tag: string): string => (/\s/.test(tag) ? `"${tag}"` : tag);

/** The rule as a person says it: what it was read as, and not what was typed. */
export function explainSegment(segment: Segment): string {
  switch (segment.kind) {
    case 'everyone':
      return 'everyone';
    case 'tags':
      return segment.all.map((tag) => `tagged ${shown(tag)}`).join(' and ');
  }
}

const invalid = (detail: string, column: number) =>
  fail({
    code: 'segment_invalid',
    detail: 'the segment rule cannot be read',
    errors: [{ pointer: '/segment_rule', detail, line: 1, column }],
  });

const unsupported = (what: string, column: number) =>
  fail({
    code: 'not_supported',
    detail: 'the segment rule uses something that is not supported yet',
    errors: [{ pointer: '/segment_rule', detail: `${what} is not supported yet`, line: 1, column }],
  });
