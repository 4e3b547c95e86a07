import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import Router from '@koa/router';
import { type Operation, PROBLEMS, queries, ROUTES, type Route } from '@volley/contract/http';
import type { Logger } from '@volley/runtime';
import Koa from 'koa';
import type { Console } from './console.ts';
import { answerEarly } from './early-answer.ts';
import { check, type Handlers } from './operation.ts';
import { HttpProblem, problemAnswer, problemOf } from './problem.ts';

export interface HttpOptions {
  readonly host: string;
  readonly port: number;
  readonly handlers: Handlers;
  /** The name of the credential; undefined: it is none. */
  readonly allowed: (authorization: string | undefined) => string | undefined;
  readonly log: Logger;
  answered(operation: string, status: number, seconds: number): void;
  stopping(): boolean;
  /** The pages, which need no key: they ask for one. */
  readonly console?: Console | undefined;
}

export interface HttpServer {
  readonly port: number;
  /** Takes no new connection, lets requests end, then closes what is left. */
  stop(graceMs: number): Promise<void>;
}

/**
 * Longer than proxies keep an idle connection (60 s is common). Whoever closes first may meet a request that is just being
 * sent: after Node's 5 s that was often us, and clients must not repeat a POST by themselves.
 */
const KEEP_ALIVE_MS = 75_000;
const REQUEST_ID = /^[\w.-]{1,64}$/;
const routes = Object.entries(ROUTES) as [Operation, Route][];
const koaPath = (path: string): string => path.replace(/\{(\w+)\}/g, ':$1');
/** For 405: which methods a path has. */
const patterns = routes.map(([, route]) => ({
  method: route.method.toUpperCase(),
  pattern: new RegExp(`^${route.path.replace(/\{\w+\}/g, '[^/]+').replaceAll('.', '\\.')}$`),
}));

/** Paths that are served, with their methods; `HEAD` comes with `GET`. */
const methodsOf = (path: string): string[] =>
  patterns.filter((p) => p.pattern.test(path)).flatMap((p) => (p.method === 'GET' ? ['GET', 'HEAD'] : [p.method]));

export function createApp(o: Omit<HttpOptions, 'host' | 'port'>): { app: Koa; router: Router } {
  const app = new Koa({ proxy: false });
  const router = new Router();
  for (const [operation, route] of routes) {
    router[route.method](koaPath(route.path), async (ctx) => {
      ctx.state.operation = operation;
      const query = check(route.query ?? queries.none, oneOfEach(ctx.URL), 'query');
      const { credential } = ctx.state;
      const reply = await o.handlers[operation]({ ctx, req: ctx.req, id: ctx.params.id ?? '', query, credential });
      if (!reply) return;
      ctx.status = reply.status;
      for (const [name, value] of Object.entries(reply.headers ?? {})) ctx.set(name, value);
      ctx.body = reply.body === undefined ? null : reply.body;
      // Koa makes 204 of a null body whatever was set before.
      ctx.status = reply.status;
    });
  }

  app.use(async (ctx, next) => {
    const began = performance.now();
    const given = ctx.get('x-request-id');
    ctx.state.requestId = REQUEST_ID.test(given) ? given : randomUUID();
    ctx.set('X-Request-Id', ctx.state.requestId);
    ctx.set('Cache-Control', 'no-store');
    ctx.set('X-Content-Type-Options', 'nosniff');
    if (o.stopping()) ctx.set('Connection', 'close');
    try {
      if (o.console?.(ctx)) return;
      ctx.state.credential = authorize(ctx, o.allowed);
      await next();
      if (ctx.status === 404 && ctx.state.operation === undefined && ctx.respond !== false) throw nothingHere(ctx);
    } catch (error) {
      const problem = problemOf(error);
      const { status, headers, body } = problemAnswer(problem, ctx.state.requestId);
      if (problem.code === 'internal') o.log.error({ err: error, request_id: ctx.state.requestId }, 'request failed');
      else if (status >= 500) o.log.warn({ err: error, request_id: ctx.state.requestId }, 'request refused');
      if (ctx.headerSent) return;
      ctx.status = status;
      for (const [name, value] of Object.entries(headers)) ctx.set(name, value);
      const text = JSON.stringify(body);
      ctx.body = text;
      ctx.type = 'application/problem+json';
      if (problem.headers.Connection === 'close' && !ctx.req.complete && !ctx.req.destroyed) {
        ctx.respond = false;
        answerEarly(ctx.req, ctx.res, text);
      }
    } finally {
      o.answered(ctx.state.operation ?? 'none', ctx.status, (performance.now() - began) / 1_000);
    }
  });
  app.use(router.routes());
  app.on('error', (error: NodeJS.ErrnoException) => {
    // A client that goes away in the middle is no error of ours.
    if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') o.log.warn({ err: error }, 'response failed');
  });
  return { app, router };
}

/** A parameter that stands twice is two opinions about one thing. */
function oneOfEach(url: URL): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of url.searchParams ?? []) {
    // Bytes that are no UTF-8 were replaced by U+FFFD on the way here.
    const unreadable = ['\u0000', '\ufffd'].some((c) => name.includes(c) || value.includes(c));
    if (unreadable || Object.hasOwn(out, name) || name === '__proto__')
      throw new HttpProblem('validation_failed', 'the query is not valid', {
        errors: [
          { pointer: `?${name}`, detail: unreadable ? 'is not text' : 'stands more than once, or is not a parameter' },
        ],
      });
    out[name] = value;
  }
  return out;
}

/** Deny by default: only what the table says is open is open, and an unknown path is not. */
function authorize(ctx: Koa.Context, allowed: HttpOptions['allowed']): string {
  const open = routes.some(([, route]) => route.secured === false && route.path === ctx.path);
  const credential = allowed(ctx.get('authorization'));
  if (open || credential !== undefined) return credential ?? '';
  throw new HttpProblem('unauthorized', 'Authorization: Bearer KEY is missing or not known', {
    headers: { 'WWW-Authenticate': 'Bearer realm="volley"' },
  });
}

function nothingHere(ctx: Koa.Context): HttpProblem {
  const methods = methodsOf(ctx.path);
  if (methods.length === 0) return new HttpProblem('not_found', 'there is no such route');
  return new HttpProblem('method_not_allowed', `possible here: ${methods.join(', ')}`, {
    headers: { Allow: methods.join(', ') },
  });
}

/** What Node answers by itself (a header block that is too large, a request that is no HTTP) is a problem as well. */
function malformedRequest(error: NodeJS.ErrnoException): string {
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400;
  const { title } = PROBLEMS.malformed_body;
  const body = JSON.stringify({
    type: 'urn:volley:problem:malformed_body',
    title,
    status,
    code: 'malformed_body',
    detail: 'the request is not HTTP as it should be',
    request_id: randomUUID(),
  });
  return `HTTP/1.1 ${status} Bad Request\r\nConnection: close\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

export async function startHttp(o: HttpOptions): Promise<HttpServer> {
  const { app } = createApp(o);
  const handle = app.callback();
  const server: Server = createServer(
    { headersTimeout: 10_000, requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS },
    (req, res) => void handle(req, res),
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (socket.writable && error.code !== 'ECONNRESET') socket.end(malformedRequest(error));
    else socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(o.port, o.host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : o.port,
    stop: (graceMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.closeAllConnections(), graceMs);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}
