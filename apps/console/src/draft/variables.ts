import type { ContactView } from '../api/types.ts';

const MAX_ATTRIBUTES = 8;

/** Something to put into a template, and what it is called on the page. */
export interface Insertion {
  readonly label: string;
  readonly code: string;
}

const attributesOf = (contacts: readonly ContactView[] | undefined): readonly string[] => [
  ...new Set(contacts?.flatMap(({ attributes }) => Object.keys(attributes))),
];

/** What a template can name of them; nothing where there are none. */
export function namesOf(contacts: readonly ContactView[] | undefined): {
  readonly names: readonly string[];
  readonly isMore: boolean;
} {
  if (!contacts || contacts.length === 0) return { names: [], isMore: false };
  // An address is what makes a contact; a name may be missing from all of them.
  const known = contacts.some(({ name }) => name !== null) ? ['name', 'email'] : ['email'];
  const others = attributesOf(contacts).filter((name) => !known.includes(name));
  return { names: [...known, ...others.slice(0, MAX_ATTRIBUTES)], isMore: others.length > MAX_ATTRIBUTES };
}

const PLAIN = /^[\p{L}_][\p{L}\p{N}_-]*$/u;
/** Words of the language itself. */
const TAKEN = new Set(['true', 'false', 'nil', 'null', 'empty', 'blank']);

/** Undefined where a template has no way to say it. */
function codeOf(name: string): string | undefined {
  if (PLAIN.test(name) && !TAKEN.has(name)) return `{{${name}}}`;
  return /["\\\n\r{}]/.test(name) ? undefined : `{{["${name}"]}}`;
}

export function insertionsOf(contacts: readonly ContactView[] | undefined): readonly Insertion[] {
  const ofContacts = attributesOf(contacts).flatMap((label) => {
    const code = codeOf(label);
    return code === undefined ? [] : [{ label, code }];
  });
  return [
    { label: 'name', code: '{{name}}' },
    { label: 'first name', code: '{{ name | split: " " | first }}' },
    ...ofContacts.slice(0, MAX_ATTRIBUTES),
  ];
}
