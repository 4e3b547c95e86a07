import type { ChildSpec } from '../process/child.ts';
import type { StoreName } from '../types.ts';

export interface Store {
  name: StoreName;
  /** What `StackAddresses` gets. */
  address: string;
  /** Before each start, with no process of it running: makes its folder, recovers what a kill left. */
  prepare(): Promise<void>;
  child(): ChildSpec;
  /** Asks the store itself. Throws or answers false while it is not there yet. */
  ready(): Promise<boolean>;
  /** Once per start, after it is ready and before anybody is told. */
  settle(): Promise<void>;
}

export interface StoreContext {
  dataDir: string;
  logDir: string;
  setupLog: string;
  log: (line: string) => void;
  signal?: AbortSignal | undefined;
}
