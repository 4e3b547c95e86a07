import { randomUUID } from 'node:crypto';
import { refusals } from './errors.ts';

/** One request's wishes, apart from its SQL and data. */
export interface QueryWishes {
  queryId: string;
  database: string | undefined;
  session: { id: string; timeoutMs: number; mustExist: boolean } | undefined;
  /** Values stay text, exactly as they came: the engine knows their types. */
  settings: Map<string, string>;
  params: Map<string, string>;
  defaultFormat: string;
  compressAnswer: boolean;
  /** Nothing is sent before the query has ended, so an error always has its status. */
  waitEndOfQuery: boolean;
  /** `send_progress_in_http_headers` */
  progress: boolean;
  /** `queue_max_wait_ms`: how long a place may take. */
  maxWaitMs: number | undefined;
  /** The `query` parameter: then the body is its data. */
  query: string | undefined;
}

/** Of the protocol or of a server's own buffers: no settings of the engine, and nothing here depends on them. */
const swallowed = new Set([
  'user',
  'password',
  'quota_key',
  'buffer_size',
  'stacktrace',
  'http_headers_progress_interval_ms',
  'http_write_exception_in_output_format',
  'http_response_buffer_size',
  'http_zlib_compression_level',
  'client_protocol_version',
  'close_session',
  'session_timeout',
  'session_check',
]);
const settingName = /^[A-Za-z_][A-Za-z0-9_.]*$/;
const maxSessionTimeoutS = 3600;

export function readWishes(
  params: URLSearchParams,
  headers: Record<string, string | string[] | undefined>,
): QueryWishes {
  const wishes: QueryWishes = {
    queryId: params.get('query_id') || randomUUID(),
    database: params.get('database') || header(headers, 'x-clickhouse-database'),
    session: undefined,
    settings: new Map(),
    params: new Map(),
    defaultFormat: params.get('default_format') || header(headers, 'x-clickhouse-format') || 'TabSeparated',
    compressAnswer: false,
    waitEndOfQuery: false,
    progress: false,
    maxWaitMs: undefined,
    query: params.get('query') ?? undefined,
  };
  const sessionId = params.get('session_id');
  if (sessionId) {
    const timeoutS = Number(params.get('session_timeout') ?? 60);
    if (!(timeoutS > 0 && timeoutS <= maxSessionTimeoutS)) {
      throw refusals.badArguments(`session_timeout is between 1 and ${maxSessionTimeoutS} seconds.`);
    }
    wishes.session = { id: sessionId, timeoutMs: timeoutS * 1000, mustExist: params.get('session_check') === '1' };
  }
  for (const [name, value] of params) {
    if (
      name === 'query_id' ||
      name === 'database' ||
      name === 'session_id' ||
      name === 'default_format' ||
      name === 'query'
    )
      continue;
    const on = value === '1' || value === 'true';
    if (name === 'enable_http_compression') wishes.compressAnswer = on;
    else if (name === 'wait_end_of_query') wishes.waitEndOfQuery = on;
    else if (name === 'send_progress_in_http_headers') wishes.progress = on;
    else if (name === 'role') throw refusals.unknownRole(`There is no role ${value}: the local engine has no roles.`);
    else if (name === 'compress' || name === 'decompress') {
      if (on)
        throw refusals.notImplemented(
          'Native compression is not supported here: use Content-Encoding and Accept-Encoding.',
        );
    } else if (swallowed.has(name)) continue;
    else if (name.startsWith('param_')) {
      checkName(name);
      wishes.params.set(name, value);
    } else {
      checkName(name);
      if (name === 'queue_max_wait_ms' && /^\d+$/.test(value)) wishes.maxWaitMs = Number(value);
      wishes.settings.set(name, value);
    }
  }
  return wishes;
}

function checkName(name: string): void {
  if (!settingName.test(name)) throw refusals.badArguments(`${JSON.stringify(name)} is no name of a setting.`);
}

function header(headers: Record<string, string | string[] | undefined>, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
