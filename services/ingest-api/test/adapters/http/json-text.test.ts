import test from 'ava';
import fc from 'fast-check';
import { findJsonFault, parseJsonText } from '../../../src/adapters/http/json-text.ts';

const FAULTS: [title: string, text: string, position: number][] = [
  ['too deep', '[[[[1]]]]', 3],
  ['2^53', '{"a":9007199254740992}', 5],
  ['-2^53', '[-9007199254740993]', 1],
  ['a large exponent', '[1e400]', 1],
  ['a whole number in disguise', '[9007199254740993.0]', 1],
  ['__proto__', '{"a":1,"__proto__":2}', 7],
  ['constructor', '{"constructor" : 2}', 1],
  ['a key twice', '{"a":1,"a":2}', 7],
  ['a key twice inside', '{"b":{"a":1,"a":2}}', 12],
  ['NUL', '["a\\u0000"]', 1],
  ['half a pair', '["\\ud800x"]', 1],
];
for (const [title, text, position] of FAULTS)
  test(`${title}: told at ${position}`, (t) => t.is(findJsonFault(text, 3)?.position, position));

const FINE = [
  '{"a":1,"b":{"a":1}}',
  '[{"a":1},{"a":1}]',
  '{"a":"__proto__","b":["constructor"]}',
  '{"a":9007199254740991,"b":-9007199254740991,"c":1.5,"d":1e10,"e":0.1234567890123456789}',
  '["\\ud83d\\ude00","😀","\\\\u0000","a\\"b"]',
  '"\\\\"',
  '-0',
];
for (const text of FINE)
  test(`fine: ${text}`, (t) => t.deepEqual(parseJsonText(text, 3), { ok: true, value: JSON.parse(text) }));

const hasProto = (value: unknown): boolean => /"(__proto__|constructor|prototype)":/.test(JSON.stringify(value));

test('what JSON.stringify writes is read back as it was', (t) => {
  const value = fc.jsonValue({ maxDepth: 5, stringUnit: 'grapheme' });
  fc.assert(
    fc.property(value, (v) => {
      const text = JSON.stringify(v);
      if (hasProto(v) || text.includes('\\u0000')) return true;
      const parsed = parseJsonText(text, 32);
      // Doubles of 2^53 and beyond are refused on purpose.
      if (!parsed.ok) return /beyond 2\^53/.test(parsed.fault.detail);
      return JSON.stringify(parsed.value) === JSON.stringify(JSON.parse(text));
    }),
  );
  t.pass();
});

test('any text is answered, never thrown at, and never taken when JSON.parse would not', (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'{}[]",:0123456789eE+-.\\untrfals \ud800'.split('')) }),
      (text) => {
        const parsed = parseJsonText(text, 32);
        if (!parsed.ok) return true;
        return JSON.stringify(JSON.parse(text)) === JSON.stringify(parsed.value);
      },
    ),
    { numRuns: 2_000 },
  );
  t.pass();
});

test('a megabyte of anything takes no longer than a blink', (t) => {
  for (const unit of ['[', '"', '\\', '1', '{"a":', '-', 'e', '"\\u0000"']) {
    const began = performance.now();
    parseJsonText(unit.repeat(1_000_000 / unit.length), 32);
    t.true(performance.now() - began < 500, unit);
  }
});
