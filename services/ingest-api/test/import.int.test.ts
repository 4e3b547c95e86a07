import { request } from 'node:http';
import test from 'ava';
import { KEY, startTestApi, type TestApi } from './support/api.ts';
import { createTestDatabase, type TestDatabase } from './support/database.ts';
import { until } from './support/log.ts';

let db: TestDatabase;
let api: TestApi;
test.before(async () => {
  db = await createTestDatabase();
  api = await startTestApi(db.pool);
});
test.after.always(async () => {
  await api?.stop();
  await db?.drop();
});

const csv = (body: string | Uint8Array | ReadableStream) =>
  api.call('POST', '/v1/contacts/import', { headers: { 'content-type': 'text/csv; charset=utf-8' }, body });
const contact = async (address: string) =>
  (await db.pool.query('SELECT recipient, name, tags, attributes FROM contacts WHERE address_key = $1', [address]))
    .rows[0];
const size = async () => (await db.counts()).contacts;

test.serial('CSV: byte order mark, CRLF, quotes, names of all kinds; anything else becomes an attribute', async (t) => {
  const answer = await csv(
    '\ufeffemail,name,tags,city\r\nann@x.example,"Ann ""A"", Jr.",vip;tw,"台北"\r\nبدر@x.example,بدر 🎈,,\r\n',
  );
  t.is(answer.status, 200);
  t.deepEqual(answer.body, { imported: 2, updated: 0, rejected: 0, errors: [] });
  t.deepEqual(await contact('ann@x.example'), {
    recipient: 'ann@x.example',
    name: 'Ann "A", Jr.',
    tags: ['vip', 'tw'],
    attributes: { city: '台北' },
  });
  t.deepEqual(await contact('بدر@x.example'), {
    recipient: 'بدر@x.example',
    name: 'بدر 🎈',
    tags: null,
    attributes: {},
  });
});

test.serial('same address, whatever its case: given fields replace, absent ones stay, attributes merge', async (t) => {
  await api.importContacts([{ email: 'bob@x.example', name: 'Bob', tags: ['a', 'b'], city: 'x', plan: 'pro' }]);
  const answer = await api.importContacts([
    { email: 'BOB@x.example', tags: ['c'], city: 'y' },
    { to: 'bob@X.example', name: 'Robert' },
  ]);
  t.deepEqual(answer.body, { imported: 0, updated: 2, rejected: 0, errors: [] });
  t.deepEqual(await contact('bob@x.example'), {
    recipient: 'bob@X.example',
    name: 'Robert',
    tags: ['c'],
    attributes: { city: 'y', plan: 'pro' },
  });
  await api.importContacts([{ email: 'bob@x.example', tags: [], name: '' }]);
  t.like(await contact('bob@x.example'), { name: '', tags: [] });
});

test.serial('bad lines are told with their numbers, and the rest goes in', async (t) => {
  const answer = await api.importContacts([
    { email: 'c1@x.example' },
    { email: 'nope' },
    { name: 'nobody' },
    { email: 'c2@x.example', name: 'x'.repeat(1_001) },
    { email: 'c3@x.example', name: 'x'.repeat(1_000) },
    { email: 'a@x.example\r\nBcc: b@x.example' },
    { to: '+886 2 1234 5678' },
    { to: 'https://hooks.example/x' },
  ]);
  t.deepEqual(
    answer.body.errors.map((e: { line: number; code: string }) => [e.line, e.code]),
    [
      [2, 'invalid_recipient'],
      [3, 'missing_recipient'],
      [4, 'invalid_name'],
      [6, 'invalid_recipient'],
    ],
  );
  t.like(answer.body, { imported: 4, updated: 0, rejected: 4 });
});

test.serial('a bad line 500,001 has its true number, and everything else is imported', async (t) => {
  const lines = 500_010;
  let n = 0;
  const body = new ReadableStream({
    pull(controller) {
      if (n === 0) controller.enqueue(Buffer.from('email\n'));
      let text = '';
      // Few addresses many times: what is tried here is the reading.
      for (let i = 0; i < 5_000 && n < lines; i++, n++)
        text += n === 499_999 ? 'not an address\n' : `m${n % 1_000}@x.example\n`;
      if (text === '') controller.close();
      else controller.enqueue(Buffer.from(text));
    },
  });
  const answer = await csv(body);
  t.is(answer.status, 200, answer.text);
  t.like(answer.body, { imported: 1_000, updated: lines - 1_001, rejected: 1 });
  t.deepEqual(
    answer.body.errors.map((e: { line: number }) => e.line),
    [500_001],
  );
});

test.serial('the first 1,000 errors are listed, all are counted', async (t) => {
  const answer = await csv(`email\n${'bad\n'.repeat(1_500)}ok@x.example\n`);
  t.like(answer.body, { imported: 1, rejected: 1_500 });
  t.is(answer.body.errors.length, 1_000);
});

