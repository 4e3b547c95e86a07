import { createHash, randomUUID } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const room = join(import.meta.dirname, '..');
const repository = join(room, '..', '..');

/** Whatever the pages are made of: their sources, the API's types, the libraries. */
function fingerprint(): string {
  const hash = createHash('sha256');
  const files = ['apps/console/{src,public,bin}/**/*', 'apps/console/*.{html,json}', 'package-lock.json'];
  for (const file of globSync(files, { cwd: repository, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort())
    hash.update(file.slice(repository.length)).update(readFileSync(file));
  return hash.digest('hex');
}

/**
 * The pages of the console as files that ingest-api serves: made only when something of theirs has changed. Others may
 * do the same at the same moment, so it is made aside and put in place by a rename.
 */
export async function buildConsole(outDir = join(room, 'dist')): Promise<string> {
  const print = fingerprint();
  const isCurrent = () => existsSync(join(outDir, '.of')) && readFileSync(join(outDir, '.of'), 'utf8') === print;
  if (isCurrent()) return outDir;
  // Libraries of the build are read only when there is something to build.
  const [{ build }, { default: react }, { default: tailwind }] = await Promise.all([
    import('vite'),
    import('@vitejs/plugin-react'),
    import('@tailwindcss/vite'),
  ]);
  const aside = `${outDir}.${randomUUID()}`;
  await build({
    configFile: false,
    root: room,
    logLevel: 'warn',
    plugins: [react(), tailwind()],
    build: { outDir: aside, emptyOutDir: true, target: 'es2023', modulePreload: { polyfill: false } },
  });
  writeFileSync(join(aside, '.of'), print);
  mkdirSync(dirname(outDir), { recursive: true });
  const old = `${aside}.old`;
  try {
    if (existsSync(outDir)) renameSync(outDir, old);
    renameSync(aside, outDir);
  } catch (error) {
    // Somebody else was a moment faster.
    rmSync(aside, { recursive: true, force: true });
    if (!isCurrent()) throw error;
  } finally {
    rmSync(old, { recursive: true, force: true });
  }
  return outDir;
}

if (import.meta.main) process.stdout.write(`${await buildConsole()}\n`);
