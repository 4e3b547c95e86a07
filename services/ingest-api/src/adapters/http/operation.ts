import type { IncomingMessage } from 'node:http';
import type { Operation } from '@volley/contract/http';
import type { Context } from 'koa';
import type { z } from 'zod';
import { HttpProblem } from './problem.ts';

/** What a handler gets: checked parameters. It answers by `reply`, or throws a problem. */
export interface Request {
  readonly ctx: Context;
  readonly req: IncomingMessage;
  readonly id: string;
  /** The checked query string. */
  readonly query: Readonly<Record<string, unknown>>;
  /** Name of the credential; empty where none is needed. */
  readonly credential: string;
}

export type Handler = (request: Request) => Promise<Reply | undefined>;
export type Handlers = Readonly<Record<Operation, Handler>>;

/** undefined from a handler: it has taken over the response. */
export interface Reply {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Runs with a signal that tells when the client has gone away: then what it asked for is ended, and nobody answered. */
export async function whileThere(r: Request, work: (gone: AbortSignal) => Promise<Reply>): Promise<Reply | undefined> {
  const { res } = r.ctx;
  const controller = new AbortController();
  const onClose = () => controller.abort(new Error('the client has gone away'));
  if (res.destroyed) onClose();
  res.once('close', onClose);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    r.ctx.respond = false;
    return undefined;
  } finally {
    res.off('close', onClose);
  }
}

const pointerOf = (path: readonly PropertyKey[]): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** zod's issues as pointers; an unknown field is named itself, not only its object. */
export function check<T extends z.ZodType>(schema: T, value: unknown, kind: 'body' | 'query'): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const at = (path: readonly PropertyKey[]) => (kind === 'body' ? pointerOf(path) : `?${path.join('.')}`);
  const errors = parsed.error.issues
    .slice(0, 100)
    .flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.slice(0, 100).map((key) => ({ pointer: at([...issue.path, key]), detail: 'unknown field' }))
        : [{ pointer: at(issue.path), detail: issue.message }],
    );
  throw new HttpProblem('validation_failed', kind === 'body' ? 'the body is not valid' : 'the query is not valid', {
    errors,
  });
}

export const notFound = (what: string): HttpProblem => new HttpProblem('not_found', `there is no such ${what}`);
