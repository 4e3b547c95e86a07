import { Readable } from 'node:stream';
import { type ClickHouseClient, ClickHouseLogLevel, type ClickHouseSettings, createClient } from '@clickhouse/client';
import { type FoundTable, generationOf, nameIn, tableSetOf } from '../core/replay/tables.ts';
import { insertSettings, syncStatement } from '../core/replicas.ts';
import type { Places, RowStore, Unanswered } from '../ports.ts';

export interface ClickHouseOptions {
  /** With credentials as userinfo. */
  readonly url: string;
  readonly database: string;
  readonly columns: readonly string[];
  /** A whole insert, from the first byte to the answer. */
  readonly insertTimeoutMs: number;
  readonly maxOpenConnections: number;
  /** Of the names of the tables; '' (the default): the live ones. */
  readonly suffix?: string;
  /** The server is one of several replicas. */
  readonly replicated?: boolean;
}

const TABLES = 'SELECT name, engine, comment FROM system.tables WHERE database = currentDatabase()';
const PING_TIMEOUT_MS = 2_000;

/**
 * A token names a block, so a range must be one block in every table that it reaches, whatever a server's profile says.
 * Parallel parsing cuts the body where it likes. The block sizes are far above the largest batch (100,000 rows). A
 * grouping that turns two-level (100,000 groups or 50 MB of states) hands its buckets on as blocks of their own.
 */
const ONE_BLOCK: ClickHouseSettings = {
  async_insert: 0,
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  input_format_parallel_parsing: 0,
  max_insert_threads: '1',
  max_insert_block_size: '1048576',
  min_insert_block_size_rows: '1048576',
  min_insert_block_size_bytes: '268435456',
  max_block_size: '1048576',
  group_by_two_level_threshold: '0',
  group_by_two_level_threshold_bytes: '0',
};

const reasonOf = (error: unknown): Unanswered => {
  const { code, type, message } = error as { code?: string; type?: string; message?: string };
  const text = (message ?? String(error)).slice(0, 500);
  return { ok: false, error: type ? `${code} ${type}: ${text}` : text };
};

/** By the day of the log's append time, which is the table's partition; without one the whole table is read. */
const countOf = (table: string, { day }: Places) => `
  SELECT count() AS rows FROM ${table}
  WHERE source_partition = {partition:UInt16} AND source_offset >= {from:UInt64} AND source_offset < {to:UInt64}
  ${day === undefined ? '' : 'AND appended_at >= fromUnixTimestamp64Milli({dayMs:Int64}) AND appended_at < fromUnixTimestamp64Milli({dayMs:Int64} + 86400000)'}`;

export function createClickHouseRowStore(options: ClickHouseOptions): RowStore {
  const { suffix = '', replicated = false } = options;
  const table = nameIn(suffix, 'delivery_raw');
  const client: ClickHouseClient = createClient({
    url: options.url,
    database: options.database,
    application: 'volley-sink',
    request_timeout: options.insertTimeoutMs,
    max_open_connections: options.maxOpenConnections,
    keep_alive: { enabled: true },
    // On loopback or in one rack compressing costs more than it saves.
    compression: { request: false, response: false },
    log: { level: ClickHouseLogLevel.OFF },
  });
  const query = `INSERT INTO ${table} (${options.columns.join(', ')}) FORMAT JSONCompactEachRow`;
  const settings = { ...ONE_BLOCK, ...(replicated ? insertSettings(options.insertTimeoutMs) : {}) };
  const ends = nameIn(suffix, 'delivery_ends');
  let closing: Promise<void> | undefined;

  return {
    async insert(range) {
      // The client's own time-out is of a silent socket.
      const deadline = AbortSignal.timeout(options.insertTimeoutMs);
      try {
        // The client's own insert() would stringify each row once more: it takes bytes only of the formats without JSON.
        const { stream } = await client.exec({
          query,
          values: Readable.from(range.rows.chunks(), { objectMode: false, highWaterMark: 1_048_576 }),
          abort_signal: deadline,
          clickhouse_settings: { ...settings, insert_deduplication_token: range.token, wait_end_of_query: 1 },
        });
        for await (const _ of stream);
        return { ok: true };
      } catch (error) {
        if (deadline.aborted) return { ok: false, error: `Timeout: no answer within ${options.insertTimeoutMs} ms` };
        return reasonOf(error);
      }
    },
    async endOf(partition) {
      try {
        if (replicated) await client.command({ query: syncStatement(ends) });
        const query = `SELECT max(next) AS end FROM ${ends} WHERE source_partition = {partition:UInt16}`;
        const answer = await client.query({ query, format: 'JSONEachRow', query_params: { partition } });
        const [found] = await answer.json<{ end: string }>();
        return { ok: true, end: Number(found?.end ?? 0) };
      } catch (error) {
        return reasonOf(error);
      }
    },
    async generation() {
      try {
        const answer = await client.query({ query: TABLES, format: 'JSONEachRow' });
        return generationOf(tableSetOf(await answer.json<FoundTable>(), suffix));
      } catch (error) {
        return reasonOf(error);
      }
    },
    async count(places) {
      const { partition, from, to, day } = places;
      try {
        if (replicated) await client.command({ query: syncStatement(table) });
        const answer = await client.query({
          query: countOf(table, places),
          format: 'JSONEachRow',
          query_params: { partition, from, to, ...(day === undefined ? {} : { dayMs: day * 86_400_000 }) },
        });
        const [found] = await answer.json<{ rows: string }>();
        return { ok: true, rows: Number(found?.rows) };
      } catch (error) {
        return reasonOf(error);
      }
    },
    async ping() {
      try {
        const answer = await client.ping({ select: true, abort_signal: AbortSignal.timeout(PING_TIMEOUT_MS) });
        return answer.success ? { ok: true } : reasonOf(answer.error);
      } catch (error) {
        return reasonOf(error);
      }
    },
    close() {
      closing ??= client.close();
      return closing;
    },
  };
}
