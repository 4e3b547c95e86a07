import test from 'ava';
import fc from 'fast-check';
import { explainSegment, parseSegment, tagProblem } from '../../src/core/segment.ts';

const READS: [rule: string, tags: string[]][] = [
  ['vip', ['vip']],
  ['vip,tw', ['vip', 'tw']],
  [' vip , tw ', ['vip', 'tw']],
  ['vip,vip', ['vip']],
  ['new customer,台北', ['new customer', '台北']],
  ['order,android,notable,innings', ['order', 'android', 'notable', 'innings']],
  ['a-b_c.d/e@f', ['a-b_c.d/e@f']],
];
for (const [rule, all] of READS) {
  test(`reads ${JSON.stringify(rule)}`, (t) => {
    t.deepEqual(parseSegment(rule), { ok: true, value: { kind: 'tags', all } });
  });
}

for (const rule of ['', '   ']) {
  test(`${JSON.stringify(rule)} is everyone`, (t) => {
    t.deepEqual(parseSegment(rule), { ok: true, value: { kind: 'everyone' } });
  });
}

const REFUSES: [rule: string, code: string, column: number][] = [
  ['vip or tw', 'not_supported', 5],
  ['vip,not tw', 'not_supported', 5],
  ['vip AND tw', 'not_supported', 5],
  ['not vip', 'not_supported', 1],
  ['(vip)', 'not_supported', 1],
  ['vip,(tw', 'not_supported', 5],
  ['city = "x"', 'not_supported', 6],
  ['!vip', 'not_supported', 1],
  ['vip|tw', 'not_supported', 4],
  ['vip,,tw', 'segment_invalid', 5],
  [',', 'segment_invalid', 1],
  ['vip,', 'segment_invalid', 5],
  ['vip\u0000', 'segment_invalid', 1],
  ['x'.repeat(65), 'segment_invalid', 1],
  ['x'.repeat(2_001), 'segment_invalid', 1],
];
for (const [rule, code, column] of REFUSES) {
  test(`refuses ${JSON.stringify(rule.slice(0, 30))} of ${rule.length}: ${code} in column ${column}`, (t) => {
    const parsed = parseSegment(rule);
    t.false(parsed.ok);
    if (!parsed.ok) {
      t.is(parsed.failure.code, code as never);
      t.like(parsed.failure.errors?.[0], { pointer: '/segment_rule', line: 1, column });
    }
  });
}

const EXPLAINS: [rule: string, words: string][] = [
  ['', 'everyone'],
  ['  ', 'everyone'],
  ['vip', 'tagged vip'],
  ['vip,tw', 'tagged vip and tagged tw'],
  [' vip , tw,vip ', 'tagged vip and tagged tw'],
  ['new customer,台北', 'tagged "new customer" and tagged 台北'],
  ['android,b,c.d/e@f', 'tagged android and tagged b and tagged c.d/e@f'],
];
for (const [rule, words] of EXPLAINS) {
  test(`${JSON.stringify(rule)} in words: ${words}`, (t) => {
    const parsed = parseSegment(rule);
    t.is(parsed.ok && explainSegment(parsed.value), words);
  });
}

test('a list of tags that contacts may have is always a rule, and means exactly these', (t) => {
  const tag = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }).filter((s) => tagProblem(s) === undefined);
  fc.assert(
    fc.property(fc.array(tag, { minLength: 1, maxLength: 10 }), (tags) => {
      const parsed = parseSegment(tags.join(','));
      t.deepEqual(parsed, { ok: true, value: { kind: 'tags', all: [...new Set(tags)] } });
    }),
  );
});

test('any text is answered, never thrown at', (t) => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (rule) => typeof parseSegment(rule).ok === 'boolean'));
  t.pass();
});
