import type { SchemaStore } from '@volley/contract';
import { backoffMs, type Logger, sleep } from '@volley/runtime';
import type { Schemas } from '../ports.ts';

/** The registry must say three times that there is no such schema before a record is given up for it. */
const UNKNOWN_TRIES = 3;
const RETRY_BASE_MS = 100;
const RETRY_CAP_MS = 5_000;

export interface SchemasAdapter extends Schemas {
  /** Why schemas cannot be asked for, while something waits for one. */
  problem(): string | undefined;
  close(): void;
}

export function createSchemas(options: {
  readonly store: SchemaStore;
  readonly random: () => number;
  readonly log: Logger;
}): SchemasAdapter {
  const { store, log } = options;
  const closing = new AbortController();
  const asking = new Map<number, Promise<void>>();
  let problem: string | undefined;

  async function ask(schemaId: number): Promise<void> {
    let unknown = 0;
    for (let attempt = 1; !closing.signal.aborted; attempt++) {
      try {
        await store.load(schemaId);
        problem = undefined;
        if (store.get(schemaId) !== 'unknown') return;
        unknown += 1;
        if (unknown >= UNKNOWN_TRIES) return;
      } catch (error) {
        if (problem === undefined) log.error({ err: error, schemaId }, 'the schema registry cannot be asked: waiting');
        problem = 'the schema registry cannot be asked';
      }
      await sleep(backoffMs(attempt, RETRY_BASE_MS, RETRY_CAP_MS, options.random()), closing.signal);
    }
    // Stopping: whoever waits keeps waiting, its records stay unsettled.
    return new Promise(() => {});
  }

  return {
    ensure(schemaId) {
      let promise = asking.get(schemaId);
      if (promise === undefined) {
        promise = ask(schemaId).finally(() => asking.delete(schemaId));
        asking.set(schemaId, promise);
      }
      return promise;
    },
    problem: () => problem,
    close: () => closing.abort(),
  };
}
