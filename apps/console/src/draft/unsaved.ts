import { type DraftFields, type FieldName, NO_FIELDS } from './fields.ts';

/** A creation whose answer is not known is repeated as it was: the key makes it one draft. */
export interface Creation {
  readonly key: string;
  readonly fields: DraftFields;
}

/** What stands in a form and not with the API. */
export interface Unsaved {
  readonly fields: Partial<DraftFields>;
  /** What they were typed over. */
  readonly over: Partial<DraftFields>;
  readonly creating?: Creation | undefined;
}

/** Undefined stands for the draft that has no id yet. */
export interface UnsavedStore {
  read(id: string | undefined): Unsaved | undefined;
  /** Undefined: there is nothing unsaved. False where it could not be kept. */
  write(id: string | undefined, unsaved: Unsaved | undefined): boolean | undefined;
}

const nameOf = (id: string | undefined) => `volley.unsaved.${id ?? 'new'}`;
const NAMES = Object.keys(NO_FIELDS) as FieldName[];

function fieldsIn(value: unknown): Partial<DraftFields> {
  const given = Object(value) as Record<string, unknown>;
  return Object.fromEntries(NAMES.filter((name) => typeof given[name] === 'string').map((name) => [name, given[name]]));
}

/** Kept by the tab, over pages and reloads, and gone with it. */
export const TAB_STORE: UnsavedStore = {
  read(id) {
    try {
      const { fields, over, creating } = JSON.parse(sessionStorage.getItem(nameOf(id)) ?? '') as Unsaved;
      return {
        fields: fieldsIn(fields),
        over: fieldsIn(over),
        creating:
          typeof creating?.key === 'string'
            ? { key: creating.key, fields: { ...NO_FIELDS, ...fieldsIn(creating.fields) } }
            : undefined,
      };
    } catch {
      return undefined;
    }
  },
  write(id, unsaved) {
    try {
      if (unsaved) sessionStorage.setItem(nameOf(id), JSON.stringify(unsaved));
      else sessionStorage.removeItem(nameOf(id));
      return true;
    } catch {
      // The browser keeps no more: closing the tab asks before anything is lost.
      return false;
    }
  },
};

/** The fields that differ from those of the base. */
export const differing = (base: DraftFields, fields: Partial<DraftFields>): Partial<DraftFields> =>
  Object.fromEntries(Object.entries(fields).filter(([name, value]) => base[name as FieldName] !== value));

/** Choices that the page makes by itself are nothing that somebody would miss. */
export const isWorthKeeping = (fields: Partial<DraftFields>): boolean =>
  Object.entries(fields).some(
    ([name, value]) => !['channel', 'provider', 'content_type'].includes(name) && value !== '',
  );

/** Whom a new draft is for, as the link to it says. */
export interface LinkedRule {
  readonly rule: string;
  /** It was followed just now; otherwise the page was loaded again, or come back to. */
  readonly isFresh: boolean;
}

/** A new form as it was left. A link wins over the rule in it, other than one that was typed over this very link. */
export function leftOfNew(left: Unsaved | undefined, link: LinkedRule | undefined): Partial<DraftFields> {
  if (!left) return {};
  const fields = { ...NO_FIELDS, ...left.fields };
  const isTypedOverIt = link !== undefined && !link.isFresh && left.over.segment_rule === link.rule;
  return link === undefined || isTypedOverIt ? fields : { ...fields, segment_rule: link.rule };
}
