import { createServer } from 'node:net';

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });

const anyFree = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });

/** Hands out ports on 127.0.0.1: the wanted one or the next free one, never the same twice. */
export function createPortPicker(any: boolean): (wanted: number) => Promise<number> {
  const taken = new Set<number>();
  return async (wanted) => {
    for (let port = wanted; !any && port < wanted + 200; port++) {
      if (taken.has(port) || !(await isFree(port))) continue;
      taken.add(port);
      return port;
    }
    for (;;) {
      const port = await anyFree();
      if (taken.has(port)) continue;
      taken.add(port);
      return port;
    }
  };
}
