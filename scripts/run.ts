import { spawn } from 'node:child_process';

/** After the command has ended: a process it left behind may hold its output open for ever. */
const OUTPUT_GRACE_MS = 5_000;

export interface RunResult {
  readonly code: number;
  readonly output: string;
  readonly ms: number;
  /** It was killed at `limitMs`, with all of its process group. */
  readonly tooLong: boolean;
}

/** Runs a command in a process group of its own, collects what it prints. Never rejects: an exit code is an answer. */
export function run(
  command: string,
  args: readonly string[],
  options: { cwd: string; env?: NodeJS.ProcessEnv; limitMs?: number; onLine?: (line: string) => void },
) {
  return new Promise<RunResult>((resolve) => {
    const startedMs = performance.now();
    const child = spawn(command, [...args], {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    let rest = '';
    let code: number | undefined;
    let tooLong = false;
    const take = (chunk: Buffer) => {
      const text = chunk.toString();
      output += text;
      if (!options.onLine) return;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) options.onLine(line);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const signal = (name: NodeJS.Signals) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, name);
      } catch {
        // Nobody of the group is left.
      }
    };
    const stop = () => signal('SIGTERM');
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
    const limit = setTimeout(
      () => {
        tooLong = true;
        signal('SIGKILL');
      },
      options.limitMs ?? 2 ** 31 - 1,
    );
    const ended = () => {
      process.off('SIGTERM', stop);
      process.off('SIGINT', stop);
      clearTimeout(limit);
      if (rest && options.onLine) options.onLine(rest);
      rest = '';
      resolve({ code: code ?? 1, output, ms: performance.now() - startedMs, tooLong });
    };
    child.once('error', (error) => {
      code = 127;
      output = String(error);
      ended();
    });
    child.once('exit', (status) => {
      code = status ?? 1;
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, OUTPUT_GRACE_MS).unref();
    });
    child.once('close', ended);
  });
}
