import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { createTransport } from '../src/transport.ts';

async function withServer(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
  run: (origin: string, server: Server) => Promise<void>,
): Promise<void> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, server);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
const options = (origin: string, timeoutMs = 5_000, connections = 4) => ({ origin, key: 'k', connections, timeoutMs });

test('the key, the body and the type arrive; status and text come back', async (t) => {
  const seen: unknown[] = [];
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      seen.push([request.method, request.url, request.headers.authorization, request.headers['content-type'], body]);
      response.writeHead(202).end('{"queued":3}');
    });
  };
  await withServer(handle, async (origin) => {
    const transport = createTransport(options(origin));
    t.deepEqual(await transport.request('POST', '/a', 'application/json', '{"é":1}'), {
      ok: true,
      status: 202,
      text: '{"queued":3}',
    });
    await transport.request('GET', '/b');
    await transport.close();
  });
  t.deepEqual(seen, [
    ['POST', '/a', 'Bearer k', 'application/json', '{"é":1}'],
    ['GET', '/b', 'Bearer k', undefined, ''],
  ]);
});

test('connections are kept, and no more are opened than may be', async (t) => {
  let open = 0;
  const handle = (_: IncomingMessage, response: ServerResponse) => void setImmediate(() => response.end('{}'));
  await withServer(handle, async (origin, server) => {
    server.on('connection', () => {
      open += 1;
    });
    const transport = createTransport(options(origin, 5_000, 3));
    const replies = await Promise.all(Array.from({ length: 60 }, () => transport.request('GET', '/')));
    t.true(replies.every((reply) => reply.ok && reply.status === 200));
    await transport.close();
  });
  t.is(open, 3);
});

test('a server that never answers: given up at the timeout, and what waited behind it was never sent', async (t) => {
  let asked = 0;
  const handle = () => {
    asked += 1;
  };
  await withServer(handle, async (origin) => {
    // Time enough to connect on a machine that is busy with something else.
    const transport = createTransport(options(origin, 2_000, 1));
    const replies = await Promise.all([transport.request('GET', '/1'), transport.request('GET', '/2')]);
    t.deepEqual(replies, [
      { ok: false, error: 'timeout', begun: true },
      { ok: false, error: 'timeout', begun: false },
    ]);
    await transport.close();
  });
  t.is(asked, 1);
});

test('a connection that breaks before the answer leaves nobody knowing, one that is refused sent nothing', async (t) => {
  let origin = '';
  await withServer(
    (request) => request.socket.resetAndDestroy(),
    async (at) => {
      origin = at;
      const transport = createTransport(options(at));
      t.like(await transport.request('POST', '/', 'text/plain', 'x'), { ok: false, begun: true });
      await transport.close();
    },
  );
  const transport = createTransport(options(origin));
  t.deepEqual(await transport.request('GET', '/'), { ok: false, error: 'ECONNREFUSED', begun: false });
  await transport.close();
});
