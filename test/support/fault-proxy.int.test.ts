import { once } from 'node:events';
import net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { type FaultProxy, type FaultProxyOptions, startFaultProxy } from './fault-proxy.ts';
import { until } from './until.ts';

/** A server that answers each chunk with itself, in capitals; `seen` is what reached it. */
async function echo(t: ExecutionContext, options: Partial<FaultProxyOptions> = {}) {
  let seen = '';
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      seen += chunk.toString('latin1');
      socket.write(options.protocol === 'kafka' ? chunk : Buffer.from(chunk.toString().toUpperCase()));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const target = `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  const proxy = await startFaultProxy({ target, ...options });
  t.teardown(async () => {
    await proxy.close();
    server.close();
  });
  return { proxy, seen: () => seen };
}

async function dial(t: ExecutionContext, proxy: FaultProxy) {
  const socket = net.connect(proxy.port, proxy.host);
  const state = { got: '', ended: undefined as string | undefined };
  socket.on('data', (chunk) => {
    state.got += chunk.toString('latin1');
  });
  socket.on('error', (error: Error & { code?: string }) => {
    state.ended = error.code ?? error.message;
  });
  socket.on('close', () => {
    state.ended ??= 'closed';
  });
  t.teardown(() => socket.destroy());
  await until('it is decided', () => socket.readyState === 'open' || state.ended !== undefined);
  const answers = (text: string) =>
    until(`the answer ${text}`, () => state.got === text, { timeoutMs: 5_000, seen: () => state });
  return { socket, state, answers };
}

test('without a fault everything passes, in both directions and in order', async (t) => {
  const { proxy, seen } = await echo(t);
  const { socket, answers } = await dial(t, proxy);
  for (let i = 0; i < 200; i++) socket.write(`line ${i};`);
  const all = Array.from({ length: 200 }, (_, i) => `line ${i};`).join('');
  await answers(all.toUpperCase());
  t.is(seen(), all);
  t.is(proxy.toServer.passed(), all.length);
});

test('the end of one side reaches the other after all that was said before it', async (t) => {
  const { proxy } = await echo(t);
  proxy.toServer.set({ latencyMs: 30 });
  const { socket, state, answers } = await dial(t, proxy);
  socket.end('last words');
  await answers('LAST WORDS');
  await until('the end', () => state.ended === 'closed');
  t.pass();
});

test('latency delays one direction, keeps the order, and ends when it is switched off', async (t) => {
  const { proxy } = await echo(t);
  const { socket, state, answers } = await dial(t, proxy);
  proxy.toClient.set({ latencyMs: 120, jitterMs: 40 });
  const startedMs = performance.now();
  socket.write('a');
  await until('it reached the server', () => proxy.toServer.passed() === 1);
  socket.write('b');
  await answers('AB');
  t.true(performance.now() - startedMs >= 119);
  proxy.toClient.set({ latencyMs: 60_000 });
  socket.write('c');
  await until('it is held', () => proxy.toServer.passed() === 3);
  proxy.toClient.set({});
  await answers('ABC');
  t.is(state.ended, undefined);
});

test('bandwidth bounds how fast bytes pass', async (t) => {
  const { proxy } = await echo(t);
  const { socket, state } = await dial(t, proxy);
  proxy.toServer.set({ bytesPerSecond: 100_000 });
  const startedMs = performance.now();
  socket.write('x'.repeat(20_000));
  await until('all is there', () => state.got.length === 20_000);
  t.true(performance.now() - startedMs >= 190, 'a fifth of a second for a fifth of the bytes');
});

test('a blackhole lets nothing through and tells nobody; what was held passes when it ends', async (t) => {
  const { proxy, seen } = await echo(t);
  const { socket, state, answers } = await dial(t, proxy);
  proxy.toServer.set({ blackhole: true });
  socket.write('a');
  const late = await dial(t, proxy);
  late.socket.write('b');
  proxy.toClient.set({ latencyMs: 20 });
  t.is(seen(), '');
  t.is(state.ended, undefined);
  proxy.toServer.set({});
  await answers('A');
  await late.answers('B');
});

test('reset cuts every open connection and lets new ones be made', async (t) => {
  const { proxy } = await echo(t);
  const { state, socket, answers } = await dial(t, proxy);
  socket.write('a');
  await answers('A');
  t.is(proxy.reset(), 1);
  await until('it was reset', () => state.ended === 'ECONNRESET', { seen: () => state });
  const again = await dial(t, proxy);
  again.socket.write('b');
  await again.answers('B');
});

test('refuse cuts what is open and refuses what comes, on the same port until it ends', async (t) => {
  const { proxy } = await echo(t);
  const { state } = await dial(t, proxy);
  await proxy.refuse(true);
  await until('it was cut', () => state.ended !== undefined);
  const refused = await dial(t, proxy);
  await until('it was refused', () => refused.state.ended === 'ECONNREFUSED', { seen: () => refused.state });
  await proxy.refuse(false);
  const again = await dial(t, proxy);
  again.socket.write('a');
  await again.answers('A');
  t.is(proxy.connections(), 1);
});

test('a connection is reset after so many bytes, and those bytes have arrived', async (t) => {
  const { proxy, seen } = await echo(t);
  const { socket, state } = await dial(t, proxy);
  proxy.toServer.set({ resetAfterBytes: 4 });
  socket.write('abcdefgh');
  await until('it was reset', () => state.ended === 'ECONNRESET', { seen: () => state });
  await until('the first bytes are there', () => seen() === 'abcd', { seen });
  t.pass();
});

test('an answer that is cut after so many bytes leaves the connection open', async (t) => {
  const { proxy, seen } = await echo(t);
  const { socket, state, answers } = await dial(t, proxy);
  proxy.toClient.set({ dropAfterBytes: 3 });
  socket.write('abcdef');
  await answers('ABC');
  socket.write('ghi');
  await until('the server has it', () => seen() === 'abcdefghi');
  t.is(state.got, 'ABC');
  t.is(state.ended, undefined);
});

test('exactly the answer to the request with these bytes is lost, after the server acted on it', async (t) => {
  const { proxy, seen } = await echo(t);
  proxy.dropAnswerTo('second');
  const { socket, state, answers } = await dial(t, proxy);
  socket.write('first;');
  await answers('FIRST;');
  socket.write('sec');
  await answers('FIRST;SEC');
  socket.write('ond;');
  await until('it was cut', () => state.ended === 'ECONNRESET', { seen: () => state });
  t.is(seen(), 'first;second;');
  t.is(state.got, 'FIRST;SEC');
  t.is(proxy.faults(), 1);
  const again = await dial(t, proxy);
  again.socket.write('second;');
  await again.answers('SECOND;');
});

/** A frame of Kafka's protocol as far as the proxy reads it: length, API key, version, correlation id. */
function frame(apiKey: number, correlationId: number, text = ''): Buffer {
  const body = Buffer.alloc(8 + text.length);
  body.writeInt16BE(apiKey, 0);
  body.writeInt16BE(7, 2);
  body.writeInt32BE(correlationId, 4);
  body.write(text, 8);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** An answer begins with the correlation id. The echo's does not, so a frame is sent that reads right both ways. */
const request = (apiKey: number, text = '') => frame(apiKey, (apiKey << 16) | 7, text);

test('kafka: the answer to one kind of request is lost, whole frames and however the bytes are cut', async (t) => {
  const { proxy, seen } = await echo(t, { protocol: 'kafka' });
  const asked: number[] = [];
  proxy.onAnswer = (apiKey) => {
    asked.push(apiKey);
    return apiKey === 9 ? 'drop' : undefined;
  };
  const { socket, state } = await dial(t, proxy);
  const three = Buffer.concat([request(3, 'one'), request(4, 'two')]);
  for (const byte of three) socket.write(Buffer.from([byte]));
  await until('both answers', () => state.got.length === three.length);
  socket.write(request(9, 'three'));
  await until('it was cut', () => state.ended === 'ECONNRESET', { seen: () => state });
  t.deepEqual(asked, [3, 4, 9]);
  t.true(seen().includes('three'), 'the server acted on it');
  t.is(proxy.faults(), 1);
});

test('kafka: an answer can be changed on its way', async (t) => {
  const { proxy } = await echo(t, { protocol: 'kafka' });
  proxy.onAnswer = (apiKey) =>
    apiKey === 5 ? (answer) => Buffer.from(answer.toString('latin1').replace('good', 'evil'), 'latin1') : undefined;
  const { socket, state } = await dial(t, proxy);
  socket.write(request(5, 'good'));
  await until('the answer', () => state.got.includes('evil'));
  t.is(proxy.faults(), 1);
});

test('heal ends every fault', async (t) => {
  const { proxy } = await echo(t);
  proxy.toServer.set({ blackhole: true });
  proxy.toClient.set({ latencyMs: 60_000 });
  proxy.dropAnswerTo('a', 5);
  await proxy.refuse(true);
  await proxy.heal();
  const { socket, answers } = await dial(t, proxy);
  socket.write('a');
  await answers('A');
  t.is(proxy.faults(), 0);
});
