import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AnswerHead, acceptedEncoding, answerStream, answerWhole } from './answer.ts';
import type { User } from './auth.ts';
import type { Connection } from './engine.ts';
import { refusals, toEngineError } from './errors.ts';
import { isStreamable } from './formats.ts';
import { clientIsGone, type Front, type Gates } from './front.ts';
import type { Gate } from './gate.ts';
import { largeBytes } from './memory.ts';
import type { SettingState } from './prelude.ts';
import type { QueryWishes } from './request.ts';
import { runInsert } from './run-insert.ts';
import type { RunningQueries, RunningQuery } from './running-queries.ts';
import { quoteText, type Statement } from './sql-text.ts';
import { type Asked, readAsked } from './statement-of-request.ts';
import { withConnection } from './with-connection.ts';

const mebibyte = 1024 * 1024;
/** A result that cannot be streamed is held whole before it is sent. */
const maxWholeBytes = 256 * mebibyte;
/**
 * So is one that could be, up to here: to begin a stream the engine plans on the front's only thread, and what a view
 * hides may be evaluated there. A view with a scalar subquery of 2 s held up everybody for 2 s (2026-11-21, engine 26.7.2).
 */
const maxUnstreamedBytes = 16 * mebibyte;

/**
 * One query: a place at the gate, a connection of its own (or the session's), the request's settings, the statement.
 * The client going away ends a reading query, and any that still waits for its place.
 */
export async function runQuery(
  front: Front,
  user: User,
  wishes: QueryWishes,
  body: Buffer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const asked = readAsked(user, wishes, body, request);
  if (asked.rows !== undefined) return runInsert(front, asked, asked.rows, response);
  const { statement, readonly, lane } = asked;
  const { kind } = statement;
  const sql = kind === 'kill' ? killByOurId(asked.text, user, front.running) : asked.text;
  const query = front.running.begin(wishes.queryId, user.name);
  const onClose = () => {
    if (response.writableFinished) return;
    if (kind === 'read') query.kill(clientIsGone);
    else query.giveUp(clientIsGone);
  };
  response.on('close', onClose);
  if (response.closed) onClose();
  let leaveGate: (() => void) | undefined;
  let tablesChanged: (() => void) | undefined;
  try {
    leaveGate = await gateOf(front.gates, statement)?.enter(lane, query.signal, wishes.maxWaitMs);
    query.begun();
    query.signal.throwIfAborted();
    if (statement.changesTables) tablesChanged = front.twins.tablesChange();
    let limits = answerLimits(asked, []);
    const own = (states: readonly SettingState[]) => {
      limits = answerLimits(asked, states);
      const settings = new Map<string, string>();
      // A reader's KILL was looked at already, and under readonly the engine takes none. 2: it may have settings of its own.
      if (readonly && wishes.session === undefined && !(kind === 'kill' && user.readonly))
        settings.set('readonly', '2');
      if (kind === 'read' && limits.mostBytes !== undefined) settings.set('max_result_bytes', `${limits.mostBytes}`);
      return settings;
    };
    const finish = await withConnection(front, asked, query, own, (connection) =>
      execute({ front, connection, asked, sql, limits, query, response, request }),
    );
    leaveGate?.();
    tablesChanged?.();
    await finish();
  } finally {
    response.off('close', onClose);
    leaveGate?.();
    tablesChanged?.();
    query.finish();
  }
}

/** KILL comes through when nothing else does, as in the server. */
function gateOf(gates: Gates, { kind, asksProcesses }: Statement): Gate | undefined {
  if (kind === 'kill') return undefined;
  if (asksProcesses) return gates.processes;
  return kind === 'read' ? gates.readers : gates.statements;
}

interface Execution {
  front: Front;
  connection: Connection;
  asked: Asked;
  sql: string;
  limits: AnswerLimits;
  query: RunningQuery;
  request: IncomingMessage;
  response: ServerResponse;
}

/**
 * Resolves with what ends the answer: by then the session and the place at the gate are given back, so that a client's
 * next request never meets its last one.
 */
