/**
 * schemas/*.avsc -> packages/contract/src/records.generated.ts: the canonical schema text (what is registered, and what
 * decides the id: white space would give another one) and a TypeScript type for each record.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

type Avro =
  | string
  | Avro[]
  | {
      type: Avro;
      name?: string;
      items?: Avro;
      values?: Avro;
      symbols?: string[];
      fields?: Field[];
      logicalType?: string;
    };
interface Field {
  name: string;
  type: Avro;
  doc?: string;
}

const PRIMITIVES: Record<string, string> = {
  null: 'null',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  float: 'number',
  double: 'number',
  bytes: 'Buffer',
  string: 'string',
};

function typeOf(schema: Avro): string {
  if (typeof schema === 'string') {
    const known = PRIMITIVES[schema];
    if (!known) throw new Error(`schemas must be self-contained, found the name ${schema}`);
    return known;
  }
  if (Array.isArray(schema)) return schema.map(typeOf).join(' | ');
  if (schema.type === 'enum') return schema.symbols?.map((s) => `'${s}'`).join(' | ') ?? 'never';
  if (schema.type === 'array') return `readonly (${typeOf(schema.items as Avro)})[]`;
  if (schema.type === 'map') return `Readonly<Record<string, ${typeOf(schema.values as Avro)}>>`;
  return typeOf(schema.type);
}

export function generateTypes(schemaDir: string): string {
  const files = readdirSync(schemaDir)
    .filter((f) => f.endsWith('.avsc'))
    .sort();
  const latest = new Map<string, { file: string; version: number; text: string; fields: Field[]; doc: string }>();
  for (const file of files) {
    const schema = JSON.parse(readFileSync(join(schemaDir, file), 'utf8'));
    const version = Number(/\.v(\d+)\.avsc$/.exec(file)?.[1]);
    const known = latest.get(schema.name);
    if (!known || known.version < version) {
      latest.set(schema.name, { file, version, text: JSON.stringify(schema), fields: schema.fields, doc: schema.doc });
    }
  }
  const out = ['// Generated from schemas/ by `npm run gen`. Do not edit.', ''];
  for (const [name, s] of latest) {
    out.push(`/** ${s.doc} Source: schemas/${s.file}. */`, `export interface ${name} {`);
    for (const f of s.fields) {
      if (f.doc) out.push(`  /** ${f.doc} */`);
      out.push(`  readonly ${f.name}: ${typeOf(f.type)};`);
    }
    out.push('}', '');
  }
  out.push(
    '/** Canonical text of the newest version of each record: this, byte for byte, is registered. */',
    'export const SCHEMA_TEXTS = {',
  );
  for (const [name, s] of latest) out.push(`  ${name}: ${JSON.stringify(s.text)},`);
  out.push('} as const;', '');
  return out.join('\n');
}
