import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { commandLine, isAlive } from '../process/process-table.ts';
import { runTool } from '../process/run-tool.ts';
import { secretFile } from '../process/secret-file.ts';
import { toolEnvironment } from '../setup/cache.ts';
import { StackError } from '../stack-error.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import type { PostgresIdentity } from './postgres-identity.ts';
import type { Store, StoreContext } from './store.ts';

const user = 'volley';

export function createPostgres(
  context: StoreContext,
  binaries: PostgresBinaries,
  identity: PostgresIdentity,
  port: number,
): Store {
  const folder = path.join(context.dataDir, 'postgres');
  const password = () => secretFile(context.dataDir, 'postgres');
  const url = (database: string) => `postgres://${user}:${password()}@127.0.0.1:${port}/${database}`;
  return {
    name: 'postgres',
    get address() {
      return url('volley');
    },
    async prepare() {
      if (existsSync(path.join(folder, 'PG_VERSION'))) removeForeignPidFile(folder);
      else await initialise(context, binaries, identity, folder);
      identity.own(folder);
    },
    child: () => ({
      name: 'postgres',
      command: binaries.postgres,
      prefix: identity.prefix,
      args: [
        '-D',
        folder,
        '-p',
        String(port),
        ...Object.entries(serverSettings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      env: { ...toolEnvironment(), LC_ALL: 'C', TZ: 'UTC' },
      cwd: folder,
      logFile: path.join(context.logDir, 'postgres.log'),
      // SIGINT is its fast stop; SIGTERM would wait until every client has gone.
      stopSignal: 'SIGINT',
    }),
    ready: () => withClient(url('postgres'), async (client) => (await client.query('SELECT 1')).rowCount === 1),
    settle: () =>
      withClient(url('postgres'), async (client) => {
        const known = await client.query("SELECT 1 FROM pg_database WHERE datname = 'volley'");
        if (known.rowCount === 0) await client.query('CREATE DATABASE volley');
      }),
  };
}

/** fsync and synchronous_commit keep their default, on: an answered command is on disk. */
const serverSettings = {
  listen_addresses: '127.0.0.1',
  // A socket's path may have 107 bytes, and a clone may lie deeper.
  unix_socket_directories: '',
  max_connections: 100,
  shared_buffers: '64MB',
  // One checkpoint in a long while: this is a small database with bursts.
  max_wal_size: '512MB',
  min_wal_size: '80MB',
  wal_compression: 'on',
  // Replication is off, so neither its launcher nor its WAL is needed.
  wal_level: 'minimal',
  max_wal_senders: 0,
  max_logical_replication_workers: 0,
  // Workers keep 5 MiB each; the worker method would start three for a disk that is mostly cached.
  io_method: 'sync',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] ',
} as const;

/** Under a temporary name first: an initdb that was killed leaves nothing that looks like a database. */
async function initialise(
  context: StoreContext,
  binaries: PostgresBinaries,
  identity: PostgresIdentity,
  folder: string,
): Promise<void> {
  const parent = `${folder}.making`;
  const temporary = path.join(parent, 'data');
  rmSync(parent, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true, mode: 0o700 });
  // A copy for initdb, which may run as a user who cannot read ours.
  const passwordFile = path.join(parent, 'password');
  writeFileSync(passwordFile, `${secretFile(context.dataDir, 'postgres')}\n`, { mode: 0o600 });
  identity.own(parent);
  const result = await runTool(
    [
      binaries.initdb,
      `--pgdata=${temporary}`,
      `--username=${user}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C.UTF-8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
    ],
    {
      cwd: parent,
      env: { ...toolEnvironment(), LC_ALL: 'C' },
      logFile: context.setupLog,
      prefix: identity.prefix,
      signal: context.signal,
    },
  );
  if (!result.ok) throw new StackError(`Postgres could not make its folder ${folder}: ${result.tail.join(' | ')}`);
  renameSync(temporary, folder);
  rmSync(parent, { recursive: true, force: true });
}

/**
 * Postgres takes any live process with the recorded number for a server of this folder. After a reboot that may be
 * anything, so a number which is not a Postgres of this folder is forgotten; a real one it still finds by its shared memory.
 */
function removeForeignPidFile(folder: string): void {
  const file = path.join(folder, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
  if (!(pid > 0) || !isAlive(pid) || !commandLine(pid)?.includes(folder)) rmSync(file, { force: true });
}

async function withClient<T>(connectionString: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 2000 });
  client.on('error', () => {});
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}
