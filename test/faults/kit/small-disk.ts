import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A file system of its own, small enough to be filled. */
export interface SmallDisk {
  readonly folder: string;
  /** Writes into it until nothing more fits. */
  fill(): void;
  /** Removes what `fill` wrote. */
  free(): void;
  freeBytes(): number;
  unmount(): Promise<void>;
}

/** A broker's logs, its indexes and the topics of one test take about 60 MiB of it. */
const SIZE = '160m';
const BLOCK = Buffer.alloc(65_536, 1);

/** A file system cannot be mounted here: a container without the right to, or a user who is not root. */
export class CannotMount extends Error {
  override readonly name = 'CannotMount';
}

/** A tmpfs. Throws CannotMount where this user may not have one. */
export function mountSmallDisk(folder: string): SmallDisk {
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', folder], { stdio: 'pipe' });
  } catch (error) {
    throw new CannotMount(`no small disk: ${String((error as { stderr?: Buffer }).stderr ?? error).trim()}`);
  }
  const filler = join(folder, 'filler');
  return {
    folder,
    fill() {
      const file = openSync(filler, 'a');
      try {
        for (let size = BLOCK.length; size > 0; ) {
          try {
            if (writeSync(file, BLOCK, 0, size) < size) size = Math.floor(size / 2);
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
            size = Math.floor(size / 2);
          }
        }
      } finally {
        closeSync(file);
      }
    },
    free() {
      if (existsSync(filler)) rmSync(filler);
    },
    freeBytes() {
      const { bavail, bsize } = statfsSync(folder);
      return bavail * bsize;
    },
    async unmount() {
      execFileSync('umount', ['-l', folder]);
    },
  };
}
