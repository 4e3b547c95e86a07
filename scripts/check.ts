/** `npm run check`: lint and format, types, floors, generated files current, nothing unused. No stack, under 30 s. */
import { join } from 'node:path';
import { run } from './run.ts';

const root = join(import.meta.dirname, '..');

/** Each is one line of the outcome, and counts as one test in `npm test`. */
export const CHECKS: readonly { name: string; command: string; args: readonly string[] }[] = [
  { name: 'lint and format (biome)', command: 'biome', args: ['ci', '--error-on-warnings', '.'] },
  { name: 'types (tsc)', command: 'tsc', args: ['-p', '.'] },
  { name: 'types of the console (tsc)', command: 'tsc', args: ['-p', 'apps/console'] },
  { name: 'generated files are current (gen --check)', command: 'node', args: ['scripts/gen.ts', '--check'] },
  { name: 'floors (test/architecture.test.ts)', command: 'ava', args: ['test/architecture.test.ts'] },
  { name: 'nothing unused (knip)', command: 'knip', args: [] },
];

export async function runChecks(print: (line: string) => void): Promise<{ passed: number; failed: number }> {
  let failed = 0;
  // Two at a time: the compiler and the linter use a core each.
  const queue = [...CHECKS];
  const worker = async () => {
    for (let check = queue.shift(); check; check = queue.shift()) {
      const { code, output, ms } = await run(check.command, check.args, { cwd: root });
      print(`${code === 0 ? 'ok  ' : 'FAIL'} ${check.name} (${(ms / 1000).toFixed(1)} s)`);
      if (code !== 0) {
        failed++;
        print(output.trim());
      }
    }
  };
  await Promise.all([worker(), worker()]);
  return { passed: CHECKS.length - failed, failed };
}

if (import.meta.main) {
  const { failed } = await runChecks((line) => process.stdout.write(`${line}\n`));
  process.exit(failed === 0 ? 0 : 1);
}
