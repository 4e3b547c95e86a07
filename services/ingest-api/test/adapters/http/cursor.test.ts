import test from 'ava';
import { createKeyCheck } from '../../../src/adapters/http/auth.ts';
import { decodeCursor, encodeCursor } from '../../../src/adapters/http/cursor.ts';

const DIGITS = /^\d+$/;

test('a cursor comes back as it went out', (t) => {
  t.is(decodeCursor('list', encodeCursor('list', '42'), DIGITS), '42');
  t.is(decodeCursor('list', undefined, DIGITS), undefined);
});

for (const cursor of [
  '',
  'x',
  '42',
  encodeCursor('other', '42'),
  encodeCursor('list', 'x'),
  `${encodeCursor('list', '42')}=`,
  '%00',
  '../..',
]) {
  test(`not a cursor of this list: ${JSON.stringify(cursor)}`, (t) => {
    const error = t.throws(() => decodeCursor('list', cursor, DIGITS)) as { code?: string };
    t.is(error.code, 'validation_failed');
  });
}

test('only a known key opens, under a name that tells it from others and not what it is; without keys none does', (t) => {
  const allowed = createKeyCheck(['one', 'two']);
  for (const header of ['Bearer one', 'bearer one', 'Bearer  one']) t.is(allowed(header), 'key-7692c3ad', header);
  t.regex(allowed('Bearer two') ?? '', /^key-[0-9a-f]{8}$/);
  t.not(allowed('Bearer two'), allowed('Bearer one'));
  for (const header of [
    undefined,
    '',
    'one',
    'Bearer',
    'Bearer ',
    'Bearer on',
    'Bearer onee',
    'Basic one',
    'Bearer one two',
    `Bearer ${'x'.repeat(600)}`,
  ])
    t.is(allowed(header), undefined, header);
  t.is(createKeyCheck([])('Bearer '), undefined);
});
