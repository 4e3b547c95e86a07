/**
 * Schemas, offline. `node scripts/schema-compat.ts` checks every version in schemas/ against the ones before it;
 * with paths, those files against the released versions of their record (what a new version would be told).
 * `--golden` writes the golden bytes that are missing; `--golden --rewrite` all of them, which is right only for a
 * version that was never released.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSchema } from '../packages/contract/src/codec.ts';
import { compatibilityErrors } from '../packages/contract/src/compatibility.ts';
import { GOLDEN_VALUES } from '../packages/contract/test/_golden-values.ts';

const schemaDir = join(import.meta.dirname, '..', 'schemas');

interface Version {
  readonly file: string;
  readonly record: string;
  readonly version: number;
  readonly text: string;
}

const canonical = (path: string): string => JSON.stringify(JSON.parse(readFileSync(path, 'utf8')));

function versions(): Version[] {
  return readdirSync(schemaDir)
    .flatMap((file) => {
      const match = /^(.+)\.v(\d+)\.avsc$/.exec(file);
      if (!match) return [];
      const text = canonical(join(schemaDir, file));
      return [{ file, record: JSON.parse(text).name as string, version: Number(match[2]), text }];
    })
    .sort((a, b) => a.record.localeCompare(b.record) || a.version - b.version);
}

function check(paths: readonly string[]): string[] {
  const all = versions();
  if (paths.length > 0) {
    return paths.flatMap((path) => {
      const text = canonical(path);
      const released = all.filter((v) => v.record === JSON.parse(text).name).map((v) => v.text);
      if (released.length === 0) return [`${path}: no record of this name was released`];
      return compatibilityErrors(text, released).map((e) => `${path}: ${e}`);
    });
  }
  return all.flatMap((v) => {
    const before = all.filter((o) => o.record === v.record && o.version < v.version).map((o) => o.text);
    return compatibilityErrors(v.text, before).map((e) => `${v.file}: ${e}`);
  });
}

function writeGolden(rewrite: boolean): void {
  const dir = join(schemaDir, 'golden');
  mkdirSync(dir, { recursive: true });
  for (const { file, text } of versions()) {
    const base = file.replace(/\.avsc$/, '');
    for (const [variant, value] of Object.entries(GOLDEN_VALUES[base] ?? {})) {
      const path = join(dir, variant === 'full' ? base : `${base}.${variant}`);
      if (existsSync(`${path}.bin`) && !rewrite) continue;
      const schemaSha256 = createHash('sha256').update(text).digest('hex');
      writeFileSync(`${path}.bin`, parseSchema(text).toBuffer(value));
      writeFileSync(`${path}.json`, `${JSON.stringify({ schema_sha256: schemaSha256, value }, null, 2)}\n`);
      process.stdout.write(`schema-compat: wrote ${path}.bin and .json\n`);
    }
  }
}

const args = process.argv.slice(2);
if (args.includes('--golden')) writeGolden(args.includes('--rewrite'));
const errors = check(args.filter((a) => !a.startsWith('--')));
for (const error of errors) process.stderr.write(`schema-compat: ${error}\n`);
process.exitCode = errors.length > 0 ? 1 : 0;
