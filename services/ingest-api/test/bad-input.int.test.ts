import { connect } from 'node:net';
import test from 'ava';
import { KEY, startTestApi, type TestApi } from './support/api.ts';
import { JSON_CASES } from './support/bad-json.ts';
import { LETTER_CASES } from './support/bad-letter-requests.ts';
import { OTHER_CASES } from './support/bad-requests.ts';
import { createTestDatabase, type TestDatabase } from './support/database.ts';

let db: TestDatabase;
let api: TestApi;
let draft: string;
let running: string;
test.before(async () => {
  db = await createTestDatabase();
  api = await startTestApi(db.pool);
  await api.importContacts([{ email: 'known@example.com', name: 'Known', tags: ['known'] }]);
  draft = await api.create({ segment_rule: 'nobody' });
  running = await api.create({ segment_rule: 'known' });
  await api.call('POST', `/v1/campaigns/${running}/send`);
});
test.after.always(async () => {
  await api?.stop();
  await db?.drop();
});

for (const c of [...JSON_CASES.map((c) => ({ path: '/v1/campaigns', ...c })), ...OTHER_CASES, ...LETTER_CASES]) {
  const method = c.method ?? 'POST';
  // One after the other: each counts what there is before and after itself.
  test.serial(`${c.title}: ${c.status} ${c.code}, and nothing is left behind`, async (t) => {
    const before = await db.counts();
    const path = (c.path ?? '').replace('DRAFT', draft).replace('RUNNING', running);
    const type = c.type === undefined ? (c.body === undefined ? null : 'application/json') : c.type;
    const answer = await api.call(method, path, {
      ...(c.body === undefined ? {} : { body: c.body }),
      headers: { ...(type === null ? {} : { 'content-type': type }), ...c.headers },
    });
    t.is(answer.status, c.status, answer.text);
    t.regex(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
    t.is(answer.body.code, c.code);
    t.is(answer.body.status, c.status);
    t.is(answer.body.request_id, answer.headers.get('x-request-id'));
    if (c.pointer !== undefined) {
      const pointers = (answer.body.errors ?? []).map((e: { pointer: string }) => e.pointer);
      t.true(pointers.includes(c.pointer), `${c.pointer} among ${JSON.stringify(pointers)}`);
    }
    if (c.detail) t.regex(answer.body.detail, c.detail);
    if (c.code === 'template_invalid' && c.pointer === '/template') {
      t.is(answer.body.errors[0].line, 2, answer.text);
      t.is(typeof answer.body.errors[0].column, 'number');
    }
    if (c.status === 405) t.truthy(answer.headers.get('allow'));
    if (c.status === 429 || c.status === 503) t.truthy(answer.headers.get('retry-after'));
    if (c.code === 'illegal_transition') t.is(typeof answer.body.current_status, 'string');
    t.false(/\bat .*\.(ts|js):\d+|node_modules|SELECT|pg_/.test(answer.text), 'no stack, no statement');
    t.deepEqual(await db.counts(), before);
    t.is((await api.call('GET', `/v1/campaigns/${draft}`)).body.version, 1, 'the draft is as it was');
    t.is(({} as { admin?: unknown }).admin, undefined);
    t.deepEqual(Object.keys(Object.prototype), []);
  });
}

/** What fetch would not send. */
function sendRaw(payload: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(api.port, '127.0.0.1', () => socket.end(payload));
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}
const head = (more: string, path = '/v1/campaigns') =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\n${more}\r\n`;

const WIRE: [title: string, payload: string, status: RegExp][] = [
  ['a Content-Length over the limit, before any byte', head('Content-Length: 99999999\r\n'), /^HTTP\/1\.1 413 /],
  [
    'more bytes than the limit without a Content-Length',
    `${head('Transfer-Encoding: chunked\r\n')}${`10000\r\n${'x'.repeat(65_536)}\r\n`.repeat(17)}`,
    /^HTTP\/1\.1 413 /,
  ],
  [
    'a Content-Length that promises more than comes',
    `${head('Content-Length: 500\r\n')}{"name":`,
    /^(HTTP\/1\.1 400 |$)/,
  ],
  ['two different Content-Lengths', `${head('Content-Length: 5\r\nContent-Length: 6\r\n')}{}`, /^HTTP\/1\.1 400 /],
  [
    'Content-Length and chunks at once',
    `${head('Content-Length: 2\r\nTransfer-Encoding: chunked\r\n')}0\r\n\r\n`,
    /^HTTP\/1\.1 400 /,
  ],
  ['headers of 20 KB', head(`X-Big: ${'x'.repeat(20_000)}\r\n`), /^HTTP\/1\.1 431 /],
  ['no HTTP at all', 'hello\r\n\r\n', /^HTTP\/1\.1 400 /],
  ['TRACE', `TRACE /v1/campaigns HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\n\r\n`, /^HTTP\/1\.1 405 /],
];
for (const [title, payload, status] of WIRE) {
  test.serial(`on the wire: ${title}`, async (t) => {
    const before = await db.counts();
    const answer = await sendRaw(payload);
    t.regex(answer, status);
    if (answer !== '') t.regex(answer, /content-type: application\/problem\+json/i);
    t.deepEqual(await db.counts(), before);
    t.is((await api.call('GET', '/v1/campaigns?limit=1')).status, 200, 'the next request is served');
  });
}

test.serial('an idle connection is kept for longer than proxies keep theirs', async (t) => {
  const answer = await sendRaw(`GET / HTTP/1.1\r\nHost: x\r\n\r\n`);
  t.is(Number(/^keep-alive: timeout=(\d+)/im.exec(answer)?.[1]) > 60, true, answer);
});
