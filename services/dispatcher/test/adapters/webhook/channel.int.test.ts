import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { Webhook } from 'standardwebhooks';
import { createWebhookChannel, type WebhookOptions } from '../../../src/adapters/webhook/channel.ts';
import type { Resolve } from '../../../src/adapters/webhook/lookup.ts';
import { classify } from '../../../src/core/classify.ts';
import type { OutgoingMessage, SendOutcome } from '../../../src/ports.ts';
import { selfSigned } from '../../certificate.ts';
import { drip, rawServer, repeat, until, webhookServer } from '../../webhook-server.ts';

const SECRET = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
const open = (url: string, more: Partial<WebhookOptions> = {}) =>
  createWebhookChannel({ url, connections: 4, deadlineMs: 5_000, now: Date.now, ...more });
const message = (more: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  messageId: '019a8b2c-0000-7000-8000-000000000007',
  campaignId: '019a8b2c-0000-7000-8000-000000000000',
  recipient: 'ann@example.org',
  contentType: 'text/plain',
  subject: 'Hello',
  body: 'Zoë 🎉',
  mail: undefined,
  ...more,
});
const call = (attempt = 1) => ({ attempt, signal: new AbortController().signal });
const meaning = (outcome: SendOutcome) => (outcome.ok ? 'accepted' : Object.values(classify(outcome.failure)).join());

test('a request is what docs/channels.md says, signed anew and the same body on each attempt', async (t) => {
  const server = await webhookServer(t);
  let nowMs = Date.now();
  const channel = open(server.url, { connections: 1, secret: SECRET, now: () => nowMs });
  t.deepEqual(await channel.send(message(), call(1)), { ok: true, detail: '204' });
  nowMs += 10_000;
  t.is(meaning(await channel.send(message(), call(2))), 'accepted');
  await channel.close();
  const [first, second] = server.received;
  if (first === undefined || second === undefined) return t.fail();
  t.is(`${first.method} ${first.path}`, 'POST /in?key=1');
  t.deepEqual(JSON.parse(first.body), {
    type: 'message',
    message_id: '019a8b2c-0000-7000-8000-000000000007',
    campaign_id: '019a8b2c-0000-7000-8000-000000000000',
    recipient: 'ann@example.org',
    subject: 'Hello',
    content_type: 'text/plain',
    body: 'Zoë 🎉',
  });
  t.is(second.body, first.body);
  t.like(first.headers, {
    'content-type': 'application/json',
    'user-agent': 'volley',
    'accept-encoding': 'identity',
    'webhook-id': '019a8b2c-0000-7000-8000-000000000007',
    'webhook-attempt': '1',
  });
  t.is(second.headers['webhook-attempt'], '2');
  t.is(second.headers['webhook-id'], first.headers['webhook-id']);
  t.is(Number(second.headers['webhook-timestamp']), Number(first.headers['webhook-timestamp']) + 10);
  for (const { body, headers } of [first, second])
    t.notThrows(() => new Webhook(SECRET).verify(body, headers as Record<string, string>));
  t.is(server.state.opened, 1, 'one connection for both');
});

test('without a secret there is no signature, without a subject no subject, and user and password become a header', async (t) => {
  const server = await webhookServer(t);
  const channel = open(`http://us%65r:p%40ss@127.0.0.1:${server.port}/`);
  t.is(meaning(await channel.send(message({ subject: '' }), call())), 'accepted');
  await channel.close();
  t.is(server.received[0]?.headers['webhook-signature'], undefined);
  t.is(server.received[0]?.headers.authorization, `Basic ${Buffer.from('user:p@ss').toString('base64')}`);
  t.false(server.received[0]?.body.includes('subject'));
});

