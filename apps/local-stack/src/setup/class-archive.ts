import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { ensureEntry, type SetupContext } from './cache.ts';
import type { Java } from './java.ts';

/**
 * A class-data archive (CDS): the JVM maps parsed classes instead of reading jars, 0.8 s instead of 2.8 s for the
 * broker. It is written by one training run at set-up, and belongs to one JVM and one class path, so both are in its name.
 * `train` runs the application once with the given flag and ends it. No archive is no reason to fail: undefined then.
 */
export async function ensureClassArchive(
  context: SetupContext,
  name: string,
  java: Java,
  classPath: string,
  train: (writeFlag: string, folder: string) => Promise<void>,
): Promise<string | undefined> {
  const id = createHash('sha256').update(`${java.version}\n${classPath}`).digest('hex').slice(0, 12);
  try {
    const folder = await ensureEntry(context, `classes-${name}-${id}`, async (temporary) => {
      context.log(`preparing a faster start of ${name}`);
      const archive = path.join(temporary, 'classes.jsa');
      await train(`-XX:ArchiveClassesAtExit=${archive}`, temporary);
      if (!existsSync(archive)) throw new Error('the JVM wrote none');
    });
    return path.join(folder, 'classes.jsa');
  } catch (error) {
    context.signal?.throwIfAborted();
    context.log(`no class archive for ${name} (${(error as Error).message}): it starts slower`);
    return undefined;
  }
}

export function archiveFlags(archive: string | undefined): string[] {
  return archive === undefined ? [] : ['-Xshare:auto', `-XX:SharedArchiveFile=${archive}`];
}
