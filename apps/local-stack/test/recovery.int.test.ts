import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import pg from 'pg';
import { type StackAddresses, StackError, type StoreName, startStack } from '../src/index.ts';
import { isAlive } from '../src/process/process-table.ts';
import { stackFolder, until } from './support/stacks.ts';

const entry = fileURLToPath(new URL('../src/dev.ts', import.meta.url));

interface Written extends StackAddresses {
  pids: Record<StoreName, number>;
}

/** The stores of `folder`, in a supervisor process of their own. */
async function startElsewhere(
  folder: ReturnType<typeof stackFolder>,
): Promise<{ pid: number; written: Written; ended: Promise<number | null> }> {
  const out = path.join(folder.root, 'stack.json');
  const child = spawn(
    process.execPath,
    [entry, '--any-ports', '--data', path.join(folder.root, 'data'), '--out', out],
    { stdio: 'ignore' },
  );
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  await until(() => existsSync(out), 'the stores are up', 90_000);
  return { pid: child.pid as number, written: JSON.parse(readFileSync(out, 'utf8')) as Written, ended };
}

test('a killed supervisor takes its stores with it, and the next start finds their data', async (t) => {
  const folder = stackFolder();
  const first = await startElsewhere(folder);
  const client = new pg.Client({ connectionString: first.written.postgres });
  client.on('error', () => {});
  await client.connect();
  await client.query('CREATE TABLE kept AS SELECT 1 AS n');
  process.kill(first.pid, 'SIGKILL');
  await first.ended;
  await until(() => Object.values(first.written.pids).every((pid) => !isAlive(pid)), 'the stores have ended', 5000);
  await until(() => folder.processes().length === 0, 'their own children have ended too', 10_000);

  const stack = await startStack(folder.options());
  const again = new pg.Client({ connectionString: stack.addresses.postgres });
  await again.connect();
  t.is((await again.query('SELECT n FROM kept')).rowCount, 1);
  await again.end();
  await stack.stop();
  t.deepEqual(folder.processes(), []);
  folder.remove();
});

test('SIGTERM stops all in order, and the file with the addresses goes first', async (t) => {
  const folder = stackFolder();
  const { pid, written, ended } = await startElsewhere(folder);
  process.kill(pid, 'SIGTERM');
  t.is(await ended, 0);
  t.false(existsSync(path.join(folder.root, 'stack.json')));
  t.true(Object.values(written.pids).every((store) => !isAlive(store)));
  folder.remove();
});

test('a start that fails half way leaves nothing running and says whose log to read', async (t) => {
  const folder = stackFolder();
  const postgres = path.join(folder.root, 'data', 'postgres');
  mkdirSync(postgres, { recursive: true });
  writeFileSync(path.join(postgres, 'PG_VERSION'), 'no version\n');
  const error = await t.throwsAsync(startStack(folder.options()), { instanceOf: StackError });
  t.regex(error?.message ?? '', /^postgres did not start: .*postgres\.log/);
  t.deepEqual(folder.processes(), []);
  folder.remove();
});

test('a start that is given up leaves nothing running', async (t) => {
  const folder = stackFolder();
  const abort = new AbortController();
  const reason = new StackError('stopped by the test');
  const log = (line: string) => {
    if (line.includes('is ready')) abort.abort(reason);
  };
  t.is(await t.throwsAsync(startStack(folder.options({ log, signal: abort.signal }))), reason);
  t.deepEqual(folder.processes(), []);
  const stack = await startStack(folder.options());
  await stack.stop();
  folder.remove();
});

test('stores with an address of their own are not started', async (t) => {
  const folder = stackFolder();
  const external = {
    kafka: 'far:9092',
    registry: 'http://far:8081',
    postgres: 'postgres://far/volley',
    clickhouse: 'http://far:8123',
  };
  const stack = await startStack(folder.options({ external }));
  t.deepEqual(stack.addresses, external);
  t.deepEqual(stack.pids, {});
  await t.throwsAsync(stack.restart('kafka'), { instanceOf: StackError });
  await stack.stop();
  folder.remove();
});
