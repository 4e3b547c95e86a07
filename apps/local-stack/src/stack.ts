import { mkdirSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { dataLockKey } from './data-folder.ts';
import { type Child, spawnChild } from './process/child.ts';
import { endLeftover, removePidFile, writePidFile } from './process/pid-file.ts';
import { createPortPicker, type PortPicker } from './process/ports.ts';
import { tryLock } from './process/process-lock.ts';
import type { SetupContext } from './setup/cache.ts';
import { StackError } from './stack-error.ts';
import { setUpClickHouse, setUpKafka, setUpRegistry } from './stack-setup.ts';
import { createClickHouse } from './stores/clickhouse.ts';
import { createKafka } from './stores/kafka.ts';
import { createPostgres } from './stores/postgres.ts';
import { postgresBinaries } from './stores/postgres-binaries.ts';
import { postgresIdentity } from './stores/postgres-identity.ts';
import { createRegistry } from './stores/registry.ts';
import type { Store, StoreContext } from './stores/store.ts';
import type { RunningStack, StackAddresses, StackOptions, StoreName } from './types.ts';
import { until } from './until.ts';

const stopOrder: StoreName[] = ['registry', 'kafka', 'postgres', 'clickhouse'];
const contractPorts = { kafka: 9092, controller: 9093, registry: 8081, postgres: 5432, clickhouse: 8123 };
/** A broker with a large log to recover after a kill is slow, not broken. */
const readyTimeoutMs = 90_000;

/**
 * Starts what has no external address. The stores do not need each other, so each goes from set-up to ready on its own
 * and they wait only for the machine. Order matters at the end: whoever writes is stopped before what it writes to.
 */
export async function startStack(options: StackOptions): Promise<RunningStack> {
  const began = performance.now();
  for (const folder of [options.dataDir, options.logDir, options.cacheDir])
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  const dataDir = realpathSync(options.dataDir);
  const logDir = realpathSync(options.logDir);
  const cacheDir = realpathSync(options.cacheDir);
  const ownership = await tryLock(dataLockKey(dataDir));
  if (!ownership.held) {
    const owner = ownership.ownerPid === undefined ? 'another process' : `process ${ownership.ownerPid}`;
    throw new StackError(
      `${dataDir} is in use by a stack that is running (${owner}): stop that one, or use another folder.`,
    );
  }
  const lock = ownership.lock;
  const abort = new AbortController();
  const signal = options.signal === undefined ? abort.signal : AbortSignal.any([abort.signal, options.signal]);
  const ports = createPortPicker(options.log);
  const setupLog = path.join(logDir, 'setup.log');
  const setup: SetupContext = { cacheDir, logFile: setupLog, log: options.log, signal };
  const context: StoreContext = { dataDir, logDir, setupLog, log: options.log, signal };
  const pidFile = (name: string) => path.join(dataDir, `${name}.pid`);
  const children = new Map<StoreName, Child>();
  const stores = new Map<StoreName, Store>();
  const pids: RunningStack['pids'] = {};
  const timings: Record<string, number> = {};
  let stopping: Promise<void> | undefined;
  let up = false;

  async function launch(store: Store): Promise<void> {
    await endLeftover(pidFile(store.name), dataDir, options.log);
    await store.prepare();
    signal.throwIfAborted();
    const spawned = performance.now();
    const child = await spawnChild(store.child());
    children.set(store.name, child);
    writePidFile(pidFile(store.name), child.pid);
    try {
      await until(() => store.ready(), { timeoutMs: readyTimeoutMs, signal, gone: child.exited });
      await store.settle();
    } catch (error) {
      signal.throwIfAborted();
      throw new StackError(
        startFailure(store.name, error as Error, child.tail(), path.join(logDir, `${store.name}.log`)),
      );
    }
    pids[store.name] = child.pid;
    timings[store.name] = Math.round(performance.now() - spawned);
    void child.exited.then(() => {
      if (children.get(store.name) !== child) return;
      children.delete(store.name);
      removePidFile(pidFile(store.name));
      delete pids[store.name];
      if (!child.stopping() && up) options.onCrash(store.name, child.tail());
    });
  }

  async function stopAll(): Promise<void> {
    for (const name of stopOrder) {
      await children.get(name)?.stop();
      removePidFile(pidFile(name));
    }
    await ports.release();
    await lock.release();
  }

  const plan: Record<StoreName, () => Promise<Store>> = {
    async kafka() {
      const [broker, controller] = [await pick(options, ports, 'kafka'), await pick(options, ports, 'controller')];
      return createKafka(context, await setUpKafka(setup, ports), { broker, controller });
    },
    async registry() {
      const port = await pick(options, ports, 'registry');
      return createRegistry(context, await setUpRegistry(setup, ports), port);
    },
    async postgres() {
      const port = await pick(options, ports, 'postgres');
      return createPostgres(context, await postgresBinaries(), postgresIdentity(), port);
    },
    async clickhouse() {
      const port = await pick(options, ports, 'clickhouse');
      return createClickHouse(context, await setUpClickHouse(setup), port);
    },
  };

  const wanted = stopOrder.filter((name) => options.external?.[name] === undefined);
  const results = await Promise.allSettled(
    wanted.map(async (name) => {
      try {
        const store = await plan[name]();
        stores.set(name, store);
        await launch(store);
        options.log(`${name} is ready (${((performance.now() - began) / 1000).toFixed(1)} s)`);
      } catch (error) {
        // The others are of no use now: their set-up and their waiting end too.
        abort.abort(error);
        throw error;
      }
    }),
  );
  const failed = results.some((result) => result.status === 'rejected');
  // One may have ended while the others were still on their way.
  const gone = wanted.find((name) => !children.get(name)?.running());
  if (failed || gone !== undefined) {
    await stopAll();
    if (failed) throw options.signal?.aborted ? options.signal.reason : abort.signal.reason;
    throw new StackError(
      `${gone} ended before the other stores were ready: its log is ${path.join(logDir, `${gone}.log`)}.`,
    );
  }
  up = true;
  timings.total = Math.round(performance.now() - began);

  return {
    addresses: addresses(options, stores),
    pids,
    timings,
    stop() {
      stopping ??= stopAll();
      return stopping;
    },
    async restart(name) {
      const store = stores.get(name);
      if (store === undefined)
        throw new StackError(`${name} is not a store of this stack: it has an external address.`);
      if (children.get(name)?.running())
        throw new StackError(`${name} is running: kill it before it is started again.`);
      await launch(store);
    },
  };
}

function pick(options: StackOptions, ports: PortPicker, name: keyof typeof contractPorts): Promise<number> {
  const preferred = options.ports?.[name];
  if (preferred === undefined && options.anyPorts) return ports.any(name);
  return ports.near(name, preferred ?? contractPorts[name]);
}

function addresses(options: StackOptions, stores: Map<StoreName, Store>): StackAddresses {
  const of = (name: StoreName) => options.external?.[name] ?? (stores.get(name) as Store).address;
  return { kafka: of('kafka'), registry: of('registry'), postgres: of('postgres'), clickhouse: of('clickhouse') };
}

function startFailure(name: StoreName, error: Error, tail: string[], logFile: string): string {
  const last = tail.length === 0 ? 'It wrote no log.' : `Its last lines:\n  ${tail.slice(-8).join('\n  ')}`;
  return `${name} did not start: ${error.message}. The log is ${logFile}. ${last}`;
}
