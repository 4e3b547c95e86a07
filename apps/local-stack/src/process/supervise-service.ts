import { StackError } from '../stack-error.ts';
import { until } from '../until.ts';
import { type Child, type ChildExit, type ChildSpec, spawnChild } from './child.ts';

export interface SuperviseOptions {
  name: string;
  command: string;
  args: string[];
  /** The whole environment of the service; undefined values are left out. */
  env: Record<string, string | undefined>;
  logFile: string;
  cwd: string;
  /** Asks the service itself; an error counts as "not yet". */
  ready: () => Promise<boolean>;
  /** Start it again whenever it ends by itself, for ever. */
  restart: boolean;
  /** Called at every start, with the pid of the service itself. */
  onPid: (pid: number) => void;
  log: (line: string) => void;
  /** Called at every end that `stop` did not ask for. */
  onExit?: (code: number | null, signal: NodeJS.Signals | null, tail: string[]) => void;
  stopGraceMs?: number;
  /** For the first start only; default 60 s. After it the promise rejects and nothing is left running. */
  readyTimeoutMs?: number;
}

export interface SupervisedService {
  name: string;
  pid(): number;
  /** SIGTERM, then SIGKILL after the grace. Idempotent; also ends a pending restart. */
  stop(): Promise<void>;
}

const firstBackoffMs = 200;
const lastBackoffMs = 2000;
/** A service that ran this long was well: its next failure starts at the first backoff again. */
const healthyMs = 10_000;

/** Resolves once the service is ready for the first time. */
export async function superviseService(options: SuperviseOptions): Promise<SupervisedService> {
  const spec: ChildSpec = {
    name: options.name,
    command: options.command,
    args: options.args,
    env: options.env,
    cwd: options.cwd,
    logFile: options.logFile,
    ...(options.stopGraceMs === undefined ? {} : { stopGraceMs: options.stopGraceMs }),
  };
  let child: Child | undefined;
  let backoffMs = firstBackoffMs;
  let stopped = false;
  let wakeUp: () => void = () => {};
  let fatal: (error: Error) => void = () => {};
  const ended = new Promise<never>((_, reject) => {
    fatal = reject;
  });
  ended.catch(() => {});

  async function start(): Promise<{ how: string; exit: ChildExit; ranMs: number }> {
    const began = performance.now();
    child = undefined;
    try {
      child = await spawnChild(spec);
    } catch (error) {
      // No memory or no process to be had just now: as any other end, it is tried again.
      return { how: `(${(error as Error).message})`, exit: { code: null, signal: null }, ranMs: 0 };
    }
    // `stop` came while the process was being made.
    if (stopped) await child.stop();
    else options.onPid(child.pid);
    const exit = await child.exited;
    const how = exit.signal === null ? `with code ${exit.code}` : `by ${exit.signal}`;
    return { how, exit, ranMs: performance.now() - began };
  }

  async function keepRunning(): Promise<void> {
    for (;;) {
      const { how, exit, ranMs } = await start();
      if (stopped) return;
      const tail = child?.tail() ?? [];
      options.onExit?.(exit.code, exit.signal, tail);
      if (!options.restart) {
        options.log(`${options.name} ended ${how}`);
        throw new StackError(`${options.name} ended ${how}; ${lastWords(options.logFile, tail)}`);
      }
      if (ranMs > healthyMs) backoffMs = firstBackoffMs;
      options.log(`${options.name} ended ${how}, starting it again in ${backoffMs / 1000} s`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, backoffMs);
        wakeUp = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      if (stopped) return;
      backoffMs = Math.min(backoffMs * 2, lastBackoffMs);
    }
  }

  const running = keepRunning().catch((error: Error) => fatal(error));

  async function stopOnce(): Promise<void> {
    stopped = true;
    wakeUp();
    await child?.stop();
    await running;
  }
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= stopOnce();
    return stopping;
  };

  const waiting = new AbortController();
  try {
    await Promise.race([
      until(options.ready, { timeoutMs: options.readyTimeoutMs ?? 60_000, signal: waiting.signal }),
      ended,
    ]);
  } catch (error) {
    waiting.abort();
    const tail = child?.tail() ?? [];
    await stop();
    if (error instanceof StackError) throw error;
    throw new StackError(
      `${options.name} did not start: ${(error as Error).message}; ${lastWords(options.logFile, tail)}`,
    );
  }
  return { name: options.name, pid: () => child?.pid ?? 0, stop };
}

function lastWords(logFile: string, tail: string[]): string {
  return `its log is ${logFile}. Its last lines:\n  ${tail.slice(-8).join('\n  ')}`;
}
