import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { onEveryMember, statementsOn } from '../core/cluster.ts';
import { type DerivedTable, type LostHours, RAW_DAYS, type RawDay, type RebuildTarget } from '../core/rebuild.ts';
import { CLUSTER_SETTINGS, syncReplicas } from '../core/replicas.ts';
import { INSERTS } from '../core/standstill.ts';

/**
 * A table T is kept by the view T_mv. How far the log was ever stored is no figure, and outlives the raw rows. What a replay
 * has beside the live tables is its own.
 */
const TABLES = `SELECT v.name AS view, v.as_select AS definition, groupArray(c.name) AS columns
  FROM system.tables AS v
  INNER JOIN (SELECT concat(table, '_mv') AS view, name FROM system.columns WHERE database = currentDatabase()) AS c
    ON c.view = v.name
  WHERE v.database = currentDatabase() AND v.engine = 'MaterializedView' AND v.name != 'delivery_ends_mv'
    AND position(v.name, '__replay_') = 0
  GROUP BY v.name, v.as_select ORDER BY v.name`;
/** A day of a table is one statement; without an answer by then the connection is taken for dead. */
const STATEMENT_TIMEOUT_MS = 3_600_000;

/**
 * Everything is kept for 90 days. What happened on the first of them may have been appended before, by a producer whose clock
 * is ahead: of that day raw rows may be gone rightly.
 */
const KEPT_DAYS = 89;
const NONE: LostHours = { hours: 0, first: '', last: '' };

export interface ClickHouseRebuildTarget extends RebuildTarget {
  /** Query ids of inserts under way in the database. */
  inserts(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export function createClickHouseRebuildTarget(options: {
  readonly url: string;
  readonly database: string;
  /** '' (the default): one server. */
  readonly cluster?: string;
}): ClickHouseRebuildTarget {
  const { url, database, cluster = '' } = options;
  const client = createClient({
    ...{ url, database },
    application: 'volley-sink-rebuild',
    request_timeout: STATEMENT_TIMEOUT_MS,
    log: { level: ClickHouseLogLevel.OFF },
    ...(cluster === '' ? {} : { clickhouse_settings: CLUSTER_SETTINGS }),
  });
  const rows = async <T>(query: string): Promise<T[]> =>
    (await client.query({ query, format: 'JSONEachRow' })).json<T>();
  return {
    async derivedTables() {
      if (cluster !== '') await syncReplicas(rows, (query) => client.command({ query }));
      const found = await rows<{ view: string; definition: string; columns: string[] }>(TABLES);
      return found.map(
        ({ view, definition: select, columns }): DerivedTable => ({ name: view.replace(/_mv$/, ''), select, columns }),
      );
    },
    rawDays: () => rows<RawDay>(RAW_DAYS),
    inserts: async () =>
      (await rows<{ query_id: string }>(onEveryMember(cluster, database, INSERTS))).map(({ query_id }) => query_id),
    async lostHours(table, beside, time) {
      const [found] = await rows<LostHours>(
        `SELECT toUInt32(count()) AS hours, toString(min(hour)) AS first, toString(max(hour)) AS last
         FROM (SELECT DISTINCT toStartOfHour(${time}) AS hour FROM ${table} WHERE ${time} >= now64(3) - INTERVAL ${KEPT_DAYS} DAY)
         WHERE hour NOT IN (SELECT toStartOfHour(${time}) FROM ${beside})`,
      );
      return found ?? NONE;
    },
    async run(statement) {
      for (const query of statementsOn(cluster, statement)) await client.command({ query });
    },
    close: () => client.close(),
  };
}
