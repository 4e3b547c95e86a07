import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startStack } from '@volley/local-stack';

/** An engine of the test's own, which it may kill, stop and start again. */
export interface OwnClickHouse {
  /** With user and password; the same after a restart. */
  readonly address: string;
  /** SIGKILL. */
  kill(): void;
  /** It keeps its connections and answers nothing, as a machine that hangs. */
  freeze(): void;
  thaw(): void;
  /** After `kill`: the same folder, the same port. Resolves when it answers. */
  restart(): Promise<void>;
  /** Frozen or dead, it runs again. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}

const cacheDir = join(import.meta.dirname, '..', '..', '.volley', 'cache');

/** `folder` is the test's own. */
export async function startOwnClickHouse(folder: string): Promise<OwnClickHouse> {
  const [dataDir, logDir] = [join(folder, 'clickhouse-data'), join(folder, 'logs')];
  for (const dir of [dataDir, logDir]) mkdirSync(dir, { recursive: true });
  const stack = await startStack({
    root: folder,
    dataDir,
    logDir,
    cacheDir,
    anyPorts: true,
    external: { kafka: 'none', registry: 'none', postgres: 'none' },
    log: () => {},
    onCrash: () => {},
  });
  let frozen = false;
  const pid = () => stack.pids.clickhouse;
  const signal = (name: NodeJS.Signals) => {
    const now = pid();
    if (now !== undefined) process.kill(now, name);
  };
  const own: OwnClickHouse = {
    address: stack.addresses.clickhouse,
    kill: () => signal('SIGKILL'),
    freeze() {
      frozen = true;
      signal('SIGSTOP');
    },
    thaw() {
      frozen = false;
      signal('SIGCONT');
    },
    restart: () => stack.restart('clickhouse'),
    async heal() {
      if (frozen) own.thaw();
      if (pid() === undefined) await own.restart();
    },
    async stop() {
      if (frozen) own.thaw();
      await stack.stop();
    },
  };
  return own;
}
