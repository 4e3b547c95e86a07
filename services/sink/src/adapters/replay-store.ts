import type { Query } from '@volley/contract/replays';
import pg from 'pg';

const TIMEOUT_MS = 5_000;

export interface ReplayStore {
  readonly query: Query;
  close(): Promise<void>;
}

/** One connection for one question at a time. */
export function createReplayStore(o: { readonly url: string; readonly applicationName: string }): ReplayStore {
  const pool = new pg.Pool({
    connectionString: o.url,
    application_name: o.applicationName,
    max: 1,
    connectionTimeoutMillis: TIMEOUT_MS,
    statement_timeout: TIMEOUT_MS,
    // The server may hang as a whole: then only our own clock ends the wait.
    query_timeout: TIMEOUT_MS + 1_000,
    keepAlive: true,
  });
  // A connection that breaks is made again by the next question; without a listener it would end the process.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return {
    query: async <R>(sql: string, params: readonly unknown[]) => (await pool.query(sql, [...params])).rows as R[],
    close: () => pool.end(),
  };
}
