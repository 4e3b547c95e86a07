/** What is said to servers that are replicas of each other, beside the form that statements have there (cluster.ts). */

/** A statement of all members ends when the last of them has done it, or fails: also one that fills or rewrites a table. */
export const CLUSTER_SETTINGS = {
  distributed_ddl_task_timeout: '3600',
  distributed_ddl_output_mode: 'throw',
} as const;

/**
 * Of an insert into replicated tables. Without a quorum the answer comes when one member has the rows: were it lost then, so
 * were they, with the group's offsets already behind them. Inserts of several partitions may overlap, so the quorum is parallel.
 */
export const insertSettings = (timeoutMs: number) =>
  ({ insert_quorum: 'auto', insert_quorum_parallel: 1, insert_quorum_timeout: timeoutMs }) as const;

/** What is asked of a member after this is answered with all that any of them had taken before. */
export const syncStatement = (table: string): string => `SYSTEM SYNC REPLICA ${table}`;

const REPLICATED_TABLES = `SELECT name FROM system.tables
  WHERE database = currentDatabase() AND startsWith(engine, 'Replicated') ORDER BY name`;

/** The same for all tables of the connection's database. */
export async function syncReplicas(
  rows: (query: string) => Promise<{ readonly name: string }[]>,
  run: (statement: string) => Promise<unknown>,
): Promise<void> {
  for (const { name } of await rows(REPLICATED_TABLES)) await run(syncStatement(name));
}
