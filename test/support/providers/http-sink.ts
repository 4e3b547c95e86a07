import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createJournal, type Journal } from './journal.ts';
import type { Step } from './script.ts';

export interface HttpSink extends Journal {
  readonly port: number;
  /** For `url` of a webhook provider; a recipient of its own is `url` and any path. */
  readonly url: string;
  close(): Promise<void>;
}

const STATUS = { accept: 204, transient: 503, refuse: 400, throttle: 429, 'throttle-date': 429 } as const;
const DRIP_EVERY_MS = 1_000;

/**
 * An HTTP server on 127.0.0.1 (or `host`) that does with each webhook what its recipient says, and writes it down before it answers. The
 * message is known by its `webhook-id`, the recipient by the body; where the body names none, by the path.
 */
export async function startHttpSink(
  options: { readonly host?: string; readonly port?: number } = {},
): Promise<HttpSink> {
  const journal = createJournal();
  const timers = new Set<NodeJS.Timeout>();
  const later = (ms: number, run: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      run();
    }, ms);
    timers.add(timer);
  };

  function answer(step: Step, request: http.IncomingMessage, response: http.ServerResponse): void {
    const { retryAfterS = 1 } = journal.mood();
    switch (step.answer) {
      case 'hang':
        return;
      case 'reset':
      case 'lost':
        request.socket.resetAndDestroy();
        return;
      case 'drip':
        dripOn(response);
        return;
      case 'huge':
        response.writeHead(200, { 'content-type': 'text/plain' });
        response.end('x'.repeat(1_048_576));
        return;
      case 'throttle':
        response.writeHead(429, { 'retry-after': String(retryAfterS) });
        response.end('slow down');
        return;
      case 'throttle-date':
        response.writeHead(429, { 'retry-after': new Date(Date.now() + retryAfterS * 1_000).toUTCString() });
        response.end('slow down');
        return;
      default:
        response.writeHead(STATUS[step.answer]);
        response.end();
    }
  }

  /** The head of an answer is never complete: a byte of a header a second. */
  function dripOn(response: http.ServerResponse): void {
    const socket = response.socket;
    if (socket === null || socket.destroyed) return;
    socket.write('HTTP/1.1 200 OK\r\nx-drip: ');
    const more = () => {
      if (socket.destroyed) return;
      socket.write('.');
      later(DRIP_EVERY_MS, more);
    };
    later(DRIP_EVERY_MS, more);
  }

  const server = http.createServer((request, response) => {
    journal.opened();
    response.on('close', () => journal.closed());
    response.on('error', () => {});
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      const header = (name: string) => String(request.headers[name] ?? '');
      const recipient = recipientIn(Buffer.concat(chunks)) || decodeURIComponent(request.url ?? '');
      const attempt = Number(header('webhook-attempt')) || undefined;
      const step = journal.take(header('webhook-id'), recipient, attempt);
      if (step.afterMs === 0) answer(step, request, response);
      else later(step.afterMs, () => answer(step, request, response));
    });
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    ...journal,
    port,
    url: `http://127.0.0.1:${port}/`,
    close() {
      for (const timer of timers) clearTimeout(timer);
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function recipientIn(body: Buffer): string {
  try {
    const { recipient } = JSON.parse(body.toString()) as { recipient?: unknown };
    return typeof recipient === 'string' ? recipient : '';
  } catch {
    return '';
  }
}
