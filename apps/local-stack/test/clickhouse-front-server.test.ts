import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { answerWhole } from '../src/clickhouse-front/answer.ts';
import { createByteBudget } from '../src/clickhouse-front/byte-budget.ts';
import type { Connection, Engine } from '../src/clickhouse-front/engine.ts';
import type { Front } from '../src/clickhouse-front/front.ts';
import { createGate } from '../src/clickhouse-front/gate.ts';
import { createRunningQueries } from '../src/clickhouse-front/running-queries.ts';
import { createServer } from '../src/clickhouse-front/server.ts';
import { until } from './support/stacks.ts';

const kibibyte = 1024;

async function listening(t: ExecutionContext, server: http.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

for (const how of ['in chunks', 'with its length'] as const) {
  for (const [which, limits] of [
    ['one body', { maxBodyBytes: 100 * kibibyte, maxHeldBytes: 10_000 * kibibyte }],
    ['all bodies', { maxBodyBytes: 10_000 * kibibyte, maxHeldBytes: 100 * kibibyte }],
  ] as const) {
    test(`a body ${how} above the limit of ${which} is answered, and not with a reset`, async (t) => {
      const users = [{ name: 'volley', password: 'p', readonly: false }];
      // A body that is refused asks for nothing behind the server.
      const port = await listening(t, createServer({} as Front, users, limits));
      const target = { host: '127.0.0.1', port, method: 'POST', path: '/', auth: 'volley:p' };
      if (which === 'all bodies') {
        // This one holds what there is for all of them: it never ends. The server takes it up with the word to go on.
        const half = { 'content-length': 200 * kibibyte, expect: '100-continue' };
        const other = http.request({ ...target, headers: half }).on('error', () => {});
        t.teardown(() => other.destroy());
        other.flushHeaders();
        await new Promise((resolve) => other.once('continue', resolve));
      }

      const size = 5_000 * kibibyte;
      const headers = how === 'in chunks' ? { 'transfer-encoding': 'chunked' } : { 'content-length': size };
      const request = http.request({ ...target, headers });
      let broken: Error | undefined;
      request.on('error', (error) => {
        broken = error;
      });
      const closed = new Promise((resolve) => request.once('close', resolve));
      request.end(Buffer.alloc(size));
      const answer = await new Promise<http.IncomingMessage>((resolve) => request.once('response', resolve));
      const text = Buffer.concat(await answer.toArray()).toString();
      await closed;
      t.is(
        broken,
        undefined,
        'all of it is taken: a client that reads only when it has sent everything gets its answer',
      );
      t.is(answer.headers['x-clickhouse-exception-code'], which === 'one body' ? '229' : '202', text);
      t.regex(text, which === 'one body' ? /^Code: 229\. .*larger than/ : /^Code: 202\. .*simultaneous bodies/);
    });
  }
}

test('a client that takes nothing of a whole answer is cut off', async (t) => {
  const head = { queryId: 'q', format: 'TabSeparated', encoding: undefined, progress: false };
  const sizes = { '/small': 10, '/large': 64 * kibibyte * kibibyte };
  let ended: Promise<boolean> | undefined;
  const server = http.createServer((request, response) => {
    ended = new Promise((resolve) => response.once('close', () => resolve(response.writableFinished)));
    void answerWhole(response, head, {}, Buffer.alloc(sizes[request.url as keyof typeof sizes]), 100);
  });
  const port = await listening(t, server);
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  // One that was taken whole leaves the connection as it was.
  socket.write('GET /small HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  t.true(await ended);
  ended = undefined;
  socket.pause();
  socket.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n');
  while (ended === undefined) await new Promise(setImmediate);
  t.false(await ended);
});

test('whole answers that nobody takes are bounded in their sum, and give it back when their client is gone', async (t) => {
  const bytes = Buffer.alloc(64 * kibibyte * kibibyte);
  const connection = {
    query: async () => ({ bytes, readRows: 1, readBytes: 1, elapsedMs: 1 }),
    close() {},
  } as Partial<Connection> as Connection;
  const engine: Engine = { connect: () => connection, close() {} };
  const gate = createGate({ name: 'select', places: 4, queueLength: 4, maxWaitMs: 1000 });
  const front: Partial<Front> = {
    engine,
    running: createRunningQueries(engine),
    gates: { readers: gate, processes: gate, inserts: gate, statements: gate },
    answers: createByteBudget(100 * kibibyte * kibibyte, 'answers'),
    trimmer: { large() {} },
  };
  const users = [{ name: 'volley', password: 'p', readonly: false }];
  const port = await listening(t, createServer(front as Front, users));
  const ask = () =>
    new Promise<http.IncomingMessage>((resolve, reject) => {
      const target = { host: '127.0.0.1', port, method: 'POST', path: '/', auth: 'volley:p', agent: false };
      http.request(target, resolve).on('error', reject).end('SELECT 1');
    });
  const untaken = await ask();
  untaken.on('error', () => {});
  const refused = await ask();
  t.is(refused.headers['x-clickhouse-exception-code'], '202');
  refused.resume();
  untaken.destroy();
  await until(async () => {
    const answer = await ask();
    answer.on('error', () => {});
    answer.destroy();
    return answer.statusCode === 200;
  }, 'what it had is given back');
});
