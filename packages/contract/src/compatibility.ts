import { parseSchema } from './codec.ts';

/**
 * May this schema follow the released ones? Offline: the released versions are files of the repository. Two witnesses:
 * avsc reads both ways (FULL, against every version: TRANSITIVE), and the rules below say what Avro permits and a log
 * that is kept for months does not survive: a field that vanishes or gets another name reads as its default, silently.
 */
interface Field {
  readonly name: string;
  readonly type: unknown;
  readonly default?: unknown;
}

interface EnumSchema {
  readonly type: 'enum';
  readonly name: string;
  readonly symbols: readonly string[];
  readonly default?: string;
}

interface RecordSchema {
  readonly type: string;
  readonly name: string;
  readonly namespace?: string;
  readonly fields: readonly Field[];
}

const PRIMITIVES = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string']);

/** The type as readers see it: without docs; enums by name only, since their symbols have a rule of their own. */
function shapeOf(type: unknown): unknown {
  if (Array.isArray(type)) return type.map(shapeOf);
  if (typeof type !== 'object' || type === null) return type;
  const { doc: _doc, ...rest } = type as Record<string, unknown>;
  if (rest.type === 'enum') return { type: 'enum', name: rest.name };
  return Object.fromEntries(
    Object.entries(rest)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => [key, key === 'type' || key === 'items' ? shapeOf(value) : value]),
  );
}

function foreignNames(type: unknown): string[] {
  if (typeof type === 'string') return PRIMITIVES.has(type) ? [] : [type];
  if (Array.isArray(type)) return type.flatMap(foreignNames);
  const s = type as { type: unknown; items?: unknown; values?: unknown; fields?: Field[] };
  if (s.type === 'enum' || s.type === 'fixed') return [];
  if (s.type === 'array') return foreignNames(s.items);
  if (s.type === 'map') return foreignNames(s.values);
  if (s.type === 'record') return (s.fields ?? []).flatMap((f) => foreignNames(f.type));
  return foreignNames(s.type);
}

const isEnum = (type: unknown): type is EnumSchema => (type as { type?: unknown })?.type === 'enum';

/** What a schema must be by itself: readable by the codec, self-contained, a default for every field. */
export function schemaErrors(text: string): string[] {
  const schema = JSON.parse(text) as RecordSchema;
  const errors = schema.fields.flatMap((f) => [
    ...('default' in f ? [] : [`${f.name} has no default: an older record could not be read`]),
    ...foreignNames(f.type).map((name) => `${f.name} refers to ${name}: schemas are self-contained`),
    ...(isEnum(f.type) && f.type.default === undefined ? [`the enum of ${f.name} has no default symbol`] : []),
  ]);
  if (errors.length > 0) return errors;
  try {
    parseSchema(text);
    return [];
  } catch (error) {
    return [`the codec cannot read it: ${(error as Error).message}`];
  }
}

function fieldErrors(before: Field, after: Field | undefined): string[] {
  const { name } = before;
  if (!after) return [`${name} is gone (or has another name): records that have it would read as if they had not`];
  const errors: string[] = [];
  if (JSON.stringify(shapeOf(before.type)) !== JSON.stringify(shapeOf(after.type)))
    errors.push(`${name} has another type`);
  if (JSON.stringify(before.default) !== JSON.stringify(after.default)) errors.push(`${name} has another default`);
  if (isEnum(before.type) && isEnum(after.type)) {
    const symbols = new Set(after.type.symbols);
    const lost = before.type.symbols.filter((s) => !symbols.has(s));
    if (lost.length > 0) errors.push(`the enum of ${name} has lost ${lost.join(', ')}`);
    const more = symbols.size > before.type.symbols.length - lost.length;
    if (more && before.type.default === undefined)
      errors.push(`the enum of ${name} gains a symbol, and the released one has no default symbol for it`);
    if (before.type.default !== after.type.default) errors.push(`the enum of ${name} has another default symbol`);
  }
  return errors;
}

function readErrors(reader: string, writer: string, who: string): string[] {
  try {
    parseSchema(reader).createResolver(parseSchema(writer));
    return [];
  } catch (error) {
    return [`${who}: ${(error as Error).message}`];
  }
}

/** Sentences; none: the candidate may be released after all of `released` (texts of every version of the same record). */
export function compatibilityErrors(candidate: string, released: readonly string[]): string[] {
  const own = schemaErrors(candidate);
  if (own.length > 0) return own;
  const after = JSON.parse(candidate) as RecordSchema;
  const fields = new Map(after.fields.map((f) => [f.name, f]));
  return released.flatMap((text, i) => {
    const before = JSON.parse(text) as RecordSchema;
    const errors: string[] = [];
    if (before.name !== after.name || before.namespace !== after.namespace) errors.push('the record has another name');
    for (const field of before.fields) errors.push(...fieldErrors(field, fields.get(field.name)));
    errors.push(...readErrors(candidate, text, 'new code cannot read old records'));
    errors.push(...readErrors(text, candidate, 'old code cannot read new records'));
    return errors.map((e) => `against v${i + 1}: ${e}`);
  });
}
