import type { ServerResponse } from 'node:http';
import { answerWhole } from './answer.ts';
import type { InsertResult } from './engine.ts';
import { toEngineError } from './errors.ts';
import { clientIsGone, type Front } from './front.ts';
import type { RunningQuery } from './running-queries.ts';
import { insertFromFile } from './sql-text.ts';
import type { Asked } from './statement-of-request.ts';
import type { First } from './twins.ts';
import { withConnection } from './with-connection.ts';

/** What took longer is told in the log. */
const slowMs = 1000;

/**
 * An INSERT that brings its rows. Its client going away ends it only while it waits for its place. One that has begun goes
 * on, as in the server: half of it would stay in the tables that were reached. Its repeat is answered with it.
 */
export async function runInsert(front: Front, asked: Asked, rows: Uint8Array, response: ServerResponse): Promise<void> {
  const { user, wishes } = asked;
  const query = front.running.begin(wishes.queryId, user.name);
  const giveUp = () => query.giveUp(clientIsGone);
  const key = keyOf(asked);
  const twin = key === undefined ? undefined : front.twins.enter(key, rows, giveUp);
  let gone = false;
  const onClose = () => {
    if (response.writableFinished) return;
    gone = true;
    twin?.leave();
    if (!twin?.isFirst) giveUp();
  };
  response.on('close', onClose);
  if (response.closed) onClose();
  try {
    const result =
      twin?.isFirst === false
        ? await orAborted(twin.result, query.signal)
        : await store(front, asked, rows, query, twin, () => gone);
    const format = asked.statement.format ?? wishes.defaultFormat;
    const head = { queryId: wishes.queryId, format, encoding: undefined, progress: wishes.progress };
    await answerWhole(response, head, result, new Uint8Array(0));
  } finally {
    response.off('close', onClose);
    twin?.leave();
    query.finish();
  }
}

async function store(
  front: Front,
  asked: Asked,
  rows: Uint8Array,
  query: RunningQuery,
  first: First<InsertResult> | undefined,
  gone: () => boolean,
): Promise<InsertResult> {
  const { wishes, text, lane, readonly } = asked;
  const askedAt = performance.now();
  let begunAt: number | undefined;
  let leaveGate: (() => void) | undefined;
  const tell = (outcome: string) => {
    const now = performance.now();
    const waitedMs = (begunAt ?? now) - askedAt;
    const ranMs = begunAt === undefined ? 0 : now - begunAt;
    if (waitedMs < slowMs && ranMs < slowMs) return;
    const repeats = first?.repeats() ?? 0;
    front.log(
      `insert ${wishes.queryId}: waited ${seconds(waitedMs)}, ran ${seconds(ranMs)}, ${outcome}, its client ${gone() ? 'was gone' : 'was there'}${repeats > 0 ? `, repeats answered with it: ${repeats}` : ''}`,
    );
  };
  try {
    leaveGate = await front.gates.inserts.enter(lane, query.signal, wishes.maxWaitMs);
    begunAt = performance.now();
    query.begun();
    first?.begun();
    query.signal.throwIfAborted();
    const own = new Map(readonly && wishes.session === undefined ? [['readonly', '2']] : []);
    const result = await withConnection(
      front,
      asked,
      query,
      () => own,
      (connection) => front.files.with(rows, (file) => connection.insert(insertFromFile(text, file))),
    );
    tell(`wrote ${result.writtenRows} rows`);
    first?.done(result);
    return result;
  } catch (error) {
    tell(`code ${toEngineError(error).code}`);
    first?.failed(error);
    throw error;
  } finally {
    leaveGate?.();
  }
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

/** Of an insert that may be repeated: all but its rows. In a session the table may be the session's own. */
function keyOf({ user, wishes, text, readonly }: Asked): string | undefined {
  const { session, settings, params, database } = wishes;
  const hasToken = settings.has('insert_deduplication_token') || /\binsert_deduplication_token\b/.test(text);
  if (!hasToken || readonly || session !== undefined) return undefined;
  return JSON.stringify([user.name, database, text, [...settings], [...params]]);
}

function orAborted<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    result.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
