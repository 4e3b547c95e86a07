import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { parsePartName, repairDedupLog } from './dedup-log-repair.ts';

/** Far more than the lines that are looked at take. A whole log has up to 200,000 of them, some 20 MB a table. */
const tailBytes = 64 * 1024;

/** Repairs every table's log in place; only while no engine has the directory open. Says what it removed. */
export function repairDedupLogs(dataFolder: string, log: (line: string) => void): void {
  const store = path.join(dataFolder, 'store');
  for (const group of list(store)) {
    for (const table of list(path.join(store, group))) repairTable(path.join(store, group, table), log);
  }
}

function repairTable(folder: string, log: (line: string) => void): void {
  const logs = list(path.join(folder, 'deduplication_logs'))
    .map((name) => ({ name, number: Number(/^deduplication_log_(\d+)\.txt$/.exec(name)?.[1]) }))
    .filter(({ number }) => Number.isInteger(number))
    .sort((left, right) => right.number - left.number);
  if (logs.length === 0) return;
  // A directory gets a part's name by rename when it is whole: what is half-written is called tmp_… .
  const parts = list(folder).filter((name) => parsePartName(name) !== undefined);
  // The newest alone could be empty, had the kill come right after a rotation.
  for (const { name } of logs.slice(0, 2)) {
    const file = path.join(folder, 'deduplication_logs', name);
    if (repairDedupLog(tailOf(file), parts).removed.length === 0) continue;
    const repaired = repairDedupLog(readFileSync(file, 'utf8'), parts);
    writeFileSync(`${file}.repaired`, repaired.text, { flush: true });
    renameSync(`${file}.repaired`, file);
    log(
      `removed from ${file}, as no part has these blocks: ${repaired.removed.map((line) => line.split('\t')[1] ?? line).join(', ')}`,
    );
  }
}

/** Its last lines: from the first line that begins in the last `tailBytes`. */
function tailOf(file: string): string {
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const from = Math.max(0, size - tailBytes);
    const bytes = Buffer.alloc(size - from);
    const text = bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, bytes.length, from));
    return from === 0 ? text : text.slice(text.indexOf('\n') + 1);
  } finally {
    closeSync(descriptor);
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
