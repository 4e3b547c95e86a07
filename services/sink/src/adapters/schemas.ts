import type { SchemaStore } from '@volley/contract';
import type { Answer, Schemas } from '../ports.ts';

/** A registry that just started, or one of several that has not caught up, says 404 too: one word buries no event. */
const UNKNOWN_TRIES = 3;
const UNKNOWN_AFTER_MS = 2_000;

interface Doubt {
  readonly sinceMs: number;
  answers: number;
  confirmed: boolean;
}

/** Unknown is what the registry has said three times over some seconds. Until then the record waits, as for any failure. */
export function createSchemas(options: { readonly store: SchemaStore; readonly nowMs: () => number }): Schemas {
  const { store, nowMs } = options;
  const doubts = new Map<number, Doubt>();
  /** Partitions that wait for the same schema ask together: one answer counts once. */
  const asking = new Map<number, Promise<Answer>>();

  async function ask(id: number): Promise<Answer> {
    // It was unknown, that is forgotten by now, and somebody asks anew.
    if (store.get(id) === undefined && doubts.get(id)?.confirmed) doubts.delete(id);
    try {
      await store.load(id);
    } catch (error) {
      return { ok: false, error: (error as Error).message };
    }
    if (store.get(id) !== 'unknown') {
      doubts.delete(id);
      return { ok: true };
    }
    const doubt = doubts.get(id) ?? { sinceMs: nowMs(), answers: 0, confirmed: false };
    doubts.set(id, doubt);
    doubt.answers += 1;
    doubt.confirmed ||= doubt.answers >= UNKNOWN_TRIES && nowMs() - doubt.sinceMs >= UNKNOWN_AFTER_MS;
    return doubt.confirmed ? { ok: true } : { ok: false, error: `the registry does not know schema ${id}` };
  }

  return {
    get(id) {
      const known = store.get(id);
      return known === 'unknown' && !doubts.get(id)?.confirmed ? undefined : known;
    },
    load(id) {
      let promise = asking.get(id);
      if (promise === undefined) {
        promise = ask(id).finally(() => asking.delete(id));
        asking.set(id, promise);
      }
      return promise;
    },
  };
}
