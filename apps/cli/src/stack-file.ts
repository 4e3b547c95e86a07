import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownerOfData } from '@volley/local-stack';

/** `.volley/stack.json`: what runs, where, and with which key. There only while everything is ready. */
export interface StackFile {
  readonly api: string;
  /** Base URL of the console; null until there is one. */
  readonly console: string | null;
  /** host:port */
  readonly kafka: string;
  readonly registry: string;
  readonly postgres: string;
  readonly clickhouse: string;
  readonly api_key: string;
  readonly admin: Readonly<Record<string, string | string[]>>;
  /** Of the processes themselves, never of a wrapper; a list where there are several. */
  readonly pids: Readonly<Record<string, number | number[]>>;
  /** The process that supervises all of this. */
  readonly supervisor_pid: number;
}

export const stackFilePath = (root: string): string => join(root, 'stack.json');

/** By rename, so that nobody reads half of it; mode 600, because it holds credentials. */
export function writeStackFile(root: string, stack: StackFile): void {
  const path = stackFilePath(root);
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(stack, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}

export function removeStackFile(root: string): void {
  rmSync(stackFilePath(root), { force: true });
}

/**
 * The live stack of this clone. A file left by a killed run counts as none: its supervisor must hold the data folder,
 * which a process that only happens to have its pid does not.
 */
export async function readStackFile(root: string, dataDir: string): Promise<StackFile | undefined> {
  const path = stackFilePath(root);
  if (!existsSync(path)) return undefined;
  try {
    const stack = JSON.parse(readFileSync(path, 'utf8')) as StackFile;
    return (await ownerOfData(dataDir)) === stack.supervisor_pid ? stack : undefined;
  } catch {
    return undefined;
  }
}