test.serial('an upload that is cut off leaves nothing, however much of it had come', async (t) => {
  const before = await size();
  const sending = request({
    port: api.port,
    method: 'POST',
    path: '/v1/contacts/import',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/x-ndjson' },
  });
  sending.on('error', () => {});
  for (let i = 0; i < 12_000; i++) sending.write(`${JSON.stringify({ email: `cut${i}@x.example` })}\n`);
  // Two chunks are in the transaction when the connection goes.
  await until('rows are being written', async () => {
    const { rows } = await db.pool.query(
      "SELECT 1 FROM pg_locks WHERE relation = 'contacts'::regclass AND mode = 'RowExclusiveLock'",
    );
    return rows.length > 0;
  });
  const busy = await api.importContacts([{ email: 'other@x.example' }]);
  t.is(busy.status, 429);
  t.is(busy.headers.get('retry-after'), '5');
  sending.destroy();
  await until('the transaction is over', async () => {
    const { rows } = await db.pool.query(
      "SELECT 1 FROM pg_locks WHERE relation = 'contacts'::regclass AND mode = 'RowExclusiveLock'",
    );
    return rows.length === 0;
  });
  t.is(await size(), before);
  t.is((await api.importContacts([{ email: 'other@x.example' }])).status, 200);
});

test.serial('a NUL or a half pair in a line is refused there, before Postgres would refuse the whole', async (t) => {
  const before = await size();
  const answer = await api.call('POST', '/v1/contacts/import', {
    headers: { 'content-type': 'application/x-ndjson' },
    body: '{"email":"n1@x.example","name":"a\\u0000"}\n{"email":"n2@x.example","k":"\\ud800"}\n{"email":"n3@x.example","\\u0000":1}\n{"email":"n4@x.example"}\n',
  });
  t.like(answer.body, { imported: 1, rejected: 3 });
  t.is(await size(), (before ?? 0) + 1);
});

test.serial('attributes that many lines add up beyond what a message can carry are refused line by line', async (t) => {
  const upload = (lines: readonly string[]) =>
    api.call('POST', '/v1/contacts/import', {
      headers: { 'content-type': 'application/x-ndjson' },
      body: lines.map((line) => `${line}\n`).join(''),
    });
  const big = (email: string, key: string) => JSON.stringify({ email, [key]: 'x'.repeat(8_000) });
  // 40 lines of one address in one upload: 32 of them fit.
  const one = await upload([
    ...Array.from({ length: 40 }, (_, i) => big('big1@x.example', `k${i}`)),
    '{"email":"big0@x.example"}',
  ]);
  t.like(one.body, { imported: 2, updated: 31, rejected: 8 }, one.text);
  t.like(one.body.errors[0], { line: 33, code: 'invalid_attributes' });
  // One line at a time over many uploads: the one that is too much is refused, and what was there stays.
  const two = await upload(['{"email":"big2@x.example"}', big('big1@x.example', 'more')]);
  t.like(two.body, { imported: 1, updated: 0, rejected: 1 }, two.text);
  t.like(two.body.errors, [{ line: 2, code: 'invalid_attributes' }]);
  t.is(Object.keys((await contact('big1@x.example')).attributes).length, 32);
  // 8 KB of a line that Postgres writes as 300 digits each.
  const digits = await upload([`{"email":"big3@x.example","n":[${Array(1_300).fill('1e308').join(',')}]}`]);
  t.like(digits.body, { imported: 0, updated: 0, rejected: 1 }, digits.text);
});

test.serial('contacts are listed by segment, in pages, and can be deleted', async (t) => {
  await api.importContacts(
    Array.from({ length: 7 }, (_, i) => ({ email: `l${i}@x.example`, tags: i % 2 ? ['odd', 'list'] : ['list'] })),
  );
  const first = await api.call('GET', '/v1/contacts?segment_rule=list&limit=4');
  t.is(first.body.data.length, 4);
  const second = await api.call('GET', `/v1/contacts?segment_rule=list&limit=4&cursor=${first.body.next_cursor}`);
  t.is(second.body.data.length, 3);
  t.is(second.body.next_cursor, null);
  t.is((await api.call('GET', '/v1/contacts?segment_rule=list,odd')).body.data.length, 3);
  const [{ contact_id }] = first.body.data;
  t.is((await api.call('DELETE', `/v1/contacts/${contact_id}`)).status, 204);
  t.is((await api.call('DELETE', `/v1/contacts/${contact_id}`)).status, 404);
  t.is((await api.call('GET', '/v1/contacts?segment_rule=list')).body.data.length, 6);
});

test.serial('add_tag tags everyone of an import, beside what they have', async (t) => {
  await api.importContacts([{ email: 't1@x.example', tags: ['old'] }]);
  const answer = await api.call('POST', '/v1/contacts/import?add_tag=run', {
    headers: { 'content-type': 'application/x-ndjson' },
    body: '{"email":"t1@x.example"}\n{"email":"t2@x.example","tags":["new"]}\n{"email":"t3@x.example"}\n',
  });
  t.like(answer.body, { imported: 2, updated: 1 });
  t.deepEqual(await Promise.all(['t1', 't2', 't3'].map(async (n) => (await contact(`${n}@x.example`)).tags)), [
    ['old', 'run'],
    ['new', 'run'],
    ['run'],
  ]);
});
