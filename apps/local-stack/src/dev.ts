import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { StackError, startStack } from './index.ts';

// The four stores alone, for working on one service: addresses in a file, up until SIGTERM.
const { values } = parseArgs({
  options: { 'any-ports': { type: 'boolean', default: false }, data: { type: 'string' }, out: { type: 'string' } },
});
const root = fileURLToPath(new URL('../../../.volley', import.meta.url));
const dataDir = path.resolve(values.data ?? path.join(root, 'data'));
const abort = new AbortController();
let stop = async () => abort.abort(new StackError('stopped before the stores were ready'));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());

try {
  const stack = await startStack({
    root,
    dataDir,
    logDir: values.data === undefined ? path.join(root, 'logs') : path.join(dataDir, '..', 'logs'),
    cacheDir: path.join(root, 'cache'),
    anyPorts: values['any-ports'],
    log: (line) => console.error(line),
    onCrash: (component, tail) => console.error(`${component} ended by itself; its last lines:\n${tail.join('\n')}`),
    signal: abort.signal,
  });
  const out = values.out;
  stop = async () => {
    if (out !== undefined) rmSync(out, { force: true });
    await stack.stop();
  };
  if (out !== undefined) {
    mkdirSync(path.dirname(path.resolve(out)), { recursive: true });
    writeFileSync(`${out}.new`, `${JSON.stringify({ ...stack.addresses, pids: stack.pids })}\n`, { mode: 0o600 });
    renameSync(`${out}.new`, out);
  }
  console.log(JSON.stringify({ ...stack.addresses, pids: stack.pids, timings: stack.timings }, null, 2));
  // The children hold no handle that keeps this process; a timer does.
  const keep = setInterval(() => {}, 1 << 30);
  const ended = stop;
  stop = async () => {
    await ended();
    clearInterval(keep);
  };
} catch (error) {
  if (!(error instanceof StackError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
