import test from 'ava';
import fc from 'fast-check';
import { RECORD_TYPES } from '../src/codec.ts';
import { DEAD_LETTER_HEADERS, HEADERS } from '../src/headers.ts';
import { CAMPAIGN_STATUSES, isEnded, isTerminal, TERMINAL_KINDS } from '../src/kinds.ts';
import { detailOf, MAX_DETAIL_CHARS, REASONS } from '../src/reasons.ts';

const CASES: [what: string, text: string, expected: string][] = [
  ['an ordinary answer', '451 4.7.1 try later', '451 4.7.1 try later'],
  ['line breaks', '550 no\r\nBcc: x@example.com', '550 no Bcc: x@example.com'],
  ['a run of control characters', 'a\u0000\u0001\u001b[31mb', 'a [31mb'],
  ['C1 controls and Unicode line breaks', 'a\u0085b\u2028c\u2029d\u009fe', 'a b c d e'],
  ['space around it', '\t  x \n', 'x'],
  ['nothing but controls', '\r\n\u0000', ''],
  ['a lone surrogate', 'a\ud800b', 'a\ufffdb'],
  ['emoji and other scripts', 'später 👋 مرحبا', 'später 👋 مرحبا'],
  ['exactly the bound', 'x'.repeat(256), 'x'.repeat(256)],
  ['one more than the bound', 'x'.repeat(257), 'x'.repeat(256)],
  ['an emoji across the bound', `${'x'.repeat(255)}👋`, `${'x'.repeat(255)}\ufffd`],
];
for (const [what, text, expected] of CASES) {
  test(`detail: ${what}`, (t) => {
    t.is(detailOf(text), expected);
  });
}

test('a detail is one bounded, printable, well-formed line, whatever was given', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (text) => {
      const detail = detailOf(text);
      t.true(detail.length <= MAX_DETAIL_CHARS);
      t.true(detail.isWellFormed());
      t.false(/\p{Cc}|\u2028|\u2029/u.test(detail));
    }),
  );
});

test('a detail of many megabytes costs no more than a glance', (t) => {
  const text = '\r\n '.repeat(2_000_000);
  const startMs = performance.now();
  t.is(detailOf(text), '');
  t.true(performance.now() - startMs < 2_000);
});

test('reasons are lower-case codes, each with one sentence', (t) => {
  for (const [code, meaning] of Object.entries(REASONS)) {
    t.regex(code, /^[a-z]+(_[a-z]+)*$/);
    t.regex(meaning, /^[A-Z][^\n]+\.$/);
  }
});

test('no two headers have the same name', (t) => {
  const names = [...Object.values(HEADERS), ...Object.values(DEAD_LETTER_HEADERS)];
  t.is(new Set(names).size, names.length);
  for (const name of Object.values(DEAD_LETTER_HEADERS)) t.true(name.startsWith('volley-'));
});

test('every terminal kind is a kind of the schema, and nothing else is terminal', (t) => {
  const schema = JSON.parse(JSON.stringify(RECORD_TYPES.DeliveryEvent.schema()));
  const kinds: string[] = schema.fields.find((f: { name: string }) => f.name === 'kind').type.symbols;
  t.deepEqual(
    kinds.filter((kind) => isTerminal(kind)),
    [...TERMINAL_KINDS],
  );
  t.false(isTerminal('deferred'));
  t.false(isTerminal('redriven'));
});

test('a campaign has ended in exactly four of its states', (t) => {
  t.deepEqual(
    CAMPAIGN_STATUSES.filter((s) => isEnded(s)),
    ['completed', 'completed_with_failures', 'cancelled', 'failed'],
  );
  t.false(isEnded('nonsense'));
});
