import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { waitForLock } from '../process/process-lock.ts';

export interface SetupContext {
  cacheDir: string;
  logFile: string;
  log: (line: string) => void;
  signal?: AbortSignal | undefined;
}

/**
 * One entry of the cache, made once: `make` fills a folder of a temporary name, the rename is the mark of completeness.
 * So an entry that is there is whole, whatever was killed; half-made ones are removed by the next run.
 * The lock is per entry: different entries are made at the same time, also by different processes.
 */
export async function ensureEntry(
  context: SetupContext,
  name: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const entry = path.join(context.cacheDir, name);
  if (existsSync(entry)) return entry;
  mkdirSync(context.cacheDir, { recursive: true });
  const lock = await waitForLock(
    `cache:${entry}`,
    () => context.log(`waiting for another process that is installing ${name}`),
    context.signal,
  );
  const prefix = `.making-${name}-`;
  try {
    if (existsSync(entry)) return entry;
    for (const old of readdirSync(context.cacheDir)) {
      if (old.startsWith(prefix)) rmSync(path.join(context.cacheDir, old), { recursive: true, force: true });
    }
    const folder = mkdtempSync(path.join(context.cacheDir, prefix));
    try {
      await make(folder);
      renameSync(folder, entry);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return entry;
  } finally {
    await lock.release();
  }
}

/** What a set-up tool or a Java child needs of our environment; nothing that npm or a test runner put there for us. */
export function toolEnvironment(): Record<string, string | undefined> {
  const env: Record<string, string | undefined> = { ...process.env };
  for (const name of Object.keys(env)) {
    if (
      /^npm_(package|lifecycle)_|^npm_config_(local_prefix|prefix|workspace|workspaces|include_workspace_root|omit|include|production|dry_run|global|ignore_scripts|package_lock|loglevel)$/i.test(
        name,
      )
    ) {
      delete env[name];
    }
  }
  for (const name of [
    'NODE_ENV',
    'NODE_OPTIONS',
    'NODE_V8_COVERAGE',
    'INIT_CWD',
    'KAFKA_OPTS',
    'CLASSPATH',
    'JDK_JAVA_OPTIONS',
  ])
    delete env[name];
  return env;
}
