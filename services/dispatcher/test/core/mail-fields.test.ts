import test from 'ava';
import fc from 'fast-check';
import { isAddress, type MailFields, mailHeadersOf, parseMailbox } from '../../src/core/mail-fields.ts';

const good = [
  'a@example.org',
  "o'brien+tag=x@mail.example.co.uk",
  'jörg@exämple.de',
  '用户@例子.广告',
  'a@[192.0.2.1]',
  'a@[IPv6:2001:db8::1]',
  `${'a'.repeat(64)}@example.org`,
  'a@localhost',
];
const bad = [
  '',
  'a',
  '@example.org',
  'a@',
  'a@b@c',
  'a@x.org,b@y.org',
  'a@x.org;b@y.org',
  'Ann <a@x.org>',
  'group: a@x.org;',
  '"a b"@x.org',
  'a b@x.org',
  'a@x .org',
  'a@x.org ',
  '.a@x.org',
  'a.@x.org',
  'a..b@x.org',
  'a@x..org',
  'a@.org',
  'a@x.org.',
  'a@-x.org',
  'a(comment)@x.org',
  'a@[not an address]',
  'a@x.org\r\nRCPT TO:<b@y.org>',
  'a\u0000@x.org',
  'a\u2028@x.org',
  '\ud800@x.org',
  `${'a'.repeat(65)}@example.org`,
  `a@${'b'.repeat(250)}.org`,
  '<a@x.org>',
  'a@x.org>',
  'a@x/y',
];
for (const address of good) test(`is one mailbox: ${address}`, (t) => t.true(isAddress(address)));
for (const address of bad) test(`is no mailbox: ${JSON.stringify(address)}`, (t) => t.false(isAddress(address)));

test('a sender is an address, with or without a name', (t) => {
  t.deepEqual(parseMailbox('a@x.org'), { name: '', address: 'a@x.org' });
  t.deepEqual(parseMailbox(' Ann B <a@x.org> '), { name: 'Ann B', address: 'a@x.org' });
  t.deepEqual(parseMailbox('"B, Ann" <a@x.org>'), { name: 'B, Ann', address: 'a@x.org' });
  t.deepEqual(parseMailbox('<a@x.org>'), { name: '', address: 'a@x.org' });
  for (const text of ['a@x.org, b@x.org', 'B, Ann <a@x.org>', 'x <b@y> <a@x.org>', 'a@x.org\n', '', 'Ann'])
    t.is(parseMailbox(text), undefined, text);
});

const fields: MailFields = {
  recipient: 'a@x.org',
  recipientName: 'Ann',
  subject: 'Hi',
  from: 'News <n@x.org>',
  replyTo: '',
};

test('fields without a fault become headers in parts', (t) => {
  t.deepEqual(mailHeadersOf({ ...fields, replyTo: 'r@x.org' }), {
    ok: true,
    headers: {
      to: { name: 'Ann', address: 'a@x.org' },
      from: { name: 'News', address: 'n@x.org' },
      replyTo: { name: '', address: 'r@x.org' },
      subject: 'Hi',
    },
  });
});

test('a control character in any field is header_injection', (t) => {
  const names = Object.keys(fields) as (keyof MailFields)[];
  t.notThrows(() =>
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.constantFrom('\r\n', '\r', '\n', '\u0000', '\u0085', '\u2028', '\t', '\u007f'),
        fc.string(),
        fc.string(),
        (name, control, before, after) => {
          const checked = mailHeadersOf({ ...fields, [name]: before + control + after });
          return !checked.ok && checked.reason === 'header_injection';
        },
      ),
    ),
  );
});

test('a list of recipients is invalid_recipient, a bad sender is not the recipient’s fault', (t) => {
  t.like(mailHeadersOf({ ...fields, recipient: 'a@x.org,b@x.org' }), { ok: false, reason: 'invalid_recipient' });
  t.like(mailHeadersOf({ ...fields, from: '' }), { ok: false, reason: 'render_failed' });
  t.like(mailHeadersOf({ ...fields, replyTo: 'nobody' }), { ok: false, reason: 'render_failed' });
});

test('the address check stays fast on long hostile input', (t) => {
  const startMs = performance.now();
  for (const text of ['a'.repeat(1e6), `${'a.'.repeat(1e5)}@x`, `a@${'a.'.repeat(1e5)}`, '@'.repeat(1e6)])
    t.false(isAddress(text));
  t.true(performance.now() - startMs < 200);
});
