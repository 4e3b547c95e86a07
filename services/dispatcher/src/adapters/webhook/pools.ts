import { Pool } from 'undici';
import { type Guard, portOf } from './guard.ts';
import { type createResolver, guardedLookup } from './lookup.ts';

/** Idle connections are ours to close: below the 5 s after which Node's own servers close theirs. */
const KEEP_ALIVE_MS = 4_000;
const MAX_HEADER_BYTES = 16_384;

export interface PooledCall {
  readonly pool: Pool;
  /** To be called once, when nothing of the call is under way any more. */
  release(): void;
}

export interface Pools {
  /** `guard` for a recipient's URL; a connection made without one is never used for a recipient. */
  take(url: URL, guard: Guard | undefined): PooledCall;
  size(): number;
  close(): Promise<void>;
}

interface Entry {
  readonly pool: Pool;
  calls: number;
}

/**
 * Keep-alive connections by origin. With `maxOrigins` origins, the one that was used longest ago and has no call under
 * way is closed; calls under way are bounded by the provider's concurrency, so the pools are bounded too.
 */
export function createPools(options: {
  readonly connections: number;
  readonly maxOrigins: number;
  /** To connect with everything: name, TCP, TLS. */
  readonly connectMs: number;
  readonly answerMs: number;
  readonly resolveAll: ReturnType<typeof createResolver>;
}): Pools {
  /** In order of use. */
  const pools = new Map<string, Entry>();
  const closing = new Set<Promise<void>>();

  function open(url: URL, guard: Guard | undefined): Entry {
    const pool = new Pool(url.origin, {
      connections: options.connections,
      pipelining: 1,
      // One request a connection: an aborted call closes its own connection and nobody else's.
      allowH2: false,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: 60_000,
      headersTimeout: options.answerMs,
      bodyTimeout: options.answerMs,
      maxHeaderSize: MAX_HEADER_BYTES,
      connect: {
        timeout: options.connectMs,
        ...(guard === undefined ? {} : { lookup: guardedLookup(guard, portOf(url), options.resolveAll) }),
      },
    });
    return { pool, calls: 0 };
  }

  function close(entry: Entry): void {
    const closed: Promise<void> = entry.pool
      .close()
      .catch(() => {})
      .finally(() => closing.delete(closed));
    closing.add(closed);
  }

  function evict(): void {
    for (const [key, entry] of pools) {
      if (pools.size <= options.maxOrigins) return;
      if (entry.calls > 0) continue;
      pools.delete(key);
      close(entry);
    }
  }

  return {
    take(url, guard) {
      const key = `${guard === undefined ? '' : 'recipient '}${url.origin}`;
      const found = pools.get(key);
      const entry = found ?? open(url, guard);
      if (found !== undefined) pools.delete(key);
      entry.calls += 1;
      pools.set(key, entry);
      evict();
      return {
        pool: entry.pool,
        release: () => {
          entry.calls -= 1;
        },
      };
    },
    size: () => pools.size,
    async close() {
      for (const entry of pools.values()) close(entry);
      pools.clear();
      await Promise.all(closing);
    },
  };
}
