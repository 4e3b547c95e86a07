import { globSync, readdirSync, readFileSync } from 'node:fs';

/** Only when it is named, as in `npm test -- coordinator.alone`: three brokers for a minute. */
const isOnDemand = (file: string) => file.includes('.alone.');

/** Test files by tier; the tier is in the name. */
export function testFiles(root: string, patterns: readonly string[]): { unit: string[]; int: string[]; e2e: string[] } {
  const all = globSync(
    ['packages/*/test/**/*.test.ts', 'services/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    { cwd: root },
  )
    .filter((file) => (patterns.length === 0 ? !isOnDemand(file) : patterns.some((p) => file.includes(p))))
    .sort();
  const tier = (file: string) =>
    file.endsWith('.e2e.test.ts') ? 'e2e' : file.endsWith('.int.test.ts') ? 'int' : 'unit';
  return {
    unit: all.filter((f) => tier(f) === 'unit'),
    int: all.filter((f) => tier(f) === 'int'),
    e2e: all.filter((f) => tier(f) === 'e2e'),
  };
}

/** Processes whose command line names the folder of this run: there must be none after the stop. Linux; else none are seen. */
export function leftovers(folder: string): string[] {
  const found: string[] = [];
  let pids: string[] = [];
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return found;
  }
  for (const pid of pids) {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      if (Number(pid) !== process.pid && line.includes(folder)) found.push(`${pid} ${line.slice(0, 120)}`);
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}
