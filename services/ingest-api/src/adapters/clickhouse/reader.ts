import { createClient } from '@clickhouse/client';
import type { CampaignKey, Known, StoredUntil } from '../../analytics-ports.ts';
import { type Metric, StoreUnavailable } from '../../ports.ts';
import { createShared } from './shared.ts';
import { createTurns, type TurnOptions } from './turns.ts';

export interface Question {
  readonly sql: string;
  /** Bound by name and type; nothing of a request is ever part of the text. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly limits: Limits;
  /** Whose events it is about. */
  readonly of?: CampaignKey;
}

/** What one question may cost the store: above it, it is ended there. */
export interface Limits {
  readonly seconds: number;
  readonly megabytes: number;
  /** Rows read, where a key bounds them. */
  readonly rows?: number;
  /** Default: THREADS. */
  readonly threads?: number;
}

export interface ReaderOptions {
  readonly url: string;
  readonly database: string;
  readonly clientId: string;
  readonly turns: TurnOptions;
  readonly storedUntil?: StoredUntil;
  readonly metric?: Metric;
}

export interface Reader {
  /** Rejects with StoreUnavailable whatever is wrong with the store, and with the signal's reason once that is set. */
  ask<T>(question: Question, gone?: AbortSignal): Promise<Known<T[]>>;
  close(): Promise<void>;
}

/** The store ends a question at its limit and says so; if it does not, we end it this much later. */
const GRACE_MS = 500;
/** A reader of two threads leaves the others to the sink's inserts. */
const THREADS = 2;
const MOST_ANSWER_BYTES = 64 * 1024 * 1024;

const settingsOf = ({ seconds, megabytes, rows, threads = THREADS }: Limits) => ({
  // Not 1: that also refuses the settings beside it. A user who may only read can set it as well.
  readonly: '2',
  max_execution_time: seconds,
  max_memory_usage: String(megabytes * 1024 * 1024),
  max_threads: threads,
  max_result_bytes: String(MOST_ANSWER_BYTES),
  ...(rows === undefined ? {} : { max_rows_to_read: String(rows) }),
  cancel_http_readonly_queries_on_client_close: 1 as const,
  // Whole numbers up to 2^53: none of ours is larger.
  output_format_json_quote_64bit_integers: 0 as const,
});

/** The client forgets the signal when the head of the answer is there: the rest can hang as well. */
async function rowsOf<T>(result: { json(): Promise<unknown>; close(): void }, ended: AbortSignal): Promise<T[]> {
  let onEnd = () => {};
  const cut = new Promise<never>((_, reject) => {
    onEnd = () => {
      result.close();
      reject(ended.reason);
    };
    if (ended.aborted) onEnd();
    else ended.addEventListener('abort', onEnd, { once: true });
  });
  try {
    return (await Promise.race([result.json(), cut])) as T[];
  } finally {
    ended.removeEventListener('abort', onEnd);
  }
}

/** The only way to ask ClickHouse: every question is bounded, shared with whoever asks the same, and ended when nobody waits. */
export function createReader(o: ReaderOptions): Reader {
  const client = createClient({
    url: o.url,
    database: o.database,
    application: o.clientId,
    // Each question has a deadline of its own.
    request_timeout: 120_000,
    max_open_connections: o.turns.places,
    compression: { response: false, request: false },
    log: { level: 127 as never },
  });
  const take = createTurns(o.turns);
  const share = createShared();

  async function run<T>({ sql, params, limits, of }: Question, gone: AbortSignal): Promise<Known<T[]>> {
    const asOfMs = o.storedUntil ? await o.storedUntil(of) : null;
    const beganMs = performance.now();
    const told = (outcome: 'answered' | 'failed' | 'refused') => {
      o.metric?.questions?.inc({ outcome: gone.aborted ? 'given_up' : outcome });
      if (outcome === 'answered') o.metric?.questionSeconds?.observe((performance.now() - beganMs) / 1_000);
    };
    const leave = await take(gone).catch((error: unknown) => {
      told('refused');
      throw error;
    });
    const ended = AbortSignal.any([gone, AbortSignal.timeout(limits.seconds * 1_000 + GRACE_MS)]);
    try {
      const result = await client.query({
        query: sql,
        query_params: { ...params },
        format: 'JSONEachRow',
        clickhouse_settings: settingsOf(limits),
        abort_signal: ended,
      });
      const value = await rowsOf<T>(result, ended);
      told('answered');
      return { value, asOfMs };
    } catch (error) {
      told('failed');
      gone.throwIfAborted();
      const { type = '', message } = error as Error & { type?: string };
      const why = ended.aborted ? `no answer within ${limits.seconds} s` : `${type} ${message}`;
      throw new StoreUnavailable('clickhouse', `ClickHouse: ${why.slice(0, 200)}`);
    } finally {
      leave();
    }
  }

  return {
    ask: <T>(question: Question, gone?: AbortSignal) =>
      share(JSON.stringify([question.sql, question.params]), (signal) => run<T>(question, signal), gone),
    close: () => client.close(),
  };
}
