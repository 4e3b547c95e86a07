import { globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { buildConsole } from '../bin/build.ts';

test('any number at the same moment get one build, whole, as it is served and not as a test would have it', async (t) => {
  const dirs = await Promise.all([buildConsole(), buildConsole(), buildConsole()]);
  t.is(new Set(dirs).size, 1);
  const dir = dirs[0] as string;
  const page = readFileSync(join(dir, 'index.html'), 'utf8');
  const named = [...page.matchAll(/(?:src|href)="\/([^"]+)"/g)].map((match) => match[1] as string);
  t.true(named.length >= 4, page);
  for (const path of named) t.notThrows(() => readFileSync(join(dir, path)));
  // What nobody asks for by name: inline code, which the policy refuses.
  t.notRegex(page, /<script(?![^>]*\bsrc=)[^>]*>|<style|\son\w+=/);
  const scripts = globSync('assets/*.js', { cwd: dir }).map((file) => readFileSync(join(dir, file), 'utf8'));
  t.true(scripts.length >= 2);
  for (const script of scripts) {
    t.false(script.includes('jsxDEV'), 'made for development');
    t.false(script.includes(join(import.meta.dirname, '..')), 'names a folder of this machine');
  }
  const beside = readdirSync(join(dir, '..'));
  t.deepEqual(
    beside.filter((name) => name.startsWith('new-')),
    [],
  );
});
