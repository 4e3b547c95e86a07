import test from 'ava';
import fc from 'fast-check';
import { parsePartName, repairDedupLog } from '../src/clickhouse-front/dedup-log-repair.ts';

const add = (part: string, block = `b_${part}`) => `1\t${part}\t${block}`;
const drop = (part: string) => `2\t${part}\tb_${part}`;
const log = (...lines: string[]) => lines.map((line) => `${line}\n`).join('');

for (const [name, text, parts, expected] of [
  ['an empty log', '', [], ''],
  [
    'every block has its part',
    log(add('all_1_1_0'), add('all_2_2_0')),
    ['all_1_1_0', 'all_2_2_0'],
    log(add('all_1_1_0'), add('all_2_2_0')),
  ],
  ['the last block has no part', log(add('all_1_1_0'), add('all_2_2_0')), ['all_1_1_0'], log(add('all_1_1_0'))],
  ['a merged part spans the block', log(add('all_2_2_0')), ['all_1_4_1'], log(add('all_2_2_0'))],
  ['a mutated part spans the block', log(add('all_2_2_0')), ['all_1_4_1_9'], log(add('all_2_2_0'))],
  ['the span is of another partition', log(add('20261121_2_2_0')), ['20261120_1_4_1'], ''],
  ['the span ends before the block', log(add('all_5_5_0')), ['all_1_4_1'], ''],
  [
    'two blocks in flight, out of order',
    log(add('all_1_1_0'), add('all_3_3_0'), add('all_2_2_0')),
    ['all_1_1_0', 'all_2_2_0'],
    log(add('all_1_1_0'), add('all_2_2_0')),
  ],
  [
    'a removal needs no part',
    log(add('all_2_2_0'), drop('all_1_1_0')),
    ['all_2_2_0'],
    log(add('all_2_2_0'), drop('all_1_1_0')),
  ],
  ['the last line was cut in its part name', `${log(add('all_1_1_0'))}1\tall_2`, ['all_1_1_0'], log(add('all_1_1_0'))],
  [
    'the last line was cut in its block',
    `${log(add('all_1_1_0'))}1\tall_2_2_0\tb`,
    ['all_1_1_0'],
    log(add('all_1_1_0')),
  ],
  [
    'the last line lacks its end but has its part',
    `${log(add('all_1_1_0'))}${add('all_2_2_0')}`,
    ['all_1_1_0', 'all_2_2_0'],
    log(add('all_1_1_0'), add('all_2_2_0')),
  ],
  ['a partition id that is a hash', log(add('51fbadfb0deeea70ceafbd3c7c8aef25_1_1_0')), [], ''],
] as const) {
  test(`repair: ${name}`, (t) => {
    t.is(repairDedupLog(text, parts).text, expected);
  });
}

test('repair looks at the last lines only: old blocks may have lost their part to a TTL or a drop', (t) => {
  const old = Array.from({ length: 30 }, (_, n) => add(`all_${n}_${n}_0`));
  const repaired = repairDedupLog(log(...old), [], 20);
  t.deepEqual(repaired.text, log(...old.slice(0, 10)));
  t.deepEqual(repaired.removed, old.slice(10));
});

test('repair is idempotent, removes only what is uncovered, and keeps the order', (t) => {
  const blocks = fc.array(
    fc.record({ partition: fc.constantFrom('all', '20261121'), number: fc.nat(12), drop: fc.boolean() }),
    { maxLength: 40 },
  );
  const parts = fc.array(
    fc.record({ partition: fc.constantFrom('all', '20261121'), min: fc.nat(12), length: fc.nat(4) }),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(blocks, parts, (lines, active) => {
      const names = active.map(({ partition, min, length }) => `${partition}_${min}_${min + length}_1`);
      const texts = lines.map(({ partition, number, drop: isDrop }) =>
        (isDrop ? drop : add)(`${partition}_${number}_${number}_0`),
      );
      const repaired = repairDedupLog(log(...texts), names);
      t.is(repairDedupLog(repaired.text, names, 20).text, repaired.text);
      const kept = repaired.text.split('\n').filter(Boolean);
      t.is(kept.length + repaired.removed.length, texts.length);
      for (const line of repaired.removed) {
        const block = parsePartName(line.split('\t')[1] as string);
        t.false(
          active.some(
            (part) =>
              part.partition === block?.partition && part.min <= block.min && part.min + part.length >= block.max,
          ),
        );
      }
    }),
  );
});

for (const [name, parsed] of [
  ['all_1_1_0', { partition: 'all', min: 1, max: 1 }],
  ['20261121_7_12_3', { partition: '20261121', min: 7, max: 12 }],
  ['20261121_7_12_3_14', { partition: '20261121', min: 7, max: 12 }],
  ['tmp_insert_all_1_1_0', undefined],
  ['delete_tmp_all_1_1_0', undefined],
  ['detached', undefined],
  ['format_version.txt', undefined],
] as const) {
  test(`part name: ${name}`, (t) => {
    t.deepEqual(parsePartName(name), parsed);
  });
}
