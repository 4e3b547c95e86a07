import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { secretFile, secretPath } from '../process/secret-file.ts';
import { toolEnvironment } from '../setup/cache.ts';
import type { Store, StoreContext } from './store.ts';

const front = fileURLToPath(new URL('../clickhouse-front/main.ts', import.meta.url));
const user = 'volley';
const reader = 'volley_reader';

export interface ClickHouseStore extends Store {
  /** For who only asks: dashboards, people. May set limits for its questions and changes nothing. */
  readonly readerAddress: string;
}

/** `addonFolder` is where the engine's native add-on lies; the front loads it from there. */
export function createClickHouse(context: StoreContext, addonFolder: string, port: number): ClickHouseStore {
  const folder = path.join(context.dataDir, 'clickhouse');
  const password = () => secretFile(context.dataDir, 'clickhouse');
  const readerPassword = () => secretFile(context.dataDir, 'clickhouse-reader');
  return {
    name: 'clickhouse',
    get address() {
      return `http://${user}:${password()}@127.0.0.1:${port}`;
    },
    get readerAddress() {
      return `http://${reader}:${readerPassword()}@127.0.0.1:${port}`;
    },
    async prepare() {
      mkdirSync(folder, { recursive: true });
      password();
      readerPassword();
    },
    child: () => ({
      name: 'clickhouse',
      command: process.execPath,
      args: [
        '--expose-gc',
        front,
        `--data=${folder}`,
        `--addon=${addonFolder}`,
        `--port=${port}`,
        `--user=${user}`,
        `--password-file=${secretPath(context.dataDir, 'clickhouse')}`,
        `--reader=${reader}`,
        `--reader-password-file=${secretPath(context.dataDir, 'clickhouse-reader')}`,
      ],
      // Each running query holds one thread of libuv's pool, and the default is four.
      env: { ...toolEnvironment(), TZ: 'UTC', UV_THREADPOOL_SIZE: '16' },
      cwd: folder,
      logFile: path.join(context.logDir, 'clickhouse.log'),
      // Its own stop waits up to 10 s for running queries.
      stopGraceMs: 15_000,
    }),
    async ready() {
      const response = await fetch(`http://127.0.0.1:${port}/?query=${encodeURIComponent('SELECT 1')}`, {
        headers: { authorization: `Basic ${Buffer.from(`${user}:${password()}`).toString('base64')}` },
        signal: AbortSignal.timeout(2000),
      });
      return (await response.text()).trim() === '1';
    },
    settle: async () => {},
  };
}