const answers: readonly [status: number, headers: Record<string, string>, wanted: string, retryAfterMs?: number][] = [
  [200, {}, 'accepted'],
  [202, {}, 'accepted'],
  [301, { location: 'http://127.0.0.1:9/' }, 'permanent,provider_refused'],
  [302, { location: '/elsewhere' }, 'transient,provider_transient'],
  [307, { location: 'http://169.254.169.254/' }, 'transient,provider_transient'],
  [400, {}, 'permanent,provider_refused'],
  [404, {}, 'permanent,recipient_refused'],
  [410, {}, 'permanent,recipient_refused'],
  [413, {}, 'permanent,provider_refused'],
  [422, {}, 'permanent,provider_refused'],
  [429, { 'retry-after': '7' }, 'throttled,provider_throttled', 7_000],
  [429, {}, 'throttled,provider_throttled'],
  [500, {}, 'transient,provider_transient'],
  [502, {}, 'transient,provider_transient'],
  [503, {}, 'transient,provider_transient'],
  [
    503,
    { date: 'Sun, 06 Nov 1994 08:49:07 GMT', 'retry-after': 'Sun, 06 Nov 1994 08:49:37 GMT' },
    'throttled,provider_throttled',
    30_000,
  ],
  [504, {}, 'timeout,provider_timeout'],
];
for (const [status, headers, wanted, retryAfterMs] of answers) {
  test(`${status} ${Object.keys(headers).join()} is ${wanted}, asked once, and its first words are kept`, async (t) => {
    const server = await webhookServer(t, (_request, response) => {
      if ('date' in headers) response.sendDate = false;
      response.writeHead(status, headers).end('why\r\nso');
    });
    const channel = open(server.url);
    const outcome = await channel.send(message(), call());
    await channel.close();
    t.is(meaning(outcome), wanted);
    t.is(outcome.ok ? outcome.detail : outcome.failure.detail, `${status} why\r\nso`);
    t.is(outcome.ok ? undefined : outcome.failure.retryAfterMs, retryAfterMs);
    t.is(server.received.length, 1);
  });
}

test('a hundred calls at once keep to the connections', async (t) => {
  const server = await webhookServer(t);
  const channel = open(server.url, { connections: 3 });
  const outcomes = await Promise.all(
    Array.from({ length: 100 }, (_, i) => channel.send(message({ messageId: `m${i}` }), call())),
  );
  t.true(outcomes.every((o) => o.ok));
  t.is(new Set(server.received.map((r) => r.headers['webhook-id'])).size, 100);
  t.is(server.state.most, 3);
  await channel.close();
  await until(() => server.sockets.size === 0);
});

// What a server may do to a request that it has; each within the deadline, its connection closed, the next call unharmed.
const HEAD = 'HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n';
const misbehaving: readonly [string, (socket: Socket) => void, string][] = [
  ['says nothing', () => {}, 'timeout,provider_timeout'],
  ['drips its status line', (s) => drip(s, 'HTTP/1.1 200 OK'), 'timeout,provider_timeout'],
  ['drips headers for ever', (s) => drip(s, 'x: y\r\n', 'HTTP/1.1 200 OK\r\n'), 'timeout,provider_timeout'],
  ['announces an answer for ever', (s) => repeat(s, 'HTTP/1.1 103 Early Hints\r\n\r\n'), 'timeout,provider_timeout'],
  ['resets the connection', (s) => void s.resetAndDestroy(), 'timeout,connection_failed'],
  ['closes the connection', (s) => void s.end(), 'timeout,connection_failed'],
  ['breaks off in the headers', (s) => void s.end('HTTP/1.1 200 OK\r\ncontent-'), 'timeout,connection_failed'],
  ['does not speak HTTP', (s) => void s.write('220 smtp.example.org ESMTP\r\n'), 'timeout,connection_failed'],
  [
    'sends headers without end',
    (s) => void s.write(`HTTP/1.1 200 OK\r\n${'x: yyyyyyyy\r\n'.repeat(20_000)}`),
    'timeout,connection_failed',
  ],
  ['drips the text of a 200', (s) => drip(s, 'x', HEAD), 'accepted'],
  ['breaks off in the text of a 200', (s) => void s.end(`${HEAD}x`), 'accepted'],
  [
    'breaks off in the text of a 500',
    (s) => void s.end(`${HEAD.replace('200', '500')}x`),
    'transient,provider_transient',
  ],
];
for (const [title, behave, wanted] of misbehaving) {
  test(`a server that ${title}: ${wanted}`, async (t) => {
    const server = await rawServer(t, behave);
    // Only what has to end at the deadline gets a short one, and no shorter than a busy machine needs to connect.
    const deadlineMs = wanted === 'timeout,provider_timeout' || title.startsWith('drips') ? 2_000 : 20_000;
    const channel = open(server.url, { connections: 1, deadlineMs });
    const startMs = performance.now();
    t.is(meaning(await channel.send(message(), call())), wanted);
    t.is(meaning(await channel.send(message(), call(2))), wanted);
    const tookMs = performance.now() - startMs;
    t.true(tookMs < 12_000, `${tookMs} ms`);
    await channel.close();
    await until(() => server.sockets.size === 0, 3_000);
    t.is(server.state.requests, 2);
  });
}

