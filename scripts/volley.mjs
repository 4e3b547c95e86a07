#!/usr/bin/env node
/**
 * The door to everything: needs no dependency and runs on the Node that a fresh clone has (20 or newer). Installs what
 * the lockfile names when it changed, then goes on under the repository's own Node 24 (npm package `node`).
 *
 * Signals: the child has a process group of its own and gets each signal once, from here, however the terminal, npm or
 * a supervisor delivers it (to this process or to its whole group). If this process is killed outright, the child sees
 * its IPC channel close and stops in order as well.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

function fail(sentence) {
  process.stderr.write(`volley: ${sentence}\n`);
  process.exit(1);
}

if (Number(process.versions.node.split('.')[0]) < 20) {
  fail(`Node ${process.versions.node} is too old: install Node 20 or newer and run this again.`);
}

const node = join(root, 'node_modules', '.bin', 'node');
const stamp = join(root, 'node_modules', '.volley-installed');
const lock = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');

/** Installed by us from this very lockfile, or by hand after it was last changed (npm writes its own copy at the end). */
function installed() {
  if (!existsSync(node)) return false;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return true;
  const copy = join(root, 'node_modules', '.package-lock.json');
  return existsSync(copy) && statSync(copy).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
}

async function install() {
  process.stderr.write('volley: installing packages (npm ci)\n');
  const npm = spawn('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  const stop = (signal) => npm.kill(signal);
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const [code, signal] = await new Promise((resolve) => {
    npm.once('error', () => resolve([127, null]));
    npm.once('exit', (c, s) => resolve([c, s]));
  });
  process.off('SIGINT', stop);
  process.off('SIGTERM', stop);
  if (signal) process.exit(130);
  if (code === 127) fail('npm is not on the PATH: install npm and run this again.');
  if (code !== 0) fail('npm ci failed: its own words are above. Mend that and run this again.');
  if (!existsSync(node) || spawnSync(node, ['--version']).status !== 0) {
    fail(
      'the package `node` did not install its binary: allow its install script (npm config ignore-scripts false) and run this again.',
    );
  }
  writeFileSync(stamp, lock);
}

if (!installed()) await install();

const [command = 'help', ...args] = process.argv.slice(2);
const SCRIPTS = {
  test: 'scripts/test.ts',
  check: 'scripts/check.ts',
  bench: 'scripts/bench.ts',
  gen: 'scripts/gen.ts',
  faults: 'scripts/faults.ts',
};
const entry = SCRIPTS[command]
  ? [join(root, SCRIPTS[command]), ...args]
  : [join(root, 'apps/cli/src/main.ts'), command, ...args];

const child = spawn(node, ['--disable-warning=TimeoutNegativeWarning', ...entry], {
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  detached: true,
  env: {
    ...process.env,
    PATH: `${join(root, 'node_modules', '.bin')}:${process.env.PATH ?? ''}`,
    VOLLEY_PARENT_IPC: '1',
  },
});
let lastSignalMs = 0;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    // npm passes a signal on that the terminal has already sent to the group: within a second it is the same one.
    if (Date.now() - lastSignalMs < 1_000) return;
    lastSignalMs = Date.now();
    child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
  });
}
child.once('error', (error) => fail(`cannot start ${node}: ${error.message}`));
child.once('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
