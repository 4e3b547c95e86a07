import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, globSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const room = join(import.meta.dirname, '..');
const repository = join(room, '..', '..');
const builds = join(room, 'dist');
/** Of builds that nothing is made of any more: whoever serves them has read them long ago. */
const KEPT_MS = 3_600_000;

/** Whatever the pages are made of: their sources, what they take from the contract, the libraries, the compiler's settings. */
function fingerprint(): string {
  const hash = createHash('sha256');
  const files = [
    'apps/console/{src,public,bin}/**/*',
    'apps/console/*.{html,json}',
    'packages/contract/src/**/*',
    'tsconfig.json',
    'package-lock.json',
  ];
  for (const file of globSync(files, { cwd: repository, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort())
    hash.update(file.slice(repository.length)).update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}

/** Makes the pages in this folder. In a process of its own: what they are depends on its environment. */
async function makePages(outDir: string): Promise<void> {
  // Whoever starts us may be a test: pages are always made as they are served.
  Object.assign(process.env, { NODE_ENV: 'production' });
  const [{ build }, { default: react }, { default: tailwind }] = await Promise.all([
    import('vite'),
    import('@vitejs/plugin-react'),
    import('@tailwindcss/vite'),
  ]);
  await build({
    configFile: false,
    root: room,
    mode: 'production',
    logLevel: 'warn',
    plugins: [react(), tailwind()],
    build: { outDir, emptyOutDir: true, target: 'es2023', modulePreload: { polyfill: false } },
  });
}

/**
 * The pages of the console as files that ingest-api serves, and the folder they are in: made only when something of theirs
 * has changed. Each build has a folder of its own that is never written again, so any number of processes may do this at the
 * same moment, and none takes anything from under another.
 */
export async function buildConsole(): Promise<string> {
  const outDir = join(builds, fingerprint());
  const isThere = () => existsSync(join(outDir, 'index.html'));
  if (isThere()) return outDir;
  const aside = join(builds, `new-${randomUUID()}`);
  try {
    await promisify(execFile)(process.execPath, [import.meta.filename, aside], { cwd: repository });
    renameSync(aside, outDir);
  } catch (error) {
    // Somebody else was a moment faster.
    if (!isThere()) throw error;
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  for (const name of readdirSync(builds)) {
    const old = join(builds, name);
    if (old !== outDir && Date.now() - (statSync(old, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > KEPT_MS)
      rmSync(old, { recursive: true, force: true });
  }
  return outDir;
}

if (import.meta.main) {
  const [outDir] = process.argv.slice(2);
  if (outDir !== undefined) await makePages(outDir);
  else process.stdout.write(`${await buildConsole()}\n`);
}
