import test from 'ava';
import fc from 'fast-check';
import {
  commentOf,
  definitionBeside,
  registerStatement,
  type Stamp,
  selectBeside,
  stampOf,
  stampStatement,
} from '../../../src/core/replay/register.ts';
import { tokenOf } from '../../../src/core/token.ts';

const stamps: fc.Arbitrary<Stamp> = fc
  .record({
    generation: fc.constantFrom('0', 'ab12cd34ef56'),
    state: fc.constantFrom('open', 'closed', 'leaving', undefined),
    nonce: fc.constantFrom('1_2', 'ab12cd34ef56_7_3'),
    keptUntil: fc.constantFrom('2026-11-29T10:00:00.000Z', undefined),
  })
  .map(({ generation, state, nonce, keptUntil }) => ({
    generation,
    ...(state === undefined ? {} : { register: { state, nonce } as const }),
    ...(keptUntil === undefined ? {} : { keptUntil }),
  }));

test('a stamp is read as it was written, and what is none is not guessed', (t) => {
  t.notThrows(() =>
    fc.assert(fc.property(stamps, (stamp) => JSON.stringify(stampOf(commentOf(stamp))) === JSON.stringify(stamp))),
  );
  for (const comment of ['', 'ours', 'generation', 'generation X', 'generation 0; ajar 1', 'generation 0; open'])
    t.is(stampOf(comment), undefined, comment);
});

const open = (generation: string, nonce: string) => ({ generation, register: { state: 'open', nonce } as const });
const closed = (generation: string, nonce: string) => ({ generation, register: { state: 'closed', nonce } as const });

test('each step takes away what it found, so that of two that found the same one comes through', (t) => {
  t.is(
    registerStatement('delivery_raw', undefined, open('0', 'n1')),
    "ALTER TABLE delivery_raw ADD CONSTRAINT register CHECK 1, ADD CONSTRAINT open_n1 CHECK match(getSetting('insert_deduplication_token'), ':[0-9]+$'), MODIFY COMMENT 'generation 0; open n1'",
  );
  t.is(
    registerStatement('delivery_raw', open('0', 'n1'), closed('0', 'n2')),
    "ALTER TABLE delivery_raw DROP CONSTRAINT open_n1, ADD CONSTRAINT closed_n2 CHECK 0, MODIFY COMMENT 'generation 0; closed n2'",
  );
  t.is(
    stampStatement('message_latest', '0'),
    "ALTER TABLE message_latest ADD CONSTRAINT stamped CHECK 1, MODIFY COMMENT 'generation 0'",
  );
});

test('what a raw table takes when it is open are tokens of its own generation', (t) => {
  const range = { cluster: 'q3.x', topic: 'a.deliveries', partition: 1, from: 0, to: 9 };
  for (const mine of ['0', 'ab12', 'b12']) {
    const pattern = /token'\), '([^']*)'\)/.exec(registerStatement('r', undefined, open(mine, 'n')))?.[1];
    t.deepEqual(
      ['0', 'ab12', 'b12'].filter((other) => new RegExp(pattern ?? '').test(tokenOf(range, 3, other))),
      [mine],
    );
  }
});

const CREATE =
  "CREATE TABLE volley.delivery_raw (`a` UInt8 CODEC(ZSTD(1)), `b` String DEFAULT 'x', INDEX i a TYPE minmax GRANULARITY 1) ENGINE = MergeTree PARTITION BY a ORDER BY b SETTINGS non_replicated_deduplication_window = 100000, index_granularity = 8192";

test('a table beside has the definition of the live one, and constraints of its own', (t) => {
  const stamp = open('ab12', 'n9');
  const beside = definitionBeside(CREATE, 'delivery_raw', 'delivery_raw__replay_ab12', stamp);
  const constraints =
    ", CONSTRAINT register CHECK 1, CONSTRAINT open_n9 CHECK match(getSetting('insert_deduplication_token'), ':[0-9]+[.]ab12$')) ENGINE";
  const expected = CREATE.replace(
    'CREATE TABLE volley.delivery_raw',
    'CREATE TABLE IF NOT EXISTS delivery_raw__replay_ab12',
  )
    .split(') ENGINE')
    .join(constraints);
  t.is(beside, `${expected} COMMENT 'generation ab12; open n9'`);
  // Of one that was made by a replay itself, before or after a swap.
  const again = (beside ?? '').replace(
    'CREATE TABLE IF NOT EXISTS delivery_raw__replay_ab12',
    'CREATE TABLE volley.delivery_raw',
  );
  t.is(definitionBeside(again, 'delivery_raw', 'delivery_raw__replay_ab12', stamp), beside);
  const closedToo = again.replace(/open_n9 CHECK match\([^)]*\)[^)]*\)/, 'closed_n10 CHECK 0');
  t.is(definitionBeside(closedToo, 'delivery_raw', 'delivery_raw__replay_ab12', stamp), beside);
});

test('a derived table beside is stamped from its first moment', (t) => {
  const create = CREATE.replace('delivery_raw', 'message_latest');
  const beside = definitionBeside(create, 'message_latest', 'message_latest__replay_ab12', { generation: 'ab12' });
  t.regex(beside ?? '', /, CONSTRAINT stamped CHECK 1\) ENGINE = .* COMMENT 'generation ab12'$/);
  const again = (beside ?? '').replace(
    'CREATE TABLE IF NOT EXISTS message_latest__replay_ab12',
    'CREATE TABLE volley.message_latest',
  );
  t.is(definitionBeside(again, 'message_latest', 'message_latest__replay_ab12', { generation: 'ab12' }), beside);
  t.is(definitionBeside(create, 'another', 'another__replay_ab12', { generation: 'ab12' }), undefined);
});

test('a view is repeated over another raw table when it reads one raw table, else not', (t) => {
  const select = 'SELECT p, count() AS n FROM volley.delivery_raw AS r WHERE NOT is_repeat GROUP BY p';
  t.is(
    selectBeside(select, 'delivery_raw', 'delivery_raw__replay_ab12'),
    'SELECT p, count() AS n FROM volley.delivery_raw__replay_ab12 AS r WHERE NOT is_repeat GROUP BY p',
  );
  t.is(selectBeside('SELECT 1 FROM volley.delivery_raw, volley.delivery_raw', 'delivery_raw', 'x'), undefined);
  t.is(selectBeside('SELECT 1 FROM volley.delivery_raw_2', 'delivery_raw', 'x'), undefined);
});
