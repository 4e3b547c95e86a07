import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, platform, totalmem } from 'node:os';
import { basename, extname, isAbsolute } from 'node:path';
import {
  askedOf,
  checkTarget,
  cpuSeconds,
  EXIT,
  LoadError,
  type LoadOptions,
  type LoadReport,
  liveView,
  loadSession,
  reportPage,
  reportText,
  type System,
} from '@volley/load';
import { createApi } from './api.ts';
import { databaseName, query } from './clickhouse.ts';
import { loadWithFaults, type PROFILES, unheardOptions } from './load-faults.ts';
import { CliError, printer, printJson } from './output.ts';
import { dataDir, home, repository } from './places.ts';
import { readStackFile, type StackFile } from './stack-file.ts';

/** `volley load`: an open loop against the API that is there. 0: objectives met. 1: missed. 3: no verdict. */
export interface Options extends LoadOptions {
  readonly report: readonly string[];
  readonly allowRemote: boolean;
  readonly faults?: string;
  readonly profile: keyof typeof PROFILES;
  readonly seed?: number;
  readonly json: boolean;
}

interface Target {
  readonly api: string;
  readonly key: string;
  readonly clickhouse: string | undefined;
  readonly stack: StackFile | undefined;
}

async function targetOf(): Promise<Target> {
  const { VOLLEY_API_URL, VOLLEY_API_KEY, VOLLEY_CLICKHOUSE_URL } = process.env;
  const stack = await readStackFile(home, dataDir);
  // The stack of this clone says nothing about another API.
  const own = VOLLEY_API_URL === undefined || VOLLEY_API_URL === stack?.api ? stack : undefined;
  const api = VOLLEY_API_URL ?? own?.api;
  const key = VOLLEY_API_KEY ?? own?.api_key;
  if (!api || !key)
    throw new CliError(
      'nothing is running in this clone: run `npm start` first, or set VOLLEY_API_URL and VOLLEY_API_KEY',
    );
  return { api, key, clickhouse: VOLLEY_CLICKHOUSE_URL ?? own?.clickhouse, stack: own };
}

/** CPU seconds by name, with children: Postgres is many processes. */
function cpuOf(pids: StackFile['pids']): Record<string, number> {
  const parents = new Map<number, number>();
  try {
    for (const name of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    }
  } catch {
    // No /proc here, or a process ended while it was read: what is known so far is enough.
  }
  const used: Record<string, number> = {};
  for (const [name, pid] of Object.entries(pids)) {
    for (const root of [pid].flat()) {
      const family = [root, ...[...parents].filter(([, parent]) => parent === root).map(([child]) => child)];
      for (const one of family) used[name] = (used[name] ?? 0) + (cpuSeconds(one) ?? 0);
    }
  }
  return used;
}

function commitOf(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { cwd: repository, encoding: 'utf8' }).trim();
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ', with changes'}`;
  } catch {
    return 'not known';
  }
}

const machineOf = (): string => {
  const [cpu] = cpus();
  return `${cpus().length} × ${cpu?.model.trim() ?? 'CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${platform()}, Node ${process.versions.node}`;
};

/** What the reader of a report may want to know of the command, without what is secret or of one machine only. */
const commandOf = (): string =>
  `volley ${process.argv
    .slice(2)
    .map((word) => (isAbsolute(word) ? basename(word) : word))
    .join(' ')}`;

function save(path: string, report: LoadReport): void {
  const content = extname(path) === '.json' ? `${JSON.stringify(report, null, 2)}\n` : reportPage(report);
  writeFileSync(path, content);
}

export async function load(o: Options): Promise<number> {
  const { faults: scenario, profile, seed, json } = o;
  if (scenario !== undefined) {
    const unheard = unheardOptions(o);
    if (unheard.length > 0)
      throw new CliError(
        `--faults brings a load of its own, and --profile says how much: without ${unheard.join(', ')}`,
        2,
      );
    return loadWithFaults({ scenario, profile, json, ...(seed === undefined ? {} : { seed }) });
  }
  try {
    return await run(o);
  } catch (error) {
    throw error instanceof LoadError ? new CliError(error.message, error.exitCode) : error;
  }
}

async function run(o: Options): Promise<number> {
  for (const path of o.report)
    if (!['.html', '.json'].includes(extname(path))) throw new CliError(`--report ${path}: .html or .json`, 2);
  const asked = askedOf(o, cpus().length);
  const { api, key, clickhouse, stack } = await targetOf();
  for (const address of clickhouse === undefined ? [api] : [api, clickhouse]) checkTarget(address, o.allowRemote);
  const system: System = {
    ...{ api: createApi(api, key), origin: new URL(api).origin, key, database: databaseName() },
    ...(clickhouse === undefined ? {} : { query: <T>(sql: string) => query<T>(clickhouse, sql) }),
    ...(stack === undefined ? {} : { cpu: () => cpuOf(stack.pids) }),
  };
  const print = printer(o.json);
  const view = liveView(process.stderr);
  const abort = new AbortController();
  const stop = () => {
    if (abort.signal.aborted) process.exit(130);
    view.log('stopping: no further message; once more ends at once');
    abort.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    const report = await loadSession({
      ...{ asked, system, signal: abort.signal, log: (line) => view.log(line), live: (state) => view.show(state) },
      environment: { command: commandOf(), commit: commitOf(), machine: machineOf(), settings: settingsOf() },
    });
    view.end();
    for (const line of reportText(report, !o.json && process.stdout.isTTY)) print(line);
    for (const path of o.report) {
      save(path, report);
      print(`  report    ${path}`);
    }
    if (o.json) printJson(report);
    return EXIT[report.verdict];
  } finally {
    view.end();
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

/** Settings of Volley in this environment, without what may be secret. */
const settingsOf = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      /^VOLLEY_/.test(name) && !/KEY|SECRET|PASSWORD|TOKEN|URL|HOME|FILE/.test(name) ? [[name, value ?? '']] : [],
    ),
  );
