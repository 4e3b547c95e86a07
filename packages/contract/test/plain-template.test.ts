import test from 'ava';
import fc from 'fast-check';
import { Liquid } from 'liquidjs';
import { plainTemplate } from '../src/plain-template.ts';

const MAX = 200;
const settings = { strictFilters: true, strictVariables: true, ownPropertyOnly: true, lenientIf: true };
const engines = {
  text: new Liquid(settings),
  html: new Liquid({ ...settings, outputEscape: 'escape' }),
};
const of = (kind: 'text' | 'html', template: string) => {
  const parsed = engines[kind].parse(template);
  const plain = plainTemplate(parsed, { escapes: kind === 'html', maxChars: MAX });
  return { plain, engine: (vars: object) => String(engines[kind].renderSync(parsed, vars)) };
};

const name = fc.constantFrom('name', 'email', 'n', 'size', 'first', 'constructor', '__proto__', 'toString', 'a-b', 'ä');
const filter = fc.constantFrom(
  '',
  ' | default: "you"',
  " | default: 'a', 3",
  ' | default: name',
  ' | upcase',
  ' | raw',
);
const dash = fc.constantFrom('', '-');
const output = fc.tuple(dash, name, filter, dash).map(([a, n, f, b]) => `{{${a} ${n}${f} ${b}}}`);
const piece = fc.oneof(
  { weight: 4, arbitrary: output },
  { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }).map((s) => s.replaceAll(/[{}]/g, '')) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(' \n ', '{{ user.name }}', '{% if n %}x{% endif %}', '{{ "x" }}', '{{ n[0] }}', '{# #}'),
  },
);
const value = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom<unknown>(
    '<b>',
    "a'b",
    '',
    null,
    true,
    false,
    0,
    -0,
    7,
    1.5,
    1e21,
    [],
    ['a'],
    {},
    { name: 'x' },
    'x'.repeat(MAX),
  ),
);
const vars = fc.dictionary(name, value, { noNullPrototype: true });

test('a plain template gives what the engine gives, or leaves it to the engine', (t) => {
  let decided = 0;
  fc.assert(
    fc.property(
      fc.constantFrom('text' as const, 'html' as const),
      fc.array(piece, { maxLength: 6 }),
      vars,
      (kind, pieces, v) => {
        const { plain, engine } = of(kind, pieces.join(''));
        const text = plain?.(v);
        if (text === undefined) return;
        decided++;
        t.is(text, engine(v));
      },
    ),
    { numRuns: 3_000 },
  );
  t.true(decided > 300, `${decided}`);
});

const CASES: readonly [
  template: string,
  vars: Record<string, unknown>,
  text: string | undefined,
  html: string | undefined,
][] = [
  ['Hi {{name}}', { name: 'Ada' }, 'Hi Ada', 'Hi Ada'],
  ['{{ n }}', { n: 42 }, '42', '42'],
  ['{{ name | default: "you" }}', { name: 'Ada' }, 'Ada', 'Ada'],
  ['a {{- name -}} b', { name: 'x' }, 'axb', 'axb'],
  ['Hi {{name}}', { name: 'A<B' }, 'Hi A<B', undefined],
  ['Hi {{name}}', {}, undefined, undefined],
  ['Hi {{name}}', { name: '' }, undefined, undefined],
  ['Hi {{name}}', { name: null }, undefined, undefined],
  ['Hi {{toString}}', {}, undefined, undefined],
  ['{{ name }}{{ name }}', { name: 'x'.repeat(MAX) }, undefined, undefined],
];
for (const [template, v, text, html] of CASES)
  test(`${template} with ${JSON.stringify(v).slice(0, 30)}`, (t) => {
    t.is(of('text', template).plain?.(v), text);
    t.is(of('html', template).plain?.(v), html);
  });

for (const template of [
  '{{ name | upcase }}',
  '{{ a.b }}',
  '{% if n %}{% endif %}',
  '{{ size }}',
  '{{ n | default: m }}',
])
  test(`${template} is no plain template`, (t) => {
    t.is(of('text', template).plain, undefined);
    t.is(of('html', template).plain, undefined);
  });

test('what is to be raw in HTML is left to the engine', (t) => t.is(of('html', '{{ name | raw }}').plain, undefined));
