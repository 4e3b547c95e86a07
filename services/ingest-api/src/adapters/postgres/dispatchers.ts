import type { DispatcherState } from '@volley/contract';
import type { DispatcherReader } from '../../overview-ports.ts';
import { ask, type Pool } from './pool.ts';

export function createDispatcherReader(pool: Pool): DispatcherReader {
  return {
    async rows(namespace) {
      const rows = await ask<{ id: string; age: number; state: Partial<DispatcherState> }>(
        pool,
        `SELECT id, greatest(0, extract(epoch FROM clock_timestamp() - seen_at) * 1000)::float8 AS age, state
         FROM dispatchers WHERE namespace = $1 AND seen_at > clock_timestamp() - interval '1 day'
         ORDER BY id LIMIT 1000`,
        [namespace],
      );
      // The namespace stands before the client id, which is the name that logs and consumer groups know.
      return rows.map(({ id, age, state }) => ({
        id: id.slice(namespace.length + 1),
        seenMsAgo: Math.round(age),
        state,
      }));
    },

    async counted(topic) {
      const rows = await ask<{ partition: number; next: number }>(
        pool,
        'SELECT partition, next_offset AS next FROM progress_offsets WHERE topic = $1',
        [topic],
      );
      return new Map(rows.map(({ partition, next }) => [partition, next]));
    },
  };
}
