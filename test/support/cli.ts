import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FreshStores, freshStores } from './fresh-stores.ts';
import { until } from './until.ts';

const repository = join(import.meta.dirname, '..', '..');
const door = join(repository, 'scripts', 'volley.mjs');

interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The one document of `--json`. */
  json<T>(): T;
}

export interface CliProcess {
  readonly child: ChildProcess;
  readonly done: Promise<CliResult>;
}

/** The command line with a home of its own, on the shared stores under fresh names. */
export interface CliHome {
  readonly home: string;
  readonly stores: FreshStores;
  readonly stackFile: string;
  start(args: readonly string[], env?: Readonly<Record<string, string>>): CliProcess;
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CliResult>;
  /** Starts `volley up` in a process group of its own and waits for stack.json. */
  up(env?: Readonly<Record<string, string>>): Promise<CliProcess>;
  /** Ends what is still running and drops the stores. */
  close(): Promise<void>;
}

export async function cliHome(name: string): Promise<CliHome> {
  const home = mkdtempSync(join(tmpdir(), `volley-${name}-`));
  const stores = await freshStores(name);
  const stackFile = join(home, 'stack.json');
  const running = new Set<ChildProcess>();
  const base: NodeJS.ProcessEnv = {
    ...process.env,
    NO_COLOR: '1',
    VOLLEY_HOME: home,
    VOLLEY_NAMESPACE: stores.namespace,
    VOLLEY_CLICKHOUSE_DATABASE: stores.clickhouseDatabase,
    VOLLEY_KAFKA_BROKERS: stores.kafka,
    VOLLEY_REGISTRY_URL: stores.registry,
    VOLLEY_POSTGRES_URL: stores.postgres,
    VOLLEY_CLICKHOUSE_URL: stores.clickhouse,
  };

  function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): CliProcess {
    // A group of its own: a signal to the group is what a terminal sends.
    const child = spawn(process.execPath, [door, ...args], {
      cwd: repository,
      env: { ...base, ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const done = new Promise<CliResult>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => {
        running.delete(child);
        resolve({
          code,
          stdout,
          stderr,
          json<T>() {
            try {
              return JSON.parse(stdout) as T;
            } catch {
              throw new Error(`not one JSON document on stdout:\n${stdout}\n${stderr}`);
            }
          },
        });
      });
    });
    return { child, done };
  }

  return {
    home,
    stores,
    stackFile,
    start,
    run: (args, env) => start(args, env).done,
    async up(env) {
      const process = start(['up'], env);
      let ended: CliResult | undefined;
      void process.done.then((result) => {
        ended = result;
      });
      await until('stack.json appears', () => existsSync(stackFile) || ended !== undefined, { timeoutMs: 60_000 });
      if (ended !== undefined) throw new Error(`volley up ended with ${ended.code}:\n${ended.stdout}${ended.stderr}`);
      return process;
    },
    async close() {
      const ending = [...running].map(
        (child) =>
          new Promise<void>((resolve) => {
            child.once('close', () => resolve());
            child.kill('SIGTERM');
          }),
      );
      await Promise.all(ending);
      await stores.drop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Processes whose log, working files or command line lie in this folder. Linux; elsewhere none are seen. */
export function processesOf(folder: string): string[] {
  const found: string[] = [];
  let pids: string[] = [];
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return found;
  }
  for (const pid of pids) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      const output = readlinkSync(`/proc/${pid}/fd/1`);
      if (Number(pid) !== process.pid && (command.includes(folder) || output.startsWith(folder)))
        found.push(`${pid} ${command.slice(0, 100)}`);
    } catch {
      // It ended while we looked, or is not ours to look at.
    }
  }
  return found;
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
