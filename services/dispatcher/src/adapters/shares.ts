import { DISPATCHER_LIVE_MS, type DispatcherState } from '@volley/contract';
import type { Logger } from '@volley/runtime';
import pg from 'pg';
import type { Shares } from '../core/shares.ts';

const RENEW_MS = 1_000;
/** A renewal that takes longer counts as failed: the next one is due. */
const TIMEOUT_MS = 1_000;

interface OtherRow {
  readonly other_id: string;
  readonly other_weights: Record<string, number>;
  readonly other_claims: Record<string, number>;
}

/** Keeps this process's row and what it knows of the others. */
export interface ShareKeeper {
  /** Renews at once and then every second, until stopped. */
  start(): void;
  /** One renewal now. False: Postgres did not take it. Never rejects. */
  renew(): Promise<boolean>;
  /** No renewal has been taken since it was last asked, or ever. */
  isAway(): boolean;
  /** Removes the row: what this process used is free for the others at once. */
  stop(): Promise<void>;
}

/**
 * One row a second in Postgres, and the rows of the other dispatchers in the same round trip (sql/0004_dispatchers.sql of
 * ingest-api). While Postgres is away, this process keeps the share that it has: nothing stops, and a limit is exceeded only
 * by the share of a process that the others can reach Postgres without, and took for dead.
 */
export function createShareKeeper(options: {
  readonly url: string;
  readonly namespace: string;
  readonly clientId: string;
  readonly shares: Shares;
  readonly weights: () => Readonly<Record<string, number>>;
  readonly state: () => DispatcherState;
  readonly log: Logger;
}): ShareKeeper {
  const { shares, log } = options;
  const id = `${options.namespace}/${options.clientId}`;
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: options.clientId,
    max: 1,
    connectionTimeoutMillis: TIMEOUT_MS,
    statement_timeout: TIMEOUT_MS,
    // The server may hang as a whole: then only our own clock ends the wait.
    query_timeout: TIMEOUT_MS + 300,
    idleTimeoutMillis: 0,
    keepAlive: true,
  });
  // A connection that breaks is made again by the next renewal; without a listener it would end the process.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));

  let away: boolean | undefined;
  let timer: NodeJS.Timeout | undefined;
  let underWay: Promise<boolean> | undefined;
  let isStopped = false;

  async function ask(): Promise<boolean> {
    const weights = options.weights();
    const claims = shares.propose(weights);
    try {
      const { rows } = await pool.query<OtherRow>('SELECT * FROM renew_dispatcher($1, $2, $3, $4, $5, $6)', [
        options.namespace,
        id,
        JSON.stringify(weights),
        JSON.stringify(claims),
        JSON.stringify(options.state()),
        DISPATCHER_LIVE_MS,
      ]);
      shares.settle(rows.map((r) => ({ id: r.other_id, weights: r.other_weights, claims: r.other_claims })));
      if (away === true) log.info('Postgres is back: limits are shared by backlog again');
      away = false;
      return true;
    } catch (error) {
      if (away !== true)
        log.warn(
          { why: (error as Error).message },
          'Postgres is away: this process keeps its last share of each limit',
        );
      away = true;
      return false;
    }
  }

  function renew(): Promise<boolean> {
    underWay ??= ask().finally(() => {
      underWay = undefined;
    });
    return underWay;
  }

  async function round(): Promise<void> {
    const startedMs = performance.now();
    await renew();
    if (isStopped) return;
    const restMs = Math.max(100, RENEW_MS - (performance.now() - startedMs));
    timer = setTimeout(() => void round(), restMs);
  }

  return {
    start: () => void round(),
    renew,
    isAway: () => away !== false,
    async stop() {
      if (isStopped) return;
      isStopped = true;
      clearTimeout(timer);
      await underWay;
      await pool.query('DELETE FROM dispatchers WHERE id = $1', [id]).catch(() => {});
      await pool.end().catch(() => {});
    },
  };
}
