import http, { type IncomingHttpHeaders } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

type Answer = (request: Received, response: http.ServerResponse, socket: net.Socket) => void;

/** An HTTP server that remembers what it got and counts its connections. */
export async function webhookServer(
  t: Pick<ExecutionContext, 'teardown'>,
  answer: Answer = (_request, response) => void response.writeHead(204).end(),
) {
  const received: Received[] = [];
  const sockets = new Set<net.Socket>();
  const state = { received, sockets, opened: 0, most: 0 };
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      const got = { method, path, headers, body: Buffer.concat(chunks).toString() };
      received.push(got);
      answer(got, response, request.socket);
    });
    response.on('error', () => {});
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    state.opened += 1;
    state.most = Math.max(state.most, sockets.size);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const { port } = server.address() as AddressInfo;
  return { ...state, state, port, url: `http://127.0.0.1:${port}/in?key=1` };
}

/** A server of raw sockets, for what no HTTP library would say; `onRequest` comes once the request is complete. */
export async function rawServer(
  t: Pick<ExecutionContext, 'teardown'>,
  onRequest: (socket: net.Socket) => void,
  onConnection: (socket: net.Socket) => void = () => {},
) {
  const sockets = new Set<net.Socket>();
  const state = { requests: 0 };
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    onConnection(socket);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (end < 0 || text.length < end + 4 + length) return;
      text = '';
      state.requests += 1;
      onRequest(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return { sockets, state, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

/** After `head` a byte every 20 ms, for ever. */
export function drip(socket: net.Socket, text: string, head = ''): void {
  let i = 0;
  if (head !== '') socket.write(head);
  const timer = setInterval(() => socket.write(text.charAt(i++ % text.length)), 20);
  socket.on('close', () => clearInterval(timer));
}

/** All of `text` every 20 ms, for ever. */
export function repeat(socket: net.Socket, text: string): void {
  const timer = setInterval(() => socket.write(text), 20);
  socket.on('close', () => clearInterval(timer));
}

/** As in support.ts, which brings the whole dispatcher with it. */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