test('a gigabyte is not read: at 64 KB the connection is closed and the status decides', async (t) => {
  let written = 0;
  const server = await rawServer(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n');
    const block = Buffer.alloc(65_536, 'x');
    const more = () => {
      while (!socket.destroyed && written < 1_073_741_824) {
        written += block.length;
        if (!socket.write(block)) return void socket.once('drain', more);
      }
    };
    more();
  });
  const channel = open(server.url);
  const outcome = await channel.send(message(), call());
  t.is(meaning(outcome), 'accepted');
  t.true(outcome.ok && outcome.detail.length <= 1_100);
  await until(() => server.sockets.size === 0);
  t.true(written < 64 * 1_048_576, `${written} bytes left the server`);
  await channel.close();
});

test('a compressed answer stays compressed', async (t) => {
  const server = await webhookServer(t, (_request, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(10_000_000, 'x')));
  });
  const channel = open(server.url);
  const outcome = await channel.send(message(), call());
  t.true(outcome.ok && outcome.detail.length <= 1_100);
  await channel.close();
});

test('nobody listening, no such name and no time to connect are known outcomes', async (t) => {
  const server = await webhookServer(t);
  const gone = open('http://127.0.0.1:1/');
  t.is(meaning(await gone.send(message(), call())), 'transient,connection_failed');
  await gone.close();
  const failing: Resolve = (_host, _options, done) => done(Object.assign(new Error('x'), { code: 'ENOTFOUND' }), []);
  const nameless = open('recipient:', { resolve: failing });
  t.is(
    meaning(await nameless.send(message({ recipient: 'http://x.example/' }), call())),
    'transient,connection_failed',
  );
  await nameless.close();
  // The resolver never answers: the deadline ends it, and not a byte has been sent.
  const silent = open('recipient:', { resolve: () => {}, deadlineMs: 300 });
  const outcome = await silent.send(message({ recipient: `http://x.example:${server.port}/` }), call());
  t.is(meaning(outcome), 'transient,connection_failed');
  t.is(server.state.opened, 0);
});

test('calls that wait for a connection end at the deadline as known outcomes, and are not sent afterwards', async (t) => {
  const server = await rawServer(t, () => {});
  const channel = open(server.url, { connections: 1, deadlineMs: 1_500 });
  const outcomes = await Promise.all([1, 2, 3].map((n) => channel.send(message({ messageId: `m${n}` }), call())));
  t.deepEqual(outcomes.map(meaning), [
    'timeout,provider_timeout',
    'transient,connection_failed',
    'transient,connection_failed',
  ]);
  await channel.close();
  t.is(server.state.requests, 1);
});

test('an aborted call frees its connection', async (t) => {
  const server = await rawServer(t, () => {});
  const channel = open(server.url, { deadlineMs: 60_000 });
  const controller = new AbortController();
  const sending = channel.send(message(), { attempt: 1, signal: controller.signal });
  await until(() => server.state.requests === 1);
  controller.abort();
  t.false((await sending).ok);
  await until(() => server.sockets.size === 0);
  await channel.close();
});

test('idle connections are closed with their origin when there are more than are kept, and busy ones are not', async (t) => {
  const servers = await Promise.all([1, 2, 3].map(() => webhookServer(t)));
  const slow = await rawServer(t, () => {});
  const channel = open('recipient:', { allow: ['127.0.0.0/8'], maxOrigins: 2, deadlineMs: 60_000 });
  const slowCall = new AbortController();
  const sending = channel.send(message({ recipient: slow.url }), { attempt: 1, signal: slowCall.signal });
  await until(() => slow.state.requests === 1);
  for (const { url } of servers) t.is(meaning(await channel.send(message({ recipient: url }), call())), 'accepted');
  await until(() => servers[0]?.sockets.size === 0 && servers[1]?.sockets.size === 0);
  t.is(servers[2]?.sockets.size, 1);
  t.is(slow.sockets.size, 1);
  slowCall.abort();
  t.is(meaning(await sending), 'timeout,provider_timeout');
  await channel.close();
});

