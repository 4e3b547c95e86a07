import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { type ClickHouseClient, ClickHouseLogLevel, createClient as createStockClient } from '@clickhouse/client';
import test from 'ava';
import { startFront, type TestFront } from './front.ts';

// The behaviour that Volley relies on, asked of whatever answers HTTP: the local front, or with VOLLEY_CLICKHOUSE_URL a
// real server. Everything happens in a database of its own, which is dropped at the end.
//
// Not asked of a real server (`local`), because there it is a matter of its configuration: the refusal of file() and
// its like and of INTO OUTFILE, the limit of the body, two statements in one text, one request at a time in a session,
// who may do what, how many queries may run and wait.
const external = process.env.VOLLEY_CLICKHOUSE_URL;
const skipped = Object.assign(test.skip, { serial: test.serial.skip });
export const local = external === undefined ? test : skipped;

/** The errors are asked for: nothing of them belongs in the test's output. */
export const createClient: typeof createStockClient = (config) =>
  createStockClient({ ...config, log: { level: ClickHouseLogLevel.OFF } });

export interface RawAnswer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

export interface Subject {
  url: string;
  /** Of the read-only user; the same as `url` where there is none. */
  readerUrl: string;
  database: string;
  /** The stock client, in the test's database. */
  client: ClickHouseClient;
  /** A name that nothing else uses. */
  fresh(name: string): string;
  rows<T>(query: string, options?: Partial<Parameters<ClickHouseClient['query']>[0]>): Promise<T[]>;
  /** How many queries run whose text has this word. */
  running(word: string): Promise<number>;
  /** A table of (n UInt64, s String). */
  numberTable(name: string, settings?: string): Promise<string>;
  /** Plain HTTP, for what the client would not send. Credentials from the address go as Basic. */
  raw(
    method: string,
    pathAndQuery: string,
    options?: { headers?: Record<string, string>; body?: string | Buffer; anonymous?: boolean; url?: string },
  ): Promise<RawAnswer>;
}

/** Registers start and end with AVA; the subject is there once the first test runs. */
export function conformanceSubject(): Subject {
  const subject = { database: `conformance_${randomUUID().replaceAll('-', '').slice(0, 12)}` } as Subject;
  let front: TestFront | undefined;
  let counter = 0;

  test.before(async () => {
    front = external === undefined ? await startFront() : undefined;
    subject.url = external ?? (front as TestFront).url;
    subject.readerUrl = external ?? (front as TestFront).readerUrl;
    const first = createClient({ url: subject.url });
    await first.command({ query: `CREATE DATABASE ${subject.database}` });
    await first.close();
    subject.client = createClient({ url: subject.url, database: subject.database, max_open_connections: 30 });
  });

  test.after.always(async () => {
    await subject.client?.command({ query: `DROP DATABASE IF EXISTS ${subject.database} SYNC` });
    await subject.client?.close();
    await front?.remove();
  });

  subject.fresh = (name) => `${name}_${++counter}`;
  subject.rows = async <T>(query: string, options: Partial<Parameters<ClickHouseClient['query']>[0]> = {}) => {
    const result = await subject.client.query({ query, ...options, format: 'JSONEachRow' });
    return (await result.json()) as T[];
  };
  subject.running = async (word) => {
    // Put together here, so that the question does not find itself.
    const [row] = await subject.rows<{ c: number }>(
      'SELECT toUInt32(count()) AS c FROM system.processes WHERE position(query, concat({start:String}, {rest:String})) > 0',
      { query_params: { start: word.slice(0, 1), rest: word.slice(1) } },
    );
    return row?.c ?? 0;
  };
  subject.numberTable = async (name, settings = '') => {
    const table = subject.fresh(name);
    await subject.client.command({
      query: `CREATE TABLE ${table} (n UInt64, s String DEFAULT '') ENGINE = MergeTree ORDER BY n ${settings}`,
    });
    return table;
  };
  subject.raw = (method, pathAndQuery, options = {}) =>
    request(options.url ?? subject.url, method, pathAndQuery, options);
  return subject;
}

function request(
  base: string,
  method: string,
  path: string,
  options: { headers?: Record<string, string>; body?: string | Buffer; anonymous?: boolean },
): Promise<RawAnswer> {
  const url = new URL(base);
  const auth = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const target = { host: url.hostname, port: url.port, method, path, headers: options.headers ?? {} };
  return new Promise((resolve, reject) => {
    const sent = http.request({ ...target, ...(options.anonymous ? {} : { auth }) }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    sent.on('error', reject);
    sent.end(options.body);
  });
}
