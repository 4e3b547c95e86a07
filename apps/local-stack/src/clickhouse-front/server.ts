import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { answerError } from './answer.ts';
import { authenticate, type User } from './auth.ts';
import { readBody } from './body.ts';
import { type ByteShare, createByteBudget } from './byte-budget.ts';
import { refusals } from './errors.ts';
import type { Front } from './front.ts';
import { largeBytes } from './memory.ts';
import { readMultipart } from './multipart.ts';
import { readWishes } from './request.ts';
import { runQuery } from './run-query.ts';

export interface ServerLimits {
  /** Inserts come as one block; the sink's are at most 32 MiB, a bulk load may be more. */
  maxBodyBytes: number;
  /** Of all bodies that are read or wait for their turn; a client that is refused comes again. */
  maxHeldBytes: number;
}

const mebibyte = 1024 * 1024;
const defaultLimits: ServerLimits = { maxBodyBytes: 256 * mebibyte, maxHeldBytes: 640 * mebibyte };
const maxUrlBytes = 256 * 1024;
/** So long the rest of a refused body is waited for. */
const lingerMs = 5_000;

export function createServer(
  front: Front,
  users: readonly User[],
  { maxBodyBytes, maxHeldBytes } = defaultLimits,
): http.Server {
  const budget = createByteBudget(maxHeldBytes, 'bodies');
  const server = http.createServer({ maxHeaderSize: maxUrlBytes, keepAliveTimeout: 10_000 }, (request, response) => {
    response.setHeader('X-ClickHouse-Server-Display-Name', 'volley-local');
    response.setHeader('X-ClickHouse-Timezone', 'UTC');
    let queryId: string | undefined;
    const share = budget.open();
    answer(front, users, share, maxBodyBytes, request, response, (id) => {
      queryId = id;
    }).catch((error: unknown) => {
      if (request.complete || response.headersSent) return answerError(response, queryId, error);
      // What is left of a refused body must be neither read as the next request nor answered with a reset, which would
      // overtake the answer: the connection ends when all of it has come, and until then it is thrown away.
      response.setHeader('Connection', 'close');
      answerError(response, queryId, error, allThrownAway(request));
    });
  });
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  });
  return server;
}

async function answer(
  front: Front,
  users: readonly User[],
  share: ByteShare,
  maxBodyBytes: number,
  request: IncomingMessage,
  response: ServerResponse,
  named: (queryId: string) => void,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://front');
  const params = url.searchParams;
  if (url.pathname === '/ping' || url.pathname === '/replicas_status') return plain(response, 200, 'Ok.\n');
  if (url.pathname !== '/') return plain(response, 404, `There is no handle ${url.pathname}\n`);
  if (request.method === 'GET' || request.method === 'HEAD') {
    if (!params.has('query')) return plain(response, 200, 'Ok.\n');
  } else if (request.method !== 'POST') {
    response.setHeader('Allow', 'GET, HEAD, POST');
    return plain(response, 405, `Method ${request.method} is not allowed\n`);
  }
  named(params.get('query_id') ?? '');
  const user = authenticate(request.headers, params, users);
  try {
    let body = await readBody(request, maxBodyBytes, share.grow);
    const contentType = request.headers['content-type'] ?? '';
    if (/^multipart\/form-data/i.test(contentType)) {
      for (const [name, value] of readMultipart(body, contentType)) {
        if (name === 'query' && params.has('query'))
          throw refusals.badArguments('The query is in the address and in the form.');
        params.append(name, value);
      }
      body = Buffer.alloc(0);
    }
    const wishes = readWishes(params, request.headers);
    named(wishes.queryId);
    if (body.length > largeBytes) front.trimmer.large();
    await runQuery(front, user, wishes, body, request, response);
  } finally {
    share.giveBack();
  }
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader('Content-Type', 'text/html; charset=UTF-8');
  response.end(text);
}

function allThrownAway(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, lingerMs);
    for (const end of ['end', 'close'] as const)
      request.once(end, () => {
        clearTimeout(timer);
        resolve();
      });
    request.on('error', () => {});
    request.resume();
  });
}