test('a recipient that is a URL gets it itself, all others the provider', async (t) => {
  const [provider, other] = await Promise.all([webhookServer(t), webhookServer(t)]);
  const channel = open(provider.url, { allow: ['127.0.0.1'] });
  for (const recipient of ['ann@example.org', '+15550100', other.url])
    await channel.send(message({ recipient }), call());
  await channel.close();
  t.deepEqual([provider.received.length, other.received.length], [2, 1]);
  const without = open('recipient:', { allow: ['127.0.0.1'] });
  for (const recipient of ['ann@example.org', 'mailto:a@b.example', 'http://[::1', 'http://'])
    t.is(meaning(await without.send(message({ recipient }), call())), 'poison,invalid_recipient');
  await without.close();
});

test('the provider may be private; a recipient that names the same address is refused without a connection', async (t) => {
  const server = await webhookServer(t);
  const { port } = server;
  // By its name, as the recipient below: the provider's open connection must not be taken for it.
  const channel = open(`http://localhost:${port}/`);
  t.is(meaning(await channel.send(message(), call())), 'accepted');
  const recipients = [
    `http://127.0.0.1:${port}/`,
    `http://localhost:${port}/`,
    `http://2130706433:${port}/`,
    `http://0x7f.1:${port}/`,
    `http://0177.0.0.1:${port}/`,
    `http://①②⑦.⓪.⓪.①:${port}/`,
    `http://[::ffff:127.0.0.1]:${port}/`,
    `http://[::1]:${port}/`,
    `http://user:pw@example.org:${port}/`,
    'http://169.254.169.254/latest/meta-data/',
    'file:///etc/passwd',
    'gopher://example.org/',
  ];
  for (const recipient of recipients)
    t.is(meaning(await channel.send(message({ recipient }), call())), 'permanent,blocked_destination', recipient);
  await channel.close();
  t.is(server.state.opened, 1);
  t.is(server.received.length, 1);
});

test('DNS rebinding: a name that was public is judged again at the next connection; a mixed answer is dialled where it is public', async (t) => {
  const server = await webhookServer(t);
  const answers = [['127.0.0.1'], ['10.255.255.1', '127.0.0.1'], ['10.255.255.1']];
  let asked = 0;
  const resolve: Resolve = (_hostname, _options, done) => {
    const addresses = answers[asked++] ?? [];
    done(
      null,
      addresses.map((address) => ({ address, family: 4 })),
    );
  };
  // 127.0.0.1 plays the public address here.
  const channel = open('recipient:', { connections: 1, resolve, allow: ['127.0.0.1/32'] });
  const send = () => channel.send(message({ recipient: `http://rebind.example:${server.port}/` }), call());
  const closeConnections = async () => {
    for (const socket of server.sockets) socket.destroy();
    await until(() => server.sockets.size === 0);
  };
  t.is(meaning(await send()), 'accepted');
  t.is(meaning(await send()), 'accepted', 'over the same connection');
  t.is(asked, 1);
  await closeConnections();
  await until(async () => (await send()).ok);
  await closeConnections();
  await until(async () => meaning(await send()) === 'permanent,blocked_destination');
  t.true(server.received.length >= 3);
  t.true(asked >= 3);
  await channel.close();
});

async function httpsServer(t: ExecutionContext, host: string) {
  const certificate = selfSigned(host);
  const state = { requests: 0 };
  const server = https.createServer(certificate, (_request, response) => {
    state.requests += 1;
    response.end();
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return { ...certificate, state, port: (server.address() as AddressInfo).port };
}

test('certificates: trusted and of this name it is used, of another name or from nobody it is refused before a byte is sent', async (t) => {
  const [known, unknown] = await Promise.all(['hooks.example', 'hooks.example'].map((host) => httpsServer(t, host)));
  if (known === undefined || unknown === undefined) return t.fail();
  setDefaultCACertificates([...getCACertificates(), known.cert]);
  const resolve: Resolve = (_hostname, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]);
  const channel = open('recipient:', { resolve, allow: ['127.0.0.1/32'], httpsOnly: true });
  const to = (host: string, port: number) => channel.send(message({ recipient: `https://${host}:${port}/` }), call());
  t.is(meaning(await to('hooks.example', known.port)), 'accepted');
  for (const [host, port, code] of [
    ['other.example', known.port, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['127.0.0.1', known.port, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['hooks.example', unknown.port, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ] as const) {
    const outcome = await to(host, port);
    t.is(meaning(outcome), 'transient,connection_failed');
    t.is(outcome.ok ? '' : outcome.failure.code, code);
  }
  t.deepEqual([known.state.requests, unknown.state.requests], [1, 0]);
  await channel.close();
});
