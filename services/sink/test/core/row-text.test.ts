import test from 'ava';
import { RowText } from '../../src/core/row-text.ts';

test('the bytes of any number of rows are their lines, each with its end, however they were asked for meanwhile', (t) => {
  for (const count of [0, 1, 511, 512, 513, 2_000]) {
    const lines = Array.from({ length: count }, (_, i) => `["${i}","ö\\n"]`);
    const text = new RowText();
    lines.forEach((line, i) => {
      text.add(line);
      if (i % 700 === 3) text.chunks();
    });
    t.is(Buffer.concat(text.chunks()).toString(), lines.map((line) => `${line}\n`).join(''));
    t.deepEqual(text.lines(), lines);
    t.deepEqual([text.count, text.size], [count, lines.reduce((sum, line) => sum + line.length + 1, 0)]);
  }
});
