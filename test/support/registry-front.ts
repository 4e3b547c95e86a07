import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** How a registry can be away: some of these look like an answer. */
export type RegistryMood = 'pass' | 'refuse' | 'blackhole' | 'error' | 'html';

export interface RegistryFront {
  /** The registry's address through this front. */
  through(address: string): string;
  set(mood: RegistryMood): Promise<void>;
  /** Requests that did not pass. */
  faults(): number;
  close(): Promise<void>;
}

const PASSED = ['accept', 'content-type'] as const;

/** An HTTP server in front of a schema registry that passes everything, until it is told to be away. */
export async function startRegistryFront(): Promise<RegistryFront> {
  let target = '';
  let mood: RegistryMood = 'pass';
  let port = 0;
  let faults = 0;

  const server = http.createServer((request, response) => {
    response.on('error', () => {});
    if (mood !== 'pass') faults += 1;
    if (mood === 'blackhole') return;
    if (mood === 'refuse') return void request.socket.resetAndDestroy();
    if (mood === 'error') return void response.writeHead(500).end('{"error_code":50001,"message":"store is away"}');
    if (mood === 'html')
      return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>Maintenance</body></html>');
    void pass(request, response);
  });

  async function pass(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const headers = Object.fromEntries(
      PASSED.flatMap((name) => (request.headers[name] === undefined ? [] : [[name, String(request.headers[name])]])),
    );
    try {
      const answer = await fetch(`${target}${request.url}`, {
        method: request.method ?? 'GET',
        headers,
        ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
      });
      const type = answer.headers.get('content-type') ?? 'application/json';
      response.writeHead(answer.status, { 'content-type': type }).end(Buffer.from(await answer.arrayBuffer()));
    } catch {
      request.socket.resetAndDestroy();
    }
  }

  const listen = () =>
    new Promise<void>((resolve) =>
      server.listen({ host: '127.0.0.1', port }, () => {
        port = (server.address() as AddressInfo).port;
        resolve();
      }),
    );
  const hang = () =>
    new Promise<void>((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  await listen();
  return {
    through(address) {
      const url = new URL(address);
      target = url.origin;
      url.port = String(port);
      return url.toString();
    },
    async set(next) {
      const before = mood;
      mood = next;
      if (next === before) return;
      if (next === 'refuse') await hang();
      else if (before === 'refuse') await listen();
      // What hung is cut, so that nobody waits for an answer that was lost.
      else server.closeAllConnections();
    },
    faults: () => faults,
    async close() {
      if (mood !== 'refuse') await hang();
    },
  };
}
