import type { IncomingMessage } from 'node:http';
import type { User } from './auth.ts';
import { refusals } from './errors.ts';
import type { QueryWishes } from './request.ts';
import { forbiddenSyntax, readStatement, type Statement, skeleton } from './sql-text.ts';

/** One request, read. */
export interface Asked {
  user: User;
  wishes: QueryWishes;
  statement: Statement;
  /** The SQL; of an INSERT with data, up to the data. */
  text: string;
  /** The data of an INSERT, from the address and the body. */
  rows: Uint8Array | undefined;
  readonly: boolean;
  /** Who takes turns with whom: a user's application, by the first word of its User-Agent (`application` of the stock client). */
  lane: string;
}

/** Throws what is refused by the text or by who asks. */
export function readAsked(user: User, wishes: QueryWishes, body: Buffer, request: IncomingMessage): Asked {
  const { text, statement, rows } = readText(wishes.query, body);
  refuse(text, statement, wishes);
  if (rows !== undefined && statement.format === undefined) refuseValues(rows);
  // As in the server, GET does not write.
  const readonly = user.readonly || request.method === 'GET' || request.method === 'HEAD';
  if (readonly && !['2', undefined].includes(wishes.settings.get('readonly')))
    throw refusals.readonly("Cannot modify 'readonly' setting in readonly mode.");
  if (wishes.session !== undefined) refuseInSession(wishes, readonly, statement);
  const agent = /^\S{1,64}/.exec(request.headers['user-agent'] ?? '')?.[0] ?? '';
  return { user, wishes, statement, text, rows, readonly, lane: `${user.name} ${agent}` };
}

/** An INSERT's data may be hundreds of megabytes, and bytes that are no text: only what comes before it is made text. */
function readText(query: string | undefined, body: Buffer): Pick<Asked, 'text' | 'statement' | 'rows'> {
  if (query === undefined) {
    const head = body.toString('utf8', 0, 64 * 1024);
    const statement = readStatement(head);
    if (statement.dataStart === undefined) {
      const text = body.toString('utf8');
      if (text.trim() === '') throw refusals.syntax('Empty query.');
      return { text, statement: readStatement(text), rows: undefined };
    }
    const text = head.slice(0, statement.dataStart);
    return { text, statement, rows: body.subarray(Buffer.byteLength(text)) };
  }
  const statement = readStatement(query);
  if (statement.dataStart === undefined) {
    if (body.length > 0) return readText(undefined, Buffer.concat([Buffer.from(`${query}\n`), body]));
    return { text: query, statement, rows: undefined };
  }
  const first = query.slice(statement.dataStart);
  const rows = first.trim() === '' ? body : Buffer.concat([Buffer.from(`${first}\n`), body]);
  return { text: query.slice(0, statement.dataStart), statement, rows };
}

function refuse(text: string, statement: Statement, wishes: QueryWishes): void {
  if (!statement.isSql) throw refusals.syntax('Syntax error: failed at position 1: it begins with no statement.');
  if (statement.several) throw refusals.syntax('Multi-statements are not allowed.');
  if (statement.unsupported !== undefined)
    throw refusals.notImplemented(`${statement.unsupported} is not supported here.`);
  const names = /\bIdentifier\b/i.test(text) ? [...wishes.params.values()] : [];
  for (const outside of [statement.forbidden, ...[...wishes.settings.keys(), ...names].map(forbiddenSyntax)])
    if (outside !== undefined)
      throw refusals.accessDenied(`${outside} is not allowed here: SQL stays inside the database.`);
  if (text.includes('\0')) throw refusals.syntax('The query has a NUL character.');
}

/** Values may be expressions, and what follows them another statement, which the engine would not run but not miss either. */
function refuseValues(rows: Uint8Array): void {
  const text = Buffer.from(rows.buffer, rows.byteOffset, rows.byteLength).toString('utf8');
  if (!/[;"`“\\]|file/.test(text)) return;
  if (/;\s*\S/.test(skeleton(text))) throw refusals.syntax('Multi-statements are not allowed.');
  const outside = forbiddenSyntax(text);
  if (outside !== undefined)
    throw refusals.accessDenied(`${outside} is not allowed here: SQL stays inside the database.`);
}

/** `readonly` cannot be taken back on a connection, so in a session it would last. */
function refuseInSession(wishes: QueryWishes, readonly: boolean, { kind }: Statement): void {
  if (wishes.settings.has('readonly')) throw refusals.notImplemented('The setting readonly in a session.');
  if (readonly && kind !== 'read')
    throw refusals.readonly('Cannot execute query in readonly mode. For queries over HTTP, use POST to write.');
}
