import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Child, spawnChild } from '../../src/process/child.ts';
import { createPortPicker } from '../../src/process/ports.ts';
import { ensureChdb } from '../../src/setup/chdb-package.ts';
import { createClickHouse } from '../../src/stores/clickhouse.ts';
import { until } from '../../src/until.ts';

export const cacheDir = fileURLToPath(new URL('../../../../.volley/cache', import.meta.url));

export interface TestFront {
  url: string;
  /** The same as its read-only user. */
  readerUrl: string;
  folder: string;
  child: Child;
  /** Starts it again on the same folder and port, after the test has ended it. */
  again(): Promise<Child>;
  /** A second process on the same folder, on a port of its own; not waited for. */
  rival(): Promise<Child>;
  remove(): Promise<void>;
}

/** The front alone, on a folder of its own: no Java, ready in half a second. */
export async function startFront(): Promise<TestFront> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'volley-front-'));
  const ports = createPortPicker(() => {});
  const setup = { cacheDir, logFile: path.join(folder, 'setup.log'), log: () => {} };
  const addon = await ensureChdb(setup);
  const context = { dataDir: folder, logDir: folder, setupLog: setup.logFile, log: () => {} };
  const store = createClickHouse(context, addon, await ports.any('clickhouse'));

  async function start(): Promise<Child> {
    await store.prepare();
    const child = await spawnChild(store.child());
    await until(store.ready, { timeoutMs: 30_000, gone: child.exited });
    return child;
  }

  const front: TestFront = {
    url: store.address,
    readerUrl: store.readerAddress,
    folder,
    child: await start(),
    async again() {
      front.child = await start();
      return front.child;
    },
    async rival() {
      return spawnChild(createClickHouse(context, addon, await ports.any('rival')).child());
    },
    async remove() {
      await front.child.stop();
      await ports.release();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return front;
}
