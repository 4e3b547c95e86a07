import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A process of the sink's that ends by itself. */
export function startProcess(main: URL, env: Record<string, string>) {
  const child = spawn(process.execPath, [fileURLToPath(main)], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { stdout: () => stdout, ended, kill: () => child.kill('SIGKILL') };
}
