import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the tests read of schemas/: nothing else here touches the disk. */
export const SCHEMA_DIR = join(import.meta.dirname, '..', '..', '..', 'schemas');

export interface SchemaFile {
  readonly file: string;
  readonly record: 'CampaignEvent' | 'Message' | 'DeliveryEvent';
  readonly version: number;
  /** Canonical: without white space, as it is registered. */
  readonly text: string;
}

export function schemaFiles(): SchemaFile[] {
  return readdirSync(SCHEMA_DIR)
    .filter((file) => file.endsWith('.avsc'))
    .map((file) => {
      const schema = JSON.parse(readFileSync(join(SCHEMA_DIR, file), 'utf8'));
      const version = Number(/\.v(\d+)\.avsc$/.exec(file)?.[1]);
      return { file, record: schema.name, version, text: JSON.stringify(schema) };
    })
    .sort((a, b) => a.version - b.version);
}

/** The texts of all released versions of a record, oldest first. */
export const releasedTexts = (record: string): string[] =>
  schemaFiles()
    .filter((f) => f.record === record)
    .map((f) => f.text);

export interface SchemaCase {
  readonly file: string;
  readonly record: SchemaFile['record'];
  readonly doc: string;
  readonly text: string;
}

export function schemaCases(folder: 'compatible' | 'incompatible'): SchemaCase[] {
  return readdirSync(join(SCHEMA_DIR, folder))
    .filter((file) => file.endsWith('.avsc'))
    .sort()
    .map((file) => {
      const text = readFileSync(join(SCHEMA_DIR, folder, file), 'utf8');
      const schema = JSON.parse(text);
      // The file name says which record it would follow: a case may change the name of the record itself.
      const record = (
        { message: 'Message', campaign: 'CampaignEvent', delivery: 'DeliveryEvent' } as Record<string, string>
      )[file.split('-')[0] ?? ''] as SchemaFile['record'];
      return { file, record, doc: schema.doc, text: JSON.stringify(schema) };
    });
}
