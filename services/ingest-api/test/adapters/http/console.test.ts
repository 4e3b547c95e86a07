import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import test from 'ava';
import { createConsole } from '../../../src/adapters/http/console.ts';
import { createApp } from '../../../src/adapters/http/server.ts';
import { silent } from '../../support/log.ts';

const dir = mkdtempSync(join(tmpdir(), 'volley-console-'));
mkdirSync(join(dir, 'assets'));
const PAGE = '<!doctype html><title>Volley</title>';
const SCRIPT = 'console.log("volley");'.repeat(100);
writeFileSync(join(dir, 'index.html'), PAGE);
writeFileSync(join(dir, 'message-frame.html'), '<!doctype html>');
writeFileSync(join(dir, 'assets', 'index-abc.js'), SCRIPT);
writeFileSync(join(dir, 'private.key'), 'secret');
writeFileSync(join(dir, '.of'), 'hash');

/** A server with this console, and a way to ask it that sends paths as they are. */
async function serve(folder: string) {
  const handlers = { getRoot: async () => ({ status: 200, body: { name: 'Volley' } }) } as never;
  const { app } = createApp({
    handlers,
    allowed: () => undefined,
    log: silent,
    answered: () => {},
    stopping: () => false,
    console: createConsole(folder),
  });
  const server = createServer((req, res) => void app.callback()(req, res)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    close: () => server.close(),
    async get(path: string, headers: Record<string, string> = {}, method = 'GET') {
      const asked = request({ port, host: '127.0.0.1', path, method, headers: { connection: 'close', ...headers } });
      asked.end();
      const [answer] = await once(asked, 'response');
      const chunks: Buffer[] = [];
      for await (const chunk of answer) chunks.push(chunk);
      return { status: answer.statusCode as number, headers: answer.headers, body: Buffer.concat(chunks) };
    },
  };
}

let at: Awaited<ReturnType<typeof serve>>;
test.before(async () => {
  at = await serve(dir);
});
test.after.always(() => {
  at?.close();
  rmSync(dir, { recursive: true, force: true });
});
const browser = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

for (const path of ['/', '/campaigns', '/campaigns/0190/messages?status=failed', '/no/such/page'])
  test(`a browser gets the page at ${path}, without a key`, async (t) => {
    const { status, headers, body } = await at.get(path, browser);
    t.is(status, 200);
    t.is(headers['content-type'], 'text/html; charset=utf-8');
    t.is(body.toString(), PAGE);
    const policy = String(headers['content-security-policy']);
    t.regex(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
    t.regex(policy, /frame-ancestors 'none'/);
    t.notRegex(policy, /unsafe|\*|https?:/);
    t.is(headers['x-content-type-options'], 'nosniff');
    t.is(headers['cache-control'], 'no-cache');
  });

test('a program that asks for / is told what this is', async (t) => {
  for (const accept of ['application/json', '*/*']) {
    const { status, body } = await at.get('/', { accept });
    t.is(status, 200);
    t.deepEqual(JSON.parse(body.toString()), { name: 'Volley' });
  }
});

test('the API is behind its key whatever a browser accepts, and so is what nobody serves', async (t) => {
  for (const [path, accept] of [
    ['/v1/campaigns', browser.accept],
    ['/v1', browser.accept],
    ['/v1/none', browser.accept],
    ['/none', 'application/json'],
  ] as const)
    t.is((await at.get(path, { accept })).status, 401, path);
  t.is((await at.get('/campaigns', browser, 'POST')).status, 401);
});

test('an asset is compressed, lasting, and not sent again', async (t) => {
  const first = await at.get('/assets/index-abc.js', { 'accept-encoding': 'gzip' });
  t.is(first.headers['content-encoding'], 'gzip');
  t.is(gunzipSync(first.body).toString(), SCRIPT);
  t.true(first.body.length < SCRIPT.length / 4);
  t.is(first.headers['cache-control'], 'public, max-age=31536000, immutable');
  const plain = await at.get('/assets/index-abc.js', { 'accept-encoding': 'identity' });
  t.is(plain.body.toString(), SCRIPT);
  const again = await at.get('/assets/index-abc.js', { 'if-none-match': String(first.headers.etag) });
  t.is(again.status, 304);
  t.is(again.body.length, 0);
  const head = await at.get('/assets/index-abc.js', {}, 'HEAD');
  t.is(head.status, 200);
  t.is(head.body.length, 0);
});

test('an asset of another build is not answered with the page', async (t) => {
  t.is((await at.get('/assets/index-old.js', { accept: '*/*' })).status, 401);
});

test('the frame of messages has a policy of its own: without origin, nothing from anywhere', async (t) => {
  const policy = String((await at.get('/message-frame.html', browser)).headers['content-security-policy']);
  t.regex(policy, /sandbox allow-scripts$/);
  t.regex(policy, /^default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:;/);
  t.notRegex(policy, /connect-src|allow-same-origin|https?:/);
  t.is((await at.get('/message-frame.html', browser)).headers['x-dns-prefetch-control'], 'off');
});

for (const path of [
  '/private.key',
  '/.of',
  '/../package.json',
  '/assets/..%2f..%2fpackage.json',
  '//etc/passwd',
  '/%00',
])
  test(`only the pages' own files: ${path}`, async (t) => {
    const { status, body } = await at.get(path, { accept: '*/*' });
    t.true(status === 401 || status === 400, String(status));
    t.notRegex(body.toString(), /secret|hash|"workspaces"|root:/);
  });

test('a folder without the pages is none', (t) => {
  t.is(createConsole(join(dir, 'assets')), undefined);
  t.is(createConsole('/nowhere'), undefined);
});