async function execute(run: Execution): Promise<() => Promise<void>> {
  const { front, connection, asked, sql, query, request, response } = run;
  const { wishes, statement } = asked;
  const head: AnswerHead = {
    queryId: wishes.queryId,
    format: formatOf(asked),
    encoding: wishes.compressAnswer ? acceptedEncoding(String(request.headers['accept-encoding'] ?? '')) : undefined,
    progress: wishes.progress,
  };
  if (statement.kind === 'insert') {
    const result = await connection.insert(sql);
    return () => answerWhole(response, { ...head, encoding: undefined }, result, new Uint8Array(0));
  }
  const result = run.limits.streams === 'at once' ? undefined : await wholeAnswer(run);
  if (result === undefined)
    return answerStream(
      response,
      head,
      connection.stream(sql, head.format, () => query.kill(clientIsGone)),
    );
  if (result.bytes.length > largeBytes) front.trimmer.large();
  const share = front.answers.open();
  share.grow(result.bytes.length);
  if (response.closed) share.giveBack();
  else response.once('close', share.giveBack);
  return () => answerWhole(response, head, result, result.bytes);
}

const formatOf = ({ statement, wishes }: Asked) => statement.format ?? wishes.defaultFormat;

/** Undefined: it is too large to be held, and can be streamed. */
async function wholeAnswer({ connection, sql, asked, limits, query }: Execution) {
  try {
    return await connection.query(sql, formatOf(asked));
  } catch (error) {
    // Also where the limit is the request's own: the stream then says the same once more.
    const { code, text } = toEngineError(error);
    if (limits.streams === 'never' || code !== 396 || !/max bytes/i.test(text)) throw error;
    await connection.query(`SET max_result_bytes = ${limits.wishedBytes}`, 'Null');
    query.signal.throwIfAborted();
    return undefined;
  }
}

interface AnswerLimits {
  /** At once where results may be cut off instead of refused: our limit would be taken for the request's. */
  streams: 'never' | 'when large' | 'at once';
  /** Of the whole answer, before it is formatted. */
  mostBytes: number | undefined;
  /** The request's own limit, or the session's; 0 is none. */
  wishedBytes: number;
}

function answerLimits(asked: Asked, states: readonly SettingState[]): AnswerLimits {
  const { wishes, statement, text } = asked;
  const setting = (name: string) => wishes.settings.get(name) ?? states.find((state) => state.name === name)?.value;
  const wishedBytes = Number(setting('max_result_bytes') ?? 0) || 0;
  const least = (limit: number) => (wishedBytes > 0 ? Math.min(wishedBytes, limit) : limit);
  if (!statement.plainSelect || !isStreamable(formatOf(asked)) || wishes.waitEndOfQuery)
    return { streams: 'never', mostBytes: least(maxWholeBytes), wishedBytes };
  // In the text both win over ours.
  const inText = /\bmax_result_bytes\s*=\s*(\w+)/i.exec(text);
  const tooLarge = inText !== null && !(Number(inText[1]) > 0 && Number(inText[1]) <= maxWholeBytes);
  const mayBeCut = (setting('result_overflow_mode') ?? 'throw') !== 'throw' || /\bresult_overflow_mode\b/i.test(text);
  if (tooLarge || mayBeCut) return { streams: 'at once', mostBytes: undefined, wishedBytes };
  return { streams: 'when large', mostBytes: least(maxUnstreamedBytes), wishedBytes };
}

/**
 * The engine does not know our query ids, and `KILL QUERY WHERE query_id = '…'` is what everybody writes. One that still
 * waits for its place is not in the engine: it is ended here.
 */
function killByOurId(text: string, user: User, running: RunningQueries): string {
  let named: RunningQuery | undefined;
  const sql = text.replace(/\bquery_id\s*=\s*'([^'\\]*)'/i, (condition, queryId: string) => {
    named = running.find(queryId);
    return named === undefined ? condition : `startsWith(Settings['log_comment'], ${quoteText(named.mark)})`;
  });
  // To the engine all queries are one user's, who may kill his own.
  if (user.readonly && (named?.user !== user.name || !onlyById.test(text)))
    throw refusals.accessDenied(
      `${user.name}: Not enough privileges: of KILL QUERY, only WHERE query_id = '…' of an own query.`,
    );
  named?.giveUp('Killed while it waited for its place.');
  return sql;
}
const onlyById = /^\s*KILL\s+QUERY\s+WHERE\s+query_id\s*=\s*'[^'\\]*'\s*(ASYNC|SYNC)?\s*;?\s*$/i;
