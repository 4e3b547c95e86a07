import { existsSync, realpathSync } from 'node:fs';
import { lockOwner } from './process/process-lock.ts';

/** One live stack a data folder, whatever way its path is written. */
export const dataLockKey = (realDataDir: string): string => `data:${realDataDir}`;

/** The process that runs a stack on this folder, or is starting one; undefined: nobody does. */
export async function ownerOfData(dataDir: string): Promise<number | undefined> {
  return existsSync(dataDir) ? lockOwner(dataLockKey(realpathSync(dataDir))) : undefined;
}
