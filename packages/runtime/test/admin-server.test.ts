import { createConnection } from 'node:net';
import test from 'ava';
import { type ReadinessCheck, startAdminServer } from '../src/admin-server.ts';
import { createMetrics } from '../src/metrics.ts';

/** On a free port of the loopback interface, the only I/O of these tests. */
async function start(t: import('ava').ExecutionContext, ready: ReadinessCheck = () => []) {
  const { registry, m } = createMetrics({ depth: { kind: 'gauge', name: 'volley_depth', help: 'Depth.' } }, false);
  const server = await startAdminServer({ host: '127.0.0.1', port: 0, registry, ready });
  t.teardown(server.close);
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      cache: response.headers.get('cache-control'),
      body: await response.text(),
    };
  };
  return { server, get, m };
}

test('livez answers without asking anything', async (t) => {
  const { get } = await start(t, () => t.fail('asked') as never);
  t.like(await get('/livez'), { status: 200, body: 'ok\n', cache: 'no-store' });
  t.like(await get('/healthz'), { status: 200 });
});

test('readyz is 200 when nothing is wrong and 503 with the reasons otherwise, asked each time', async (t) => {
  const reasons: string[] = [];
  const { get } = await start(t, async () => reasons);
  t.like(await get('/readyz'), { status: 200, body: '{"ready":true,"reasons":[]}\n' });
  reasons.push('the log cannot be reached');
  t.like(await get('/readyz?verbose'), {
    status: 503,
    type: 'application/json',
    body: '{"ready":false,"reasons":["the log cannot be reached"]}\n',
  });
  reasons.pop();
  t.is((await get('/readyz')).status, 200);
});

test('a readiness check that fails is a 500 without its text', async (t) => {
  const { get } = await start(t, () => Promise.reject(new Error('password hunter2')));
  t.like(await get('/readyz'), { status: 500, body: 'error\n' });
});

test('metrics are in the text format of Prometheus', async (t) => {
  const { get, m } = await start(t);
  m.depth.set(3);
  const answer = await get('/metrics');
  t.is(answer.status, 200);
  t.regex(answer.type ?? '', /^text\/plain; version=0\.0\.4/);
  t.regex(answer.body, /^volley_depth 3$/m);
});

test('anything else is 404, another method 405', async (t) => {
  const { get } = await start(t);
  t.is((await get('/')).status, 404);
  t.is((await get('/livez/x')).status, 404);
  t.is((await get('/livez', 'POST')).status, 405);
  t.is((await get('/livez', 'HEAD')).status, 200);
});

test('close does not wait for a client that keeps its connection open', async (t) => {
  const { server, get } = await start(t);
  const idle = createConnection(server.port, '127.0.0.1');
  await new Promise((resolve) => idle.once('connect', resolve));
  idle.on('error', () => {});
  await get('/livez');
  const startMs = performance.now();
  await server.close();
  t.true(performance.now() - startMs < 2_000);
  await t.throwsAsync(get('/livez'));
});

test('a port that is taken rejects', async (t) => {
  const { server } = await start(t);
  const { registry } = createMetrics({}, false);
  await t.throwsAsync(startAdminServer({ host: '127.0.0.1', port: server.port, registry, ready: () => [] }), {
    code: 'EADDRINUSE',
  });
});
