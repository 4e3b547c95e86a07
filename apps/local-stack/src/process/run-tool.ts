import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { deathSignalPrefix } from './child.ts';
import { logTail, openLog } from './log-tail.ts';
import { signalIfAlive } from './process-table.ts';

export interface ToolResult {
  ok: boolean;
  /** True when there is no such command. */
  absent: boolean;
  tail: string[];
}

/** Runs a set-up tool to its end, its output in `logFile`. It dies with us and with `signal`. */
export async function runTool(
  argv: string[],
  options: {
    cwd: string;
    env: Record<string, string | undefined>;
    logFile: string;
    signal?: AbortSignal | undefined;
    prefix?: string[];
  },
): Promise<ToolResult> {
  options.signal?.throwIfAborted();
  const log = openLog(options.logFile);
  const full = [...(options.prefix ?? []), ...deathSignalPrefix(), ...argv];
  const child = spawn(full[0] as string, full.slice(1), {
    cwd: options.cwd,
    env: options.env as NodeJS.ProcessEnv,
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  closeSync(log.fd);
  const kill = () => {
    // The whole group: npm and mvn have children of their own.
    if (child.pid !== undefined) signalIfAlive(-child.pid, 'SIGKILL');
  };
  options.signal?.addEventListener('abort', kill);
  const code = await new Promise<number>((resolve) => {
    child.once('error', () => resolve(127));
    child.once('exit', (exitCode) => resolve(exitCode ?? 1));
  });
  options.signal?.removeEventListener('abort', kill);
  options.signal?.throwIfAborted();
  // 127 is also what setpriv answers when it cannot find the command.
  return { ok: code === 0, absent: code === 127, tail: logTail(options.logFile, log.startOffset, 8) };
}
