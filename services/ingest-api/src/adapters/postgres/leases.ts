import type { Clock } from '@volley/runtime';
import type { Lease, Leases } from '../../ports.ts';
import { ask, type Pool } from './pool.ts';

export const LEASE_MS = 5_000;

/**
 * A lease is valid here for less time than in the store: it counts from before the store was asked, by a clock that
 * does not jump, less a tenth. Who has it may still be asleep when it acts; that is what the fence is for.
 */
export function leaseFrom(clock: Clock, askedAtMs: number, fence: number): Lease {
  const untilMs = askedAtMs + LEASE_MS * 0.9;
  return { fence, valid: () => clock.monotonicMs() < untilMs };
}

/** `owner` is stable for a slot: a restart after a kill takes its own lease back without waiting for its end. */
export function createLeases(pool: Pool, owner: string, clock: Clock): Leases {
  const held = new Map<string, { lease: Lease; renewAtMs: number }>();
  return {
    async hold(name) {
      const now = clock.monotonicMs();
      const have = held.get(name);
      if (have?.lease.valid() && now < have.renewAtMs) return have.lease;
      held.delete(name);
      // Renewed by its fence; otherwise taken when it is over, or when it was ours before we were started again.
      const rows = await ask<{ fence: number }>(
        pool,
        `INSERT INTO leases (name, owner, fence, expires_at) VALUES ($1, $2, 1, now() + $3 * interval '1 ms')
         ON CONFLICT (name) DO UPDATE SET
           owner = $2,
           fence = leases.fence + CASE WHEN leases.owner = $2 AND leases.fence = $4 THEN 0 ELSE 1 END,
           expires_at = now() + $3 * interval '1 ms'
         WHERE (leases.owner = $2 AND ($4::bigint IS NULL OR leases.fence = $4)) OR leases.expires_at < now()
         RETURNING fence`,
        [name, owner, LEASE_MS, have?.lease.fence ?? null],
      );
      const fence = rows[0]?.fence;
      if (fence === undefined) return undefined;
      const lease = leaseFrom(clock, now, fence);
      held.set(name, { lease, renewAtMs: now + LEASE_MS / 2 });
      return lease;
    },
    async release() {
      const names = [...held.keys()];
      const fences = names.map((name) => held.get(name)?.lease.fence ?? 0);
      held.clear();
      await ask(
        pool,
        `UPDATE leases SET expires_at = '-infinity' FROM unnest($1::text[], $2::bigint[]) AS mine(n, f)
         WHERE name = n AND fence = f AND owner = $3`,
        [names, fences, owner],
      );
    },
  };
}
