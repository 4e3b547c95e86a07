/**
 * `npm run faults [-- F17 K01] [--messages N] [--seed S] [--write-docs]`: the scenarios of test/faults with these ids (all by
 * default), each with at least 5,000 messages, against a stack of its own. Each ends in the checker. Prints counts, writes
 * .volley/faults/<time>.json; `--write-docs` keeps the results in test/faults/results.json and makes the table of
 * docs/guarantees.md from them. Exit code 1 when something that was promised did not hold.
 */
import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startStack } from '../apps/local-stack/src/index.ts';
import { merged, type Result, withTable } from '../test/faults/kit/results.ts';
import { WORLDS } from '../test/faults/kit/scenario.ts';
import { CannotMount } from '../test/faults/kit/small-disk.ts';
import { lineOf, runScenario } from '../test/faults/kit/trial.ts';
import { startFaultWorld } from '../test/faults/kit/world.ts';
import { FAMILIES } from '../test/faults/scenarios/index.ts';

const root = join(import.meta.dirname, '..');
const print = (line: string) => process.stdout.write(`${line}\n`);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    messages: { type: 'string', default: '5000' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    'write-docs': { type: 'boolean', default: false },
  },
});
const [messages, seed] = [Number(values.messages), Number(values.seed)];
const wanted = new Set(positionals.map((id) => id.toUpperCase()));
const scenarios = FAMILIES.flatMap((family) => family.scenarios.map((scenario) => ({ scenario, world: family.world })));
// One that is unknown is a slip of the keyboard, or an option behind a `--` too many: neither may go unheard.
const unknown = [...wanted].filter((id) => !scenarios.some(({ scenario }) => scenario.id === id));
const chosen = scenarios.filter(({ scenario }) => wanted.size === 0 || wanted.has(scenario.id));
if (unknown.length > 0 || chosen.length === 0 || !(messages > 0) || !(seed >= 0)) {
  const ids = [...new Set(scenarios.map(({ scenario }) => scenario.id))].join(' ');
  process.stderr.write(
    `faults: usage: npm run faults [-- ID…] [--messages N] [--seed S] [--write-docs]\nfaults: ${ids}\n`,
  );
  process.exit(2);
}

const command = ['npm run faults --', ...positionals, `--messages ${messages} --seed ${seed}`].join(' ');
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
const temp = mkdtempSync(join(tmpdir(), 'volley-faults-stack-'));
const closing: (() => Promise<unknown>)[] = [async () => rmSync(temp, { recursive: true, force: true })];
let stopped: Promise<void> | undefined;
const stopAll = () => {
  stopped ??= (async () => {
    for (const close of closing.splice(0)) await close();
  })();
  return stopped;
};
for (const signal of ['SIGINT', 'SIGTERM', 'disconnect'] as const)
  process.once(signal, () => void stopAll().finally(() => process.exit(130)));

/** Stores of its own, unless the environment names some (as it does for a single test file). */
async function stores(): Promise<void> {
  if (process.env.VOLLEY_TEST_KAFKA) return;
  const stack = await startStack({
    root: join(root, '.volley'),
    cacheDir: join(root, '.volley', 'cache'),
    dataDir: join(temp, 'data'),
    logDir: join(temp, 'logs'),
    anyPorts: true,
    log: (line) => print(`     ${line}`),
    onCrash: (component, tail) => {
      if (stopped === undefined) print(`     ${component} died by itself:\n${tail.join('\n')}`);
    },
  });
  closing.unshift(() => stack.stop());
  process.env.VOLLEY_TEST_KAFKA = stack.addresses.kafka;
  process.env.VOLLEY_TEST_REGISTRY = stack.addresses.registry;
  process.env.VOLLEY_TEST_POSTGRES = stack.addresses.postgres;
  process.env.VOLLEY_TEST_CLICKHOUSE = stack.addresses.clickhouse;
}

const results: Result[] = [];
let skipped = 0;
try {
  print(`${command} (commit ${commit})`);
  await stores();
  for (const kind of WORLDS) {
    const here = chosen.filter(({ world }) => world === kind);
    if (here.length === 0) continue;
    const world = await startFaultWorld(kind).catch((error: Error) => {
      if (!(error instanceof CannotMount)) throw error;
      for (const { scenario } of here) print(`skip ${scenario.id} ${scenario.fault}\n     ${error.message}`);
      skipped += here.length;
    });
    if (world === undefined) continue;
    closing.unshift(() => world.stop());
    for (const { scenario } of here) {
      const outcome = await runScenario(scenario, world, { messages, seed });
      const held = outcome.problems.length === 0;
      print(`${held ? 'ok  ' : 'FAIL'} ${scenario.id} ${scenario.fault}`);
      print(`     ${lineOf(outcome)}`);
      for (const problem of outcome.problems) print(`     ${problem.replaceAll('\n', '\n     ')}`);
      if (!held) {
        const kept = join(root, '.volley', 'faults', `logs-${scenario.id}-${seed}`);
        for (const logs of world.logs) if (existsSync(logs)) cpSync(logs, kept, { recursive: true });
        print(`     logs: ${kept}`);
      }
      const { id, fault, expected, injected } = scenario;
      const date = new Date().toISOString().slice(0, 10);
      results.push({ id, fault, expected, injected, held, ...outcome, seed, commit, date, command });
    }
    closing.shift();
    await world.stop();
  }
} finally {
  await stopAll();
}

const folder = join(root, '.volley', 'faults');
mkdirSync(folder, { recursive: true });
const file = join(folder, `${new Date().toISOString().replaceAll(/[:.]/g, '-')}.json`);
writeFileSync(file, `${JSON.stringify({ command, commit, seed, messages, results }, null, 2)}\n`);
print(file);
if (values['write-docs']) {
  const kept = join(root, 'test', 'faults', 'results.json');
  const known = existsSync(kept) ? (JSON.parse(readFileSync(kept, 'utf8')) as Result[]) : [];
  const all = merged(
    known,
    results,
    scenarios.map(({ scenario }) => scenario),
  );
  writeFileSync(kept, `${JSON.stringify(all, null, 2)}\n`);
  const page = join(root, 'docs', 'guarantees.md');
  writeFileSync(page, withTable(readFileSync(page, 'utf8'), all, 'npm run faults'));
  print(`${kept} and ${page}`);
}
const broken = results.filter((result) => !result.held).length;
print(`${results.length - broken} held, ${broken} did not${skipped > 0 ? `, ${skipped} could not run here` : ''}`);
process.exit(broken === 0 ? 0 : 1);
