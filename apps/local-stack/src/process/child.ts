import { spawn, spawnSync } from 'node:child_process';
import { closeSync } from 'node:fs';
import { StackError } from '../stack-error.ts';
import { logTail, openLog } from './log-tail.ts';
import { signalIfAlive } from './process-table.ts';

export interface ChildSpec {
  name: string;
  command: string;
  args: string[];
  /** The child's whole environment; undefined values are left out. */
  env: Record<string, string | undefined>;
  cwd: string;
  logFile: string;
  /** Commands that `exec` the next one (unshare); the pid stays that of `command`. */
  prefix?: string[];
  stopSignal?: NodeJS.Signals;
  stopGraceMs?: number;
}

export interface ChildExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface Child {
  name: string;
  pid: number;
  exited: Promise<ChildExit>;
  /** True from the moment `stop` was called: an exit after it is no crash. */
  stopping(): boolean;
  running(): boolean;
  tail(): string[];
  /** The stop signal, then SIGKILL after the grace. Resolves when the process is gone. */
  stop(): Promise<void>;
}

/**
 * Its own process group, so that Ctrl-C to ours does not reach it and the stop stays ordered; and SIGKILL when we die,
 * however we die, so that no store outlives its supervisor. `setpriv` execs, so the pid is the child's own.
 */
export async function spawnChild(spec: ChildSpec): Promise<Child> {
  const log = openLog(spec.logFile);
  const argv = [...(spec.prefix ?? []), ...deathSignalPrefix(), spec.command, ...spec.args];
  const child = spawn(argv[0] as string, argv.slice(1), {
    cwd: spec.cwd,
    env: definedOnly(spec.env),
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  closeSync(log.fd);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new StackError(`${spec.name} did not start (${error.message}).`)));
  });
  const pid = child.pid as number;
  let ended = false;
  let stopRequested = false;
  const exited = new Promise<ChildExit>((resolve) => {
    child.once('exit', (code, signal) => {
      ended = true;
      resolve({ code, signal });
    });
  });
  let stopped: Promise<void> | undefined;

  async function stopOnce(): Promise<void> {
    if (ended) return;
    signalIfAlive(pid, spec.stopSignal ?? 'SIGTERM');
    const timer = setTimeout(() => signalIfAlive(pid, 'SIGKILL'), spec.stopGraceMs ?? 10_000);
    await exited;
    clearTimeout(timer);
  }

  return {
    name: spec.name,
    pid,
    exited,
    stopping: () => stopRequested,
    running: () => !ended,
    tail: () => logTail(spec.logFile, log.startOffset),
    stop: () => {
      stopRequested = true;
      stopped ??= stopOnce();
      return stopped;
    },
  };
}

let deathPrefix: string[] | undefined;

/** util-linux on Linux; elsewhere nothing, and the pid files do what they can at the next start. */
export function deathSignalPrefix(): string[] {
  deathPrefix ??=
    process.platform === 'linux' && spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0
      ? ['setpriv', '--pdeathsig', 'KILL']
      : [];
  return deathPrefix;
}

function definedOnly(env: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
