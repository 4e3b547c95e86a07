import pg from 'pg';
import { StoreUnavailable } from '../../ports.ts';

export type Pool = pg.Pool;
export type Client = pg.PoolClient;

const INT8 = 20;

export interface PoolOptions {
  readonly url: string;
  readonly applicationName: string;
  readonly max: number;
  /** Longest wait for a connection, for a statement and for a lock. A statement that may take longer says so itself. */
  readonly timeoutMs: number;
  /** Connection and statements of one operation together have no more than `timeoutMs`: somebody waits for the answer. */
  readonly forRequests?: boolean;
  readonly onError: (error: Error) => void;
}

/** What is added to a wait of the server's before our own clock ends it; and what a statement gets, however late it begins. */
const LAST_MS = 300;
const budgets = new WeakMap<Pool, number>();

/** What one operation has left: what still makes progress is served, what stands still is given up in time. */
function budgetOf(pool: Pool) {
  const budgetMs = budgets.get(pool);
  let sinceMs = performance.now();
  return {
    /** For the next statement. Undefined: it has the pool's own. */
    query: () =>
      budgetMs === undefined
        ? {}
        : { query_timeout: Math.max(0, Math.ceil(budgetMs - (performance.now() - sinceMs))) + LAST_MS },
    anew() {
      sinceMs = performance.now();
    },
  };
}

/** Our own clock ended the wait: what the server says next on this connection belongs to a statement that nobody waits for. */
const isSilence = (error: unknown): boolean => (error as Error).message === 'Query read timeout';

/** Bounded: a request that finds no free connection within the timeout is answered with 503 and does not pile up. */
export function createPool(o: PoolOptions): Pool {
  const pool = new pg.Pool({
    connectionString: o.url,
    application_name: o.applicationName,
    max: o.max,
    connectionTimeoutMillis: o.timeoutMs,
    statement_timeout: o.timeoutMs,
    // A statement that may take minutes (an audience that is frozen) waits no longer than others for what is locked.
    lock_timeout: o.timeoutMs,
    // The server may hang as a whole: then only our own clock ends the wait.
    query_timeout: o.timeoutMs + LAST_MS,
    idle_in_transaction_session_timeout: 60_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    // Counts and ordinals stay far below 2^53.
    types: { getTypeParser: (oid, format) => (oid === INT8 ? Number : pg.types.getTypeParser(oid, format as 'text')) },
  });
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', o.onError);
  // One that breaks while it is in use fails its query, and says so once more here, where nobody else listens: a death
  // of Postgres in the middle of a transaction ended the process (test/faults, F26).
  pool.on('connect', (client) => client.on('error', () => {}));
  if (o.forRequests) budgets.set(pool, o.timeoutMs);
  return pool;
}

const UNAVAILABLE_SQLSTATE = /^(?:08|53|57P0|57014|58|25P03|55P03|XX)/;
const UNAVAILABLE_TEXT = /timeout|terminated|Connection|ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|not queryable/;

/** Errors of the way to the store, and of a store that is too busy. Anything else is a bug of ours. */
export function storeError(error: unknown): unknown {
  if (error instanceof StoreUnavailable) return error;
  const e = error as { code?: string; message?: string; syscall?: string };
  // The way there, whatever is the matter with it: no route, no descriptor left, a pipe (whose EPIPE looks like an SQLSTATE).
  const isSocket = e.syscall !== undefined;
  const sqlState = !isSocket && /^[0-9A-Z]{5}$/.test(e.code ?? '');
  // Whole rows stand in there, addresses with them, and errors are logged.
  if (sqlState) Object.assign(e, { detail: undefined, where: undefined });
  if (
    isSocket ||
    (sqlState
      ? UNAVAILABLE_SQLSTATE.test(e.code as string)
      : UNAVAILABLE_TEXT.test(`${e.code ?? ''} ${e.message ?? ''}`))
  )
    return new StoreUnavailable('postgres', `Postgres: ${e.message || e.code || 'no answer'}`);
  return error;
}

/** One statement on its own. */
export async function ask<R>(pool: Pool, text: string, values: readonly unknown[] = []): Promise<R[]> {
  const budget = budgetOf(pool);
  let client: Client | undefined;
  let silent: Error | undefined;
  try {
    client = await pool.connect();
    return (await client.query({ text, values: values as unknown[], ...budget.query() })).rows as R[];
  } catch (error) {
    if (isSilence(error)) silent = error as Error;
    throw storeError(error);
  } finally {
    client?.release(silent);
  }
}

export interface Transaction {
  rows<R>(text: string, values?: readonly unknown[], timeoutMs?: number): Promise<R[]>;
  /** Rows that a statement changed. */
  count(text: string, values?: readonly unknown[], timeoutMs?: number): Promise<number>;
}

/**
 * Commits when the work says so, and answers only after the commit was acknowledged. `around` wraps the commit itself:
 * tests let it fail before, after, or in between.
 */
export async function inTransaction<T>(
  pool: Pool,
  work: (tx: Transaction) => Promise<{ commit: T } | { undo: T }>,
  around: (commit: () => Promise<void>) => Promise<void> = (commit) => commit(),
): Promise<T> {
  const budget = budgetOf(pool);
  let client: Client;
  try {
    client = await pool.connect();
  } catch (error) {
    throw storeError(error);
  }
  let broken: Error | undefined;
  const run = async (
    text: string,
    values: readonly unknown[] = [],
    limit: { query_timeout?: number } = budget.query(),
  ) => {
    try {
      return await client.query({ text, values: values as unknown[], ...limit });
    } catch (error) {
      if (isSilence(error)) broken = error as Error;
      throw error;
    }
  };
  const query = async (text: string, values?: readonly unknown[], timeoutMs?: number) => {
    if (timeoutMs === undefined) return run(text, values);
    // Its work may take long; what is locked it waits for no longer than is left.
    const { query_timeout: lockMs } = budget.query();
    const lock = lockMs === undefined ? '' : `; SET LOCAL lock_timeout = ${lockMs}`;
    await run(`SET LOCAL statement_timeout = ${Math.round(timeoutMs)}${lock}`);
    const result = await run(text, values, { query_timeout: timeoutMs + 500 });
    budget.anew();
    return result;
  };
  try {
    await run('BEGIN');
    const outcome = await work({
      rows: async (text, values, timeoutMs) => (await query(text, values, timeoutMs)).rows as never,
      count: async (text, values, timeoutMs) => (await query(text, values, timeoutMs)).rowCount ?? 0,
    });
    if ('undo' in outcome) {
      await run('ROLLBACK');
      return outcome.undo;
    }
    await around(async () => {
      await run('COMMIT');
    });
    return outcome.commit;
  } catch (error) {
    // A server that does not answer does not roll back on demand either; it does when the connection ends.
    if (broken === undefined) await run('ROLLBACK').catch((rollbackError) => (broken = rollbackError as Error));
    throw storeError(error);
  } finally {
    // A connection in an unknown state is closed, never given back.
    client.release(broken);
  }
}
