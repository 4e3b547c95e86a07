import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { StackOptions } from '../../src/index.ts';
import { cacheDir } from './front.ts';

export interface StackFolder {
  root: string;
  options(overrides?: Partial<StackOptions>): StackOptions;
  /** Pids of every process that names this folder on its command line. */
  processes(): number[];
  remove(): void;
}

/** Mode 700, as mktemp makes it: a place that no other user can enter. */
export function stackFolder(): StackFolder {
  const root = mkdtempSync(path.join(os.tmpdir(), 'volley-stack-'));
  return {
    root,
    options: (overrides = {}) => ({
      root,
      dataDir: path.join(root, 'data'),
      logDir: path.join(root, 'logs'),
      cacheDir,
      anyPorts: true,
      log: () => {},
      onCrash: () => {},
      ...overrides,
    }),
    processes: () => processesNaming(root),
    remove() {
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export function processesNaming(text: string): number[] {
  if (process.platform !== 'linux') {
    const table = execFileSync('ps', ['-axo', 'pid=,command=']).toString().split('\n');
    return table.filter((line) => line.includes(text)).map((line) => Number.parseInt(line, 10));
  }
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 1 && pid !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false;
      }
    });
}

export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
