import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import test from 'ava';
import { importsOf } from '../../../test/_source.ts';

const ROOT = join(import.meta.dirname, '..', 'src');

/** Every file of this service that a process of this entry point can load, and every package. */
function reached(entry: string): { files: string[]; packages: string[] } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (path: string) => {
    if (files.has(path)) return;
    files.add(path);
    const text = readFileSync(path, 'utf8');
    for (const specifier of importsOf(text)) {
      if (specifier.startsWith('.')) visit(join(dirname(path), specifier));
      else packages.add(specifier);
    }
  };
  visit(join(ROOT, entry));
  return { files: [...files].map((path) => relative(ROOT, path)), packages: [...packages] };
}

const SENDS = /^adapters\/(simulated|smtp|webhook|delivery-log|breakers|shares)|^(pipeline|attempts)\.ts$/;

test('nothing that a replay can load sends to anybody or writes to the log', (t) => {
  const { files, packages } = reached('replay.ts');
  t.true(files.includes('adapters/templates.ts') && files.includes('replay-deliveries.ts'), 'lazy ones are found');
  t.deepEqual(
    files.filter((path) => SENDS.test(path)),
    [],
  );
  t.deepEqual(
    packages.filter((name) => /^(nodemailer|undici|ipaddr)/.test(name)),
    [],
  );
  for (const path of files)
    t.notRegex(readFileSync(join(ROOT, path), 'utf8'), /\.(producer|consumer)\(/, `${path} opens a producer`);
  t.deepEqual(
    reached('main.ts').files.filter((path) => SENDS.test(path)).length > 5,
    true,
    'the same look at a dispatcher finds them',
  );
});
