import test from 'ava';
import { emailProblem, mailboxProblem, recipientProblem } from '../../src/core/address.ts';
import { contactOf, mergeByAddress } from '../../src/core/contact.ts';

const GOOD = [
  'a@b.example',
  'first.last+tag@sub.example.org',
  "o'neil@example.com",
  'ünï@bücher.example',
  'user@localhost',
  '用户@例子.example',
  `${'x'.repeat(64)}@example.com`,
];
const BAD = [
  '',
  'a',
  '@b.example',
  'a@',
  'a@b',
  'a@@b.example',
  'a@b@c.example',
  'a b@c.example',
  'a@b.example, c@d.example',
  'a@b.example\r\nBcc: x@y.example',
  'a@b.example\n',
  'a\u0000@b.example',
  'a@b..example',
  '.a@b.example',
  'a.@b.example',
  'a@-b.example',
  '"a b"@c.example',
  'Name <a@b.example>',
  'team: a@b.example;',
  'a(comment)@b.example',
  'a@[127.0.0.1]',
  '\u202ea@b.example',
  `${'x'.repeat(65)}@example.com`,
  `a@${'x'.repeat(320)}.example`,
];
for (const address of GOOD) test(`a mailbox: ${address.slice(0, 40)}`, (t) => t.is(emailProblem(address), undefined));
for (const address of BAD)
  test(`no mailbox: ${JSON.stringify(address.slice(0, 40))}`, (t) => t.is(typeof emailProblem(address), 'string'));

test('an address of a megabyte is answered in no time', (t) => {
  const began = performance.now();
  for (const text of ['a'.repeat(1e6), `${'a.'.repeat(5e5)}@b`, '@'.repeat(1e6)]) t.truthy(emailProblem(text));
  t.true(performance.now() - began < 100);
});

test('a `to` may be a phone number or a URL as well', (t) => {
  for (const to of ['+886 2 1234 5678', '0912-345-678', 'https://example.com/hook?x=1', 'a@b.example'])
    t.is(recipientProblem(to), undefined, to);
  for (const to of [
    '',
    'bob',
    '12',
    'ftp://x.example/',
    'https://',
    'https://x.example/ä',
    'https://user@x.example/',
    'https://user:secret@x.example/',
    'http://[::1/',
    'http://x.example:99999/',
    'file:///etc/passwd',
    'gopher://127.0.0.1:25/',
    'https://x.example/\r\nX: y',
    `https://x.example/${'x'.repeat(2_000)}`,
  ])
    t.is(typeof recipientProblem(to), 'string', to.slice(0, 40));
});

test('a From has one mailbox, with or without a name', (t) => {
  for (const from of ['a@b.example', 'Ann <a@b.example>', '"Ann, Inc." <a@b.example>', 'Änn Ö <a@b.example>'])
    t.is(mailboxProblem(from), undefined, from);
  for (const from of [
    'Ann, Bob <a@b.example>',
    'Ann <a@b.example>, b@c.example',
    'Ann <a@b.example',
    '<>',
    'Ann\r\nBcc: x <a@b.example>',
    'a@b.example;',
  ])
    t.is(typeof mailboxProblem(from), 'string', from);
});

const LINES: [title: string, fields: Record<string, unknown>, expected: string][] = [
  ['neither email nor to', { name: 'A' }, 'missing_recipient'],
  ['an empty email', { email: '' }, 'missing_recipient'],
  ['a number for email', { email: 5 }, 'invalid_recipient'],
  ['a phone number as email', { email: '+886212345678' }, 'invalid_recipient'],
  ['a name of 1,001 characters', { email: 'a@b.example', name: 'x'.repeat(1_001) }, 'invalid_name'],
  ['a name with a line break', { email: 'a@b.example', name: 'A\nBcc: x' }, 'invalid_name'],
  ['a number for a name', { email: 'a@b.example', name: 5 }, 'invalid_name'],
  ['an object for tags', { email: 'a@b.example', tags: {} }, 'invalid_tags'],
  ['a number among tags', { email: 'a@b.example', tags: ['x', 5] }, 'invalid_tags'],
  ['a tag with a comma', { email: 'a@b.example', tags: ['x,y'] }, 'invalid_tags'],
  ['101 tags', { email: 'a@b.example', tags: Array.from({ length: 101 }, (_, i) => `t${i}`) }, 'invalid_tags'],
  ['attributes over 8 KiB', { email: 'a@b.example', x: 'x'.repeat(8_193) }, 'invalid_attributes'],
  ['an attribute without a name', { email: 'a@b.example', '': 1 }, 'invalid_attributes'],
  ['an attribute with a line break in its name', { email: 'a@b.example', 'a\nb': 1 }, 'invalid_attributes'],
];
for (const [title, fields, code] of LINES)
  test(`a line with ${title}: ${code}`, (t) => t.like(contactOf(fields), { ok: false, code }));

test('a line keeps what it gives, and says nothing of what it does not', (t) => {
  t.deepEqual(
    contactOf({ email: ' Ann@Example.com ', name: 'x'.repeat(1_000), tags: ['a', 'a'], city: '台北', n: null }),
    {
      ok: true,
      contact: {
        recipient: 'Ann@Example.com',
        addressKey: 'ann@example.com',
        name: 'x'.repeat(1_000),
        tags: ['a'],
        attributes: { city: '台北', n: null },
      },
    },
  );
  t.deepEqual(contactOf({ email: 'a@b.example', name: null }), {
    ok: true,
    contact: { recipient: 'a@b.example', addressKey: 'a@b.example', attributes: {} },
  });
});

test('tags in a cell are separated by semicolons', (t) => {
  t.like(contactOf({ to: 'a@b.example', tags: 'vip; tw;;' }), { ok: true, contact: { tags: ['vip', 'tw'] } });
});

const of = (fields: Record<string, unknown>) => {
  const checked = contactOf(fields);
  if (!checked.ok) throw new Error(checked.detail);
  return checked.contact;
};

test('lines of one address become one, the later fields win', (t) => {
  const { contacts, merged } = mergeByAddress([
    of({ email: 'A@b.example', name: 'One', tags: ['x'], city: 'a', plan: 'p' }),
    of({ email: 'c@b.example' }),
    of({ email: 'a@B.example', name: 'Two', city: 'b' }),
  ]);
  t.is(merged, 1);
  t.deepEqual(contacts[0], {
    recipient: 'a@B.example',
    addressKey: 'a@b.example',
    name: 'Two',
    tags: ['x'],
    attributes: { city: 'b', plan: 'p' },
  });
});

test('a line that would make its contact too large is left out, the others are merged', (t) => {
  const lines = [1, 2, 3, 4].map((line) => ({
    ...of({ email: 'a@b.example', ...(line === 3 ? { k1: 'small again' } : { [`k${line}`]: 'x'.repeat(8_000) }) }),
    lines: [line],
  }));
  const { contacts, merged, tooLarge } = mergeByAddress(lines, 16_100);
  t.is(merged, 3);
  t.deepEqual(tooLarge, []);
  t.deepEqual(contacts[0]?.lines, [1, 2, 3, 4]);
  t.deepEqual(Object.keys(contacts[0]?.attributes ?? {}), ['k1', 'k2', 'k4']);
  t.deepEqual(
    mergeByAddress([...lines].reverse(), 16_100).tooLarge.map((c) => c.lines),
    [[1]],
  );
});
