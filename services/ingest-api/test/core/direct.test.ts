import { HEADERS, isDirectMessageId } from '@volley/contract';
import test from 'ava';
import fc from 'fast-check';
import {
  directId,
  directLineOf,
  MAX_CLIENT_ID_CHARS,
  outgoing,
  packRecords,
  unpackRecords,
} from '../../src/core/direct.ts';

const CAMPAIGN = '019aa5b2-7c00-7abc-8def-012300000000';
const to = 'a@b.example';

const LINES: [string, Record<string, unknown>, string | object][] = [
  ['the least', { to }, { to, vars: '{}' }],
  [
    'everything',
    { id: 'order-1', to, vars: { name: 'Ann', n: 1 } },
    { id: 'order-1', to, vars: '{"name":"Ann","n":1}' },
  ],
  ['null is not given', { id: null, to, vars: null }, { to, vars: '{}' }],
  ['white space around the recipient', { to: ` ${to} ` }, { to, vars: '{}' }],
  ['a phone number', { to: '+886 2 1234 5678' }, { to: '+886 2 1234 5678', vars: '{}' }],
  ['a URL', { to: 'https://hooks.example/x' }, { to: 'https://hooks.example/x', vars: '{}' }],
  [
    'the longest id',
    { id: 'x'.repeat(MAX_CLIENT_ID_CHARS), to },
    { id: 'x'.repeat(MAX_CLIENT_ID_CHARS), to, vars: '{}' },
  ],
  ['an id that is too long', { id: 'x'.repeat(MAX_CLIENT_ID_CHARS + 1), to }, 'invalid_id'],
  ['an empty id', { id: '', to }, 'invalid_id'],
  ['a number for an id', { id: 7, to }, 'invalid_id'],
  ['no recipient', { vars: {} }, 'missing_recipient'],
  ['an empty recipient', { to: '' }, 'missing_recipient'],
  ['a recipient that is no string', { to: 7 }, 'invalid_recipient'],
  ['two recipients', { to: 'a@b.example,c@d.example' }, 'invalid_recipient'],
  ['a header in the recipient', { to: 'a@b.example\r\nBcc: c@d.example' }, 'invalid_recipient'],
  ['vars that are a list', { to, vars: [] }, 'invalid_vars'],
  ['vars that are text', { to, vars: '{}' }, 'invalid_vars'],
  ['a variable that no template can name', { to, vars: { 'a{{b': 1 } }, 'invalid_vars'],
  [
    'too many variables',
    { to, vars: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`v${i}`, 1])) },
    'invalid_vars',
  ],
  ['email, which is the import’s name for it', { email: to }, 'unknown_field'],
];
for (const [title, fields, expected] of LINES) {
  test(`a line: ${title}`, (t) => {
    const checked = directLineOf(fields);
    if (typeof expected === 'string') t.like(checked, { ok: false, code: expected });
    else t.deepEqual(checked, { ok: true, message: expected as never });
  });
}

const random = (n: number) => new Uint8Array(n).fill(9);
const message = { to, vars: '{}' };

test('a message is named by its id, else by key and line, else by chance', (t) => {
  const id = (more: { id?: string; key?: string; line?: number }) =>
    directId(CAMPAIGN, more.id === undefined ? message : { ...message, id: more.id }, more.line ?? 1, {
      key: more.key,
      random,
    });
  t.deepEqual(id({ id: 'a', key: 'k', line: 5 }), id({ id: 'a' }), 'an id needs nothing else');
  t.deepEqual(id({ key: 'k', line: 2 }), id({ key: 'k', line: 2 }));
  const all = [id({ id: 'a' }), id({ id: 'b' }), id({ key: 'k' }), id({ key: 'k', line: 2 }), id({ key: 'l' }), id({})];
  t.is(new Set(all.map((each) => each.messageId)).size, all.length);
  t.true(all.every((each) => isDirectMessageId(each.messageId)));
  t.deepEqual(
    all.map((each) => each.named),
    [true, true, true, true, true, false],
  );
});

test('records come out of the store as they went in', (t) => {
  const record = fc.record({
    partition: fc.integer({ min: 0, max: 10_000 }),
    messageId: fc.uuid(),
    value: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  });
  fc.assert(fc.property(fc.array(record), (records) => t.deepEqual(unpackRecords(packRecords(records)), records)));
});

test('what the log is given names message, tenant, campaign and lane', (t) => {
  const value = Buffer.from('v');
  const of = { campaignId: CAMPAIGN, tenantId: 'default', lane: 'bulk' };
  const [record] = outgoing('topic', of, [{ messageId: 'm', partition: 3, value }]);
  t.like(record, { topic: 'topic', partition: 3, value });
  t.is(String(record?.key), CAMPAIGN);
  const headers = Object.fromEntries(Object.entries(record?.headers ?? {}).map(([name, text]) => [name, String(text)]));
  t.deepEqual(headers, {
    [HEADERS.messageId]: 'm',
    [HEADERS.tenantId]: 'default',
    [HEADERS.campaignId]: CAMPAIGN,
    [HEADERS.lane]: 'bulk',
  });
});
