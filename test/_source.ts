import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** The repository's own files, as text: what the tests about the whole look at. */
export const ROOT = join(import.meta.dirname, '..');

export interface Source {
  /** From the root, with `/`. */
  readonly path: string;
  readonly text: string;
}

const SKIPPED = new Set(['node_modules', '.git', '.volley', 'coverage', 'dist', '.nx']);

export function sources(folders: readonly string[], wanted: RegExp): Source[] {
  const found: Source[] = [];
  const walk = (folder: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) walk(path);
      else if (entry.isFile() && wanted.test(entry.name)) {
        found.push({ path: relative(ROOT, path), text: readFileSync(path, 'utf8') });
      }
    }
  };
  for (const folder of folders) walk(join(ROOT, folder));
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The code with every comment blanked out, line for line; strings stay. */
export function withoutComments(code: string): string {
  let out = '';
  let i = 0;
  while (i < code.length) {
    const two = code.slice(i, i + 2);
    const c = code.charAt(i);
    let end = i + 1;
    let blank = false;
    if (two === '//') {
      const newline = code.indexOf('\n', i);
      end = newline < 0 ? code.length : newline;
      blank = true;
    } else if (two === '/*') {
      const close = code.indexOf('*/', i + 2);
      end = close < 0 ? code.length : close + 2;
      blank = true;
    } else if (c === "'" || c === '"' || c === '`') {
      // A quote inside a regular expression is no string: such a string would not end on its line.
      while (end < code.length && code[end] !== c && (c === '`' || code[end] !== '\n'))
        end += code[end] === '\\' ? 2 : 1;
      end++;
    }
    const part = code.slice(i, end);
    out += blank ? part.replace(/[^\n]/g, ' ') : part;
    i = end;
  }
  return out;
}

const IMPORTS = [
  /\b(?:import|export)\s(?:[^'"`;()]*?\sfrom\s*)['"]([^'"]+)['"]/g,
  /\bimport\s*['"]([^'"]+)['"]/g,
  /\b(?:import|require|resolve)\s*\(\s*['"`]([^'"`]+)['"`]/g,
];

/** What a file imports, statically, dynamically, or for a type only. */
export function importsOf(text: string): string[] {
  const code = withoutComments(text);
  return [...new Set(IMPORTS.flatMap((pattern) => [...code.matchAll(pattern)].map((m) => m[1] as string)))];
}
