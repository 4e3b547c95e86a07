import type { Query } from '@volley/contract/replays';
import pg from 'pg';
import type { AskedRedrive, Redrives } from '../replay-ports.ts';

const TIMEOUT_MS = 5_000;

export interface ReplayStore {
  readonly query: Query;
  close(): Promise<void>;
}

/** Two connections at most: one for the leases, one for questions that take longer. */
export function createReplayStore(o: { readonly url: string; readonly applicationName: string }): ReplayStore {
  const pool = new pg.Pool({
    connectionString: o.url,
    application_name: o.applicationName,
    max: 2,
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

/** The id of the replay is the id of its redrive: it can be asked for any number of times, and stands there once. */
const ASK = `
WITH held AS (
  SELECT * FROM replays WHERE replay_id = $1 AND owner = $2 AND fence = $3 AND status = 'running' FOR UPDATE
), asked AS (
  INSERT INTO redrives (redrive_id, tenant_id, action, filter, rate_per_second, reason_text, created_at, matched, matched_at_least)
  SELECT replay_id, tenant_id, 'redrive', $4::jsonb, rate_per_second, 'replay: ' || reason_text, now(), $5, false FROM held
  ON CONFLICT (redrive_id) DO NOTHING)
SELECT 1 AS held FROM held`;

const FIND = `
SELECT jsonb_build_object('status', status, 'selected', selected, 'redriven', redriven, 'left', left_as_they_are) AS redrive
FROM redrives WHERE redrive_id = $1`;

export function createRedrives(query: Query, owner: string): Redrives {
  return {
    async ask(held, { campaignId, matched }) {
      const filter = JSON.stringify({ campaign_id: campaignId, expired: true });
      return (await query(ASK, [held.job.replay_id, owner, held.fence, filter, matched])).length > 0;
    },
    async find(replayId) {
      return (await query<{ redrive: AskedRedrive }>(FIND, [replayId]))[0]?.redrive;
    },
    async cancel(replayId) {
      await query('UPDATE redrives SET cancel_requested = true WHERE redrive_id = $1', [replayId]);
    },
  };
}
