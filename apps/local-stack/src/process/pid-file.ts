import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { commandLine, isAlive, signalIfAlive, waitUntilGone } from './process-table.ts';

export function writePidFile(file: string, pid: number): void {
  writeFileSync(file, `${pid}\n`, { mode: 0o600 });
}

export function removePidFile(file: string): void {
  rmSync(file, { force: true });
}

/**
 * Ends what a killed run left behind. A pid may have been given to somebody else meanwhile, so the process must name
 * our data folder on its command line; anything else is left alone. True when there was one to end.
 */
export async function endLeftover(file: string, dataDir: string, log: (line: string) => void): Promise<boolean> {
  let pid: number;
  try {
    pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
  } catch {
    return false;
  }
  removePidFile(file);
  if (!(pid > 1) || !isAlive(pid) || !commandLine(pid)?.includes(dataDir)) return false;
  log(`ending process ${pid}, left over from a killed run`);
  signalIfAlive(pid, 'SIGTERM');
  if (!(await waitUntilGone(pid, 5000))) {
    signalIfAlive(pid, 'SIGKILL');
    await waitUntilGone(pid, 5000);
  }
  return true;
}
