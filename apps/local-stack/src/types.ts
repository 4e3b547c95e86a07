export type StoreName = 'kafka' | 'registry' | 'postgres' | 'clickhouse';

export interface StackOptions {
  /** Folder for everything, normally `<clone>/.volley`. */
  root: string;
  /** Normally `root/data`; tests pass a folder of their own. One live stack a folder. */
  dataDir: string;
  /** One file a component: kafka.log, registry.log, postgres.log, clickhouse.log, setup.log. */
  logDir: string;
  /** Downloads and class archives. Survives `reset`; several stacks share it, set-up is guarded by a lock. */
  cacheDir: string;
  /** Preferred ports; absent ones are the contract's. A taken one is replaced by the next free one. */
  ports?: Partial<Record<'kafka' | 'controller' | 'registry' | 'postgres' | 'clickhouse', number>>;
  /** Take free ports and do not try the contract's at all. */
  anyPorts?: boolean;
  /** A store with an address here is not started; the address is handed on as it is. */
  external?: Partial<Record<StoreName, string>>;
  /** Progress, one human line a call. */
  log: (line: string) => void;
  /** A store ended by itself: its name and its last log lines. */
  onCrash: (component: string, tail: string[]) => void;
  /** Gives a start up half way: what was started is stopped, then `startStack` rejects. */
  signal?: AbortSignal;
}

export interface StackAddresses {
  /** host:port */
  kafka: string;
  /** With the API path, such as http://127.0.0.1:8081/apis/ccompat/v7 */
  registry: string;
  /** postgres://user:password@127.0.0.1:port/volley */
  postgres: string;
  /** http://user:password@127.0.0.1:port, no path. */
  clickhouse: string;
}

export interface RunningStack {
  addresses: StackAddresses;
  /** Of the process itself, never of a wrapper. External stores have none. */
  pids: Partial<Record<StoreName, number>>;
  /** Milliseconds: each store from spawn to ready, and `total` with all set-up. */
  timings: Record<string, number>;
  /** Ordered and idempotent; resolves when nothing is left running. */
  stop(): Promise<void>;
  /** Starts again a store that was killed: same folder, same port. For fault tests. */
  restart(component: StoreName): Promise<void>;
}
