import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CliError, printer, printJson } from './output.ts';
import { repository } from './places.ts';

/** How many messages go through while things break, at least; the scenario makes a time of it and sends 1.3 times as many. */
export const PROFILES = {
  /** Half a minute. */
  short: 9_000,
  /** Ten minutes at 390 a second; the memory of the services is judged as well. */
  long: 180_000,
  /** An hour at 130 a second, with longer pauses between what breaks. */
  nightly: 360_000,
} as const;

/** Scenarios by name; any other one goes by its id, as in `npm run faults`. */
const SCENARIOS: Readonly<Record<string, string>> = { mixed: 'S11' };

/** What says how to load another system: a scenario brings its own load, and would leave these unheard. */
const OWN_LOAD = [
  ...['rate', 'duration', 'stage', 'warmUp', 'batch', 'campaignSize', 'unpaced', 'ids', 'readers', 'simulate'],
  ...['provider', 'objective', 'report', 'findCapacity', 'try', 'tries', 'maxTime', 'need', 'generators'],
  ...['connections', 'timeout', 'drain', 'maxLate', 'maxMessages', 'allowRemote'],
];

/** Those of them that were given, as they are typed. */
export const unheardOptions = (options: object): string[] =>
  Object.entries(options).flatMap(([name, value]) =>
    OWN_LOAD.includes(name) && value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0)
      ? [`--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`]
      : [],
  );

/** The arguments of `npm run faults` for it. */
export const faultArguments = (o: {
  readonly scenario: string;
  readonly profile: keyof typeof PROFILES;
  readonly seed?: number;
}): string[] => [
  ...[SCENARIOS[o.scenario] ?? o.scenario, '--messages', String(PROFILES[o.profile])],
  ...(o.seed === undefined ? [] : ['--seed', String(o.seed)]),
];

/**
 * A load while things break, on a stack of its own: the scenarios of the fault kit, which end in the checker. It is started
 * as the process that `npm run faults` is, because the kit is no part of what is installed.
 */
export async function loadWithFaults(o: {
  readonly scenario: string;
  readonly profile: keyof typeof PROFILES;
  readonly seed?: number;
  readonly json: boolean;
}): Promise<number> {
  const script = join(repository, 'scripts', 'faults.ts');
  if (!existsSync(script)) throw new CliError('--faults needs a clone of the repository');
  const node = ['--disable-warning=TimeoutNegativeWarning', script, ...faultArguments(o)];
  const child = spawn(process.execPath, node, {
    cwd: repository,
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const stop = () => child.kill('SIGTERM');
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const print = printer(o.json);
  let results = '';
  for await (const line of createInterface({ input: child.stdout as NonNullable<typeof child.stdout> })) {
    print(line);
    if (line.endsWith('.json')) results = line;
  }
  const code = await new Promise<number>((resolve) => {
    if (child.exitCode !== null) resolve(child.exitCode);
    else child.once('exit', (status) => resolve(status ?? 1));
  });
  process.off('SIGINT', stop);
  process.off('SIGTERM', stop);
  if (o.json && existsSync(results)) printJson(JSON.parse(readFileSync(results, 'utf8')));
  return code;
}
