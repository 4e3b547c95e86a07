import { backoffMs, sleep } from '@volley/runtime';
import pg from 'pg';
import { storeError } from './pool.ts';

const LOCK_NOT_AVAILABLE = '55P03';

export interface SlotLock {
  release(): Promise<void>;
}

/**
 * One live process a slot. Leases and group memberships belong to the slot, so that a restart takes over what its killed
 * predecessor held; two living processes of one slot would take from each other all the time. The lock lives as long as a
 * connection of its own: when the process dies it is free, as soon as Postgres has seen the connection end. That may take
 * a moment, so it is waited for. 'taken': somebody alive has it.
 *
 * A connection that breaks later (Postgres was restarted) is made again; `onLost`: another process was faster.
 */
export async function holdSlot(o: {
  url: string;
  clientId: string;
  waitMs: number;
  onLost: (error: Error) => void;
}): Promise<SlotLock | 'taken'> {
  let current: pg.Client | undefined;
  let released = false;
  const abort = new AbortController();

  async function take(): Promise<'held' | 'taken'> {
    const client = new pg.Client({
      connectionString: o.url,
      application_name: `${o.clientId}-slot`,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query(`SELECT set_config('lock_timeout', $1, false)`, [`${o.waitMs}ms`]);
      await client.query(`SELECT pg_advisory_lock(hashtextextended('volley.slot ' || $1, 0))`, [o.clientId]);
    } catch (error) {
      await client.end().catch(() => {});
      if ((error as { code?: string }).code === LOCK_NOT_AVAILABLE) return 'taken';
      throw storeError(error);
    }
    current = client;
    client.once('end', () => void again());
    return 'held';
  }

  async function again(): Promise<void> {
    for (let attempt = 1; !released; attempt++) {
      try {
        if ((await take()) === 'taken') o.onLost(slotTaken(o.clientId));
        if (released) await current?.end().catch(() => {});
        return;
      } catch {
        await sleep(backoffMs(attempt, 100, 2_000, Math.random()), abort.signal);
      }
    }
  }

  if ((await take()) === 'taken') return 'taken';
  return {
    async release() {
      released = true;
      abort.abort();
      await current?.end().catch(() => {});
    },
  };
}

export const slotTaken = (clientId: string): Error =>
  new Error(`another live process is ${clientId}: every process of a kind needs a VOLLEY_SLOT of its own`);
