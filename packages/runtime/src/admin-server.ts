import { createServer, type Server } from 'node:http';
import type { Registry } from 'prom-client';

/** Why a process is not ready; empty means ready. Asked at each request: no state that can be stale. */
export type ReadinessCheck = () => string[] | Promise<string[]>;

export interface AdminServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * `/livez` (no dependency: the process answers), `/readyz` (503 with the reasons), `/metrics` (Prometheus text).
 * On its own port, so that it can stay inside while the API faces users. `port` 0 takes a free one.
 */
export function startAdminServer(options: {
  host: string;
  port: number;
  registry: Registry;
  ready: ReadinessCheck;
}): Promise<AdminServer> {
  const server: Server = createServer((req, res) => {
    const reply = (status: number, type: string, body: string) => {
      res.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
      res.end(body);
    };
    const path = (req.url ?? '/').split('?')[0];
    const work = async () => {
      if (req.method !== 'GET' && req.method !== 'HEAD') return reply(405, 'text/plain', 'method not allowed\n');
      if (path === '/livez' || path === '/healthz') return reply(200, 'text/plain', 'ok\n');
      if (path === '/readyz') {
        const reasons = await options.ready();
        return reply(
          reasons.length ? 503 : 200,
          'application/json',
          `${JSON.stringify({ ready: reasons.length === 0, reasons })}\n`,
        );
      }
      if (path === '/metrics') return reply(200, options.registry.contentType, await options.registry.metrics());
      return reply(404, 'text/plain', 'not found\n');
    };
    work().catch(() => reply(500, 'text/plain', 'error\n'));
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 15_000;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      const address = server.address();
      resolve({
        port: typeof address === 'object' && address ? address.port : options.port,
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}
