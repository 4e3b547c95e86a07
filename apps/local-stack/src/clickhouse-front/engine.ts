import { createRequire } from 'node:module';
import path from 'node:path';

export interface InsertResult {
  writtenRows: number;
  writtenBytes: number;
  elapsedMs: number;
}

export interface QueryResult {
  bytes: Uint8Array;
  readRows: number;
  readBytes: number;
  elapsedMs: number;
}

/**
 * One engine connection: settings, current database, parameters and temporary tables are its own. One call at a time.
 * `close` destroys it; with a call under way that would take the whole engine down, so it waits for the call.
 */
export interface Connection {
  query(sql: string, format: string): Promise<QueryResult>;
  /** An INSERT without data in its text: rows out of a file or a SELECT. */
  insert(sql: string): Promise<InsertResult>;
  /**
   * Chunks are formatted one by one, so only formats without a head or a foot make one document. Who does not take them to
   * their end has `kill` called, which has to end the query in the engine.
   */
  stream(sql: string, format: string, kill: () => void): AsyncIterable<Uint8Array>;
  close(): void;
}

export interface Engine {
  connect(): Connection;
  /** After every connection is closed. */
  close(): void;
}

export interface Addon {
  CreateConnection(folder: string, args?: string[]): unknown;
  CloseConnection(connection: unknown): void;
  QueryAsyncConnection(
    connection: unknown,
    sql: string,
    format: string,
  ): Promise<{ bytes: Uint8Array; elapsed: number; rowsRead: number; bytesRead: number }>;
  InsertRawAsyncConnection(
    connection: unknown,
    prefix: string,
    payload: Uint8Array,
    countLines: boolean,
  ): Promise<{ rowsWritten: number; bytesWritten: number; elapsed: number }>;
  StreamQuery(connection: unknown, sql: string, format: string): unknown;
  StreamFetch(stream: unknown): Promise<{ done: boolean; bytes: Uint8Array; numRows: number }>;
}

/**
 * Opens the directory; one process a directory. The native add-on is used as it is: the package's own classes chain
 * parameterised queries through one process-wide queue and refuse formats which the engine takes.
 * A connection costs 0.2 ms, so every request gets a fresh one and nothing of a request can leak into the next.
 */
export function openEngine(options: { addonFolder: string; dataFolder: string; configFile: string }): Engine {
  const addon = createRequire(import.meta.url)(path.join(options.addonFolder, 'chdb_node.node')) as Addon;
  // The first connection carries the server and its configuration, and lives as long as the process.
  const root = addon.CreateConnection(options.dataFolder, [`--config-file=${options.configFile}`]);
  return {
    connect: () => createConnection(addon, addon.CreateConnection(options.dataFolder)),
    close: () => addon.CloseConnection(root),
  };
}

const nothing = new Uint8Array(0);

export function createConnection(addon: Addon, handle: unknown): Connection {
  let running: Promise<unknown> | undefined;
  let closed = false;

  function track<T>(call: Promise<T>): Promise<T> {
    const settled = call.then(
      () => {},
      () => {},
    );
    running = settled;
    void settled.then(() => {
      if (running === settled) running = undefined;
    });
    return call;
  }

  return {
    async query(sql, format) {
      const result = await track(addon.QueryAsyncConnection(handle, sql, format));
      return {
        bytes: result.bytes,
        readRows: result.rowsRead,
        readBytes: result.bytesRead,
        elapsedMs: result.elapsed * 1000,
      };
    },
    async insert(sql) {
      const result = await track(addon.InsertRawAsyncConnection(handle, sql, nothing, false));
      return { writtenRows: result.rowsWritten, writtenBytes: result.bytesWritten, elapsedMs: result.elapsed * 1000 };
    },
    async *stream(sql, format, kill) {
      const stream = addon.StreamQuery(handle, sql, format);
      let ended = false;
      const fetch = async () => {
        try {
          const chunk = await track(addon.StreamFetch(stream));
          ended = chunk.done;
          return chunk;
        } catch (error) {
          ended = true;
          throw error;
        }
      };
      try {
        for (;;) {
          const chunk = await fetch();
          if (chunk.done) return;
          yield chunk.bytes;
        }
      } finally {
        // The add-on's StreamCancel would wait on this thread for the block under way: a second where a row takes a second.
        if (!ended) {
          kill();
          while (!ended) await fetch().catch(() => {});
        }
      }
    },
    close() {
      if (closed) return;
      closed = true;
      const destroy = () => addon.CloseConnection(handle);
      if (running === undefined) destroy();
      else void running.then(destroy);
    },
  };
}
