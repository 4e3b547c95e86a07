import type { DeliveryEvent } from '@volley/contract';
import test from 'ava';
import { COLUMNS, type Row, toRow } from '../../src/core/to-row.ts';
import { event } from '../support.ts';

const at = { partition: 3, offset: 41, timestampMs: 1_795_600_000_500 };
const base = event(9, { queued_at: 1_795_600_000_000, occurred_at: 1_795_600_000_400 });

const rowOf = (more: Partial<DeliveryEvent>): Row => toRow({ ...base, ...more }, at, false);
function cellsOf(more: Partial<DeliveryEvent>): Record<string, unknown> {
  const row = rowOf(more);
  if (!row.ok) throw new Error(row.detail);
  const values = JSON.parse(row.line) as unknown[];
  return Object.fromEntries(COLUMNS.map((column, i) => [column, values[i]]));
}

test('a row has every column of the record, then where the log holds it', (t) => {
  t.deepEqual(cellsOf({}), {
    ...base,
    source_partition: 3,
    source_offset: 41,
    appended_at: 1_795_600_000_500,
    is_repeat: false,
  });
});

test('the same record always gives the same bytes', (t) => {
  t.deepEqual(rowOf({}), rowOf({}));
});

const texts: Record<string, string> = {
  quotes: `"it's" \\"so\\"`,
  'backslashes at the end': 'C:\\dir\\',
  'tab, newline, carriage return': 'a\tb\nc\rd',
  'NUL and other controls': 'a\u0000b\u0001c\u001bd',
  'line separators of JavaScript': 'a\u2028b\u2029c',
  emoji: '👩🏽‍🚀 & 🇹🇼',
  'right to left': 'שלום עליכם \u202eabc',
  brackets: '["],[',
  'what looks like a surrogate escape': '\\ud83d \\\\ud83d',
  empty: '',
};
for (const [what, text] of Object.entries(texts)) {
  test(`text survives in one line: ${what}`, (t) => {
    const row = rowOf({ recipient: text, detail: text });
    t.true(row.ok && !row.line.includes('\n'));
    const cells = cellsOf({ recipient: text, detail: text });
    t.is(cells.recipient, text);
    t.is(cells.detail, text);
  });
}

test('a lone surrogate, which the engine refuses, becomes the replacement character; a pair stays', (t) => {
  const row = rowOf({ detail: 'a\ud800b 😀', recipient: '\udc00@example.test' });
  t.true(row.ok && !row.line.includes('\\ud'));
  t.is(cellsOf({ detail: 'a\ud800b 😀' }).detail, 'a\ufffdb 😀');
  t.is(cellsOf({ recipient: '\udc00@example.test' }).recipient, '\ufffd@example.test');
});

const numbers: Partial<DeliveryEvent>[] = [
  { run: 2 ** 31 - 1, attempt: -(2 ** 31), deferrals: -1, provider_ms: 2 ** 31 - 1 },
  { ordinal: Number.MAX_SAFE_INTEGER, e2e_ms: -Number.MAX_SAFE_INTEGER },
  { dlq_partition: 2 ** 31 - 1, dlq_offset: Number.MAX_SAFE_INTEGER },
  { dlq_partition: 0, dlq_offset: 0, previous_kind: '' },
  { dlq_partition: null, dlq_offset: null, previous_kind: null },
  { queued_at: 0 },
];
for (const more of numbers) {
  test(`stored as it is: ${JSON.stringify(more)}`, (t) => {
    const cells = cellsOf(more);
    for (const [column, value] of Object.entries(more)) t.is(cells[column], value);
  });
}

const DAY_MS = 86_400_000;
const refused: [string, Partial<DeliveryEvent>, RegExp][] = [
  ['no message id', { message_id: '' }, /message_id/],
  ['a message id that is no UUID', { message_id: 'x'.repeat(36) }, /message_id/],
  ['a message id in upper case', { message_id: base.message_id.toUpperCase() }, /message_id/],
  ['a message id with more behind it', { message_id: `${base.message_id}\n` }, /message_id/],
  ['an outcome over 7 days before the append', { occurred_at: at.timestampMs - 7 * DAY_MS - 1 }, /7 days/],
  ['an outcome over 1 day after the append', { occurred_at: at.timestampMs + DAY_MS + 1 }, /1 day/],
  ['queued before 1970', { queued_at: -1 }, /queued_at/],
  ['queued after 2299', { queued_at: 10_413_792_000_000 }, /queued_at/],
];
for (const [what, more, detail] of refused) {
  test(`no row can hold it: ${what}`, (t) => {
    const row = rowOf(more);
    t.false(row.ok);
    if (!row.ok) t.regex(row.detail, detail);
  });
}

test('the edges of the window around the append time are stored', (t) => {
  t.true(rowOf({ occurred_at: at.timestampMs - 7 * DAY_MS }).ok);
  t.true(rowOf({ occurred_at: at.timestampMs + DAY_MS }).ok);
});
