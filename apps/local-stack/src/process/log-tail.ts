import { closeSync, fstatSync, openSync, readSync, renameSync, statSync } from 'node:fs';

const maxLogBytes = 20 * 1024 * 1024;
const tailBytes = 16 * 1024;

/**
 * Opens a component's log for appending. Children write to the descriptor themselves, so that their last words are
 * kept also when the supervisor is killed. A log above 20 MiB becomes `.1` first.
 */
export function openLog(file: string): { fd: number; startOffset: number } {
  try {
    if (statSync(file).size > maxLogBytes) renameSync(file, `${file}.1`);
  } catch {
    // No log yet.
  }
  const fd = openSync(file, 'a', 0o600);
  return { fd, startOffset: fstatSync(fd).size };
}

/** The last lines a run wrote: nothing before `startOffset`, where an earlier run ended. */
export function logTail(file: string, startOffset: number, lines = 20): string[] {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    return [];
  }
  try {
    const size = fstatSync(fd).size;
    const from = Math.max(startOffset, size - tailBytes);
    const buffer = Buffer.alloc(Math.max(0, size - from));
    readSync(fd, buffer, 0, buffer.length, from);
    return buffer
      .toString('utf8')
      .split('\n')
      .filter((line) => line.trim() !== '')
      .slice(-lines);
  } finally {
    closeSync(fd);
  }
}
