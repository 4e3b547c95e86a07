/**
 * The form of a statement on a cluster of replicas (`VOLLEY_CLICKHOUSE_CLUSTER`): the numbered files are written for one
 * ClickHouse and stay as they are, so that there is one schema and not two.
 *
 * The cluster is one shard: every member holds all rows. Statements that fill a table are run once, on the member that is
 * connected, and reach the others as any insert does; definitions are of each member, so they go to all of them.
 */
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const COMMENTS = String.raw`^(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*`;
const TABLE = '`?[A-Za-z_][A-Za-z0-9_]*`?';

/** What may stand before the name that ON CLUSTER follows; each form of a new migration has to be thought about once. */
const DEFINITIONS = [
  `CREATE DATABASE (?:IF NOT EXISTS )?${TABLE}`,
  `CREATE TABLE (?:IF NOT EXISTS )?${TABLE}`,
  `CREATE MATERIALIZED VIEW (?:IF NOT EXISTS )?${TABLE}`,
  `CREATE (?:OR REPLACE )?VIEW (?:IF NOT EXISTS )?${TABLE}`,
  `ALTER TABLE ${TABLE}`,
  `TRUNCATE TABLE (?:IF EXISTS )?${TABLE}`,
  `DROP TABLE (?:IF EXISTS )?${TABLE}`,
  `EXCHANGE TABLES ${TABLE} AND ${TABLE}`,
];
const DEFINITION = new RegExp(`${COMMENTS}(?:${DEFINITIONS.join('|')})(?![\\w.\`])(?!\\s*,)`);
const EXCHANGE = new RegExp(`${COMMENTS}EXCHANGE TABLES (${TABLE}) AND (${TABLE})`);
const FILLING = new RegExp(`${COMMENTS}INSERT INTO `);

/** A token is to be known for as long as its range may be repeated, however few inserts there were meanwhile. */
const WINDOW_SECONDS = 604_800;

/** Without arguments the paths in Keeper are the server's default, /clickhouse/tables/{uuid}/{shard} and {replica}. */
const replicated = (statement: string): string =>
  statement
    .replace(/^ENGINE = (\w*MergeTree)\b/m, 'ENGINE = Replicated$1')
    .replace(
      /^(SETTINGS .*?)\bnon_replicated_deduplication_window = (\d+)/m,
      `$1replicated_deduplication_window = $2, replicated_deduplication_window_seconds = ${WINDOW_SECONDS}`,
    );

/** Lines that begin as an engine's do are the engine: nothing else at the start of a line is called so. */
const ENGINE = /^ENGINE = (\w+)/m;

/** A name that a statement can hold as it is. */
export const isClusterName = (name: string): boolean => NAME.test(name);

/** What is run in the place of this statement, in its order; the statement itself where there is no cluster. */
export function statementsOn(cluster: string, statement: string): readonly string[] {
  if (cluster === '') return [statement];
  if (!isClusterName(cluster)) throw new Error(`${cluster} is no name for a cluster`);
  if (FILLING.test(statement)) return [statement];
  const [head] = DEFINITION.exec(statement) ?? [];
  if (head === undefined) throw new Error(`no form on a cluster is known of: ${statement.slice(0, 200)}`);
  const engine = ENGINE.exec(statement)?.[1];
  if (engine !== undefined && !engine.endsWith('MergeTree'))
    throw new Error(`a table of the engine ${engine} has no replicas: ${statement.slice(0, 200)}`);
  const rest = statement.slice(head.length);
  const exchange = EXCHANGE.exec(statement);
  return [
    // A member that has not fetched all of what was filled would show less for as long as that takes.
    ...(exchange === null
      ? []
      : [exchange[1], exchange[2]].map((table) => `SYSTEM SYNC REPLICA ON CLUSTER ${cluster} ${table}`)),
    replicated(`${head} ON CLUSTER ${cluster}${rest}`),
  ];
}

/** A question about this database to every member, where it is one about what a member does. */
export const onEveryMember = (cluster: string, database: string, query: string): string =>
  cluster === ''
    ? query
    : query
        .replace(/\bFROM (system\.\w+)/g, `FROM clusterAllReplicas('${cluster}', $1)`)
        .replaceAll('currentDatabase()', `'${database}'`);
