import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { createApi } from '../src/api.ts';
import { CliError } from '../src/output.ts';

test('an answer that takes long is waited for without a limit of its own, and its refusals are told', async (t) => {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const api = createApi(`http://127.0.0.1:${port}`, 'a key');
  // fetch has a limit that cannot be changed, so it must not be what waits.
  const { fetch } = globalThis;
  globalThis.fetch = () => Promise.reject(new Error('it gave up'));
  t.teardown(() => {
    globalThis.fetch = fetch;
  });
  const asked = async () => (await once(server, 'request'))[1] as ServerResponse;
  const answering = asked();
  const answer = api.patiently<{ n: number }>('/v1/audit?x=1');
  const response = await answering;
  t.like(response.req, { url: '/v1/audit?x=1', method: 'GET' });
  t.is(response.req.headers.authorization, 'Bearer a key');
  response.end('{"n":1}');
  t.deepEqual(await answer, { n: 1 });

  const refusing = asked();
  const refused = api.patiently('/v1/audit');
  (await refusing).writeHead(429, { 'content-type': 'application/problem+json' }).end('{"code":"busy"}');
  t.is((await t.throwsAsync(refused, { instanceOf: CliError, message: /429 busy/ })).status, 429);

  server.close();
  await t.throwsAsync(api.patiently('/v1/audit'), { instanceOf: CliError, message: /does not answer/ });
});
