import test from 'ava';
import fc from 'fast-check';
import { parseCsvRecord } from '../../../src/adapters/http/csv-record.ts';
import { csvLines, ndjsonLines } from '../../../src/adapters/http/import-lines.ts';
import { HttpProblem } from '../../../src/adapters/http/problem.ts';

async function* inChunks(bytes: Buffer, size: number) {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}
async function all(lines: AsyncIterable<readonly { line: number; fields?: unknown; code?: string }[]>) {
  const out = [];
  for await (const batch of lines) for (const { line, fields, code } of batch) out.push([line, fields ?? code]);
  return out;
}
/** The same whatever the network makes of it: in one piece, and byte by byte. */
async function read(t: { deepEqual(a: unknown, b: unknown): unknown }, kind: 'csv' | 'ndjson', text: string | Buffer) {
  const bytes = Buffer.from(text as string);
  const lines = kind === 'csv' ? csvLines : ndjsonLines;
  const whole = await all(lines(inChunks(bytes, bytes.length || 1)));
  if (bytes.length < 5_000) t.deepEqual(await all(lines(inChunks(bytes, 1))), whole);
  t.deepEqual(await all(lines(inChunks(bytes, 1_000))), whole);
  return whole;
}

test('CSV with a byte order mark, CRLF, quotes, commas and line breaks inside quotes', async (t) => {
  const text = '\ufeffEmail,Name,tags,city\r\na@x.io,"Ann, ""A""",vip;tw,"Tai\npei"\r\n\r\nb@x.io,,,\r\n';
  t.deepEqual(await read(t, 'csv', text), [
    [2, { email: 'a@x.io', name: 'Ann, "A"', tags: 'vip;tw', city: 'Tai\npei' }],
    [5, { email: 'b@x.io' }],
  ]);
});

test('a quote that is never closed costs its own line, and no other', async (t) => {
  const text =
    'email,name\na@x.io,Ann\nb@x.io,"Bo"b\nc@x.io,Carl\nd@x.io,"Dan\ne@x.io,Eve\nf@x.io,"Fay"\ng@x.io,G"us\nh@x.io,Hal';
  t.deepEqual(
    (await read(t, 'csv', text)).map(([line, what]) => [line, typeof what === 'string' ? what : 'ok']),
    [
      [2, 'ok'],
      [3, 'malformed_line'],
      [4, 'ok'],
      [5, 'malformed_line'],
      [6, 'ok'],
      [7, 'ok'],
      [8, 'malformed_line'],
      [9, 'ok'],
    ],
  );
});

test('a quote that opens at the end of a long file costs one line', async (t) => {
  const text = `email\n"a@x.io\n${'b@x.io\n'.repeat(300)}`;
  const lines = await read(t, 'csv', text);
  t.deepEqual(lines[0], [2, 'malformed_line']);
  t.is(lines.length, 301);
  t.deepEqual(lines.at(-1), [302, { email: 'b@x.io' }]);
});

test('too few and too many fields are told, with the line', async (t) => {
  t.deepEqual(await read(t, 'csv', 'email,name\na@x.io\nb@x.io,B,C\nc@x.io,C\n'), [
    [2, 'malformed_line'],
    [3, 'malformed_line'],
    [4, { email: 'c@x.io', name: 'C' }],
  ]);
});

test('a line that is not UTF-8, or too long, is rejected alone', async (t) => {
  const csv = Buffer.concat([
    Buffer.from('email,name\na@x.io,'),
    Buffer.from([0xff, 0xfe]),
    Buffer.from(`\nb@x.io,${'x'.repeat(70_000)}\nc@x.io,C\n`),
  ]);
  t.deepEqual(await read(t, 'csv', csv), [
    [2, 'invalid_encoding'],
    [3, 'line_too_long'],
    [4, { email: 'c@x.io', name: 'C' }],
  ]);
  const ndjson = Buffer.concat([
    Buffer.from('{"email":"'),
    Buffer.from([0xc3, 0x28]),
    Buffer.from(`"}\n{"email":"${'x'.repeat(70_000)}"}\n{"email":"c@x.io"}`),
  ]);
  t.deepEqual(await read(t, 'ndjson', ndjson), [
    [1, 'invalid_encoding'],
    [2, 'line_too_long'],
    [3, { email: 'c@x.io' }],
  ]);
});

test('NDJSON: bad lines are rejected one by one, empty ones passed over', async (t) => {
  const lines = [
    '\ufeff{"email":"a@x.io"}',
    '',
    '  \r',
    '{"email":',
    '[1]',
    'null',
    '{"a":1,"a":2}',
    '{"__proto__":{}}',
    '{"n":9007199254740993}',
    `${'['.repeat(40)}${']'.repeat(40)}`,
    '{"a":"\\u0000"}',
    '{"email":"b@x.io"}\r',
  ];
  t.deepEqual(await read(t, 'ndjson', lines.join('\n')), [
    [1, { email: 'a@x.io' }],
    ...[4, 5, 6, 7, 8, 9, 10, 11].map((line) => [line, 'malformed_line']),
    [12, { email: 'b@x.io' }],
  ]);
});

for (const [title, text] of [
  ['nothing', ''],
  ['no address', 'name,tags\nA,b\n'],
  ['a column twice', 'email,EMAIL\n'],
  ['a column without a name', 'email,\n'],
  ['an open quote', '"email\n'],
]) {
  test(`a header with ${title} is refused before anything is read`, async (t) => {
    const error = await t.throwsAsync(all(csvLines(inChunks(Buffer.from(text as string), 5))), {
      instanceOf: HttpProblem,
    });
    t.is((error as HttpProblem).code, 'validation_failed');
  });
}

const cell = fc.string({ unit: fc.constantFrom(...('ab ,"\n;é😀'.match(/./gsu) ?? [])), maxLength: 8 });
const quoted = (value: string) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);

test('what is written by RFC 4180 is read back', (t) => {
  fc.assert(
    fc.property(fc.array(cell, { minLength: 1, maxLength: 5 }), (fields) => {
      t.deepEqual(parseCsvRecord(fields.map(quoted).join(',')), { fields });
    }),
  );
});
