import type { ExecutionContext, TestFn } from 'ava';
import { RowText } from '../../src/core/row-text.ts';
import { COLUMNS, toRow } from '../../src/core/to-row.ts';
import type { RowRange, RowStore } from '../../src/ports.ts';
import { event } from '../support.ts';

export interface StoreHarness {
  readonly store: RowStore;
  /** Offsets of all rows in the store, ascending. */
  offsets(): Promise<number[]>;
  /** How many events the store's rollup counts; undefined for a store without one. */
  rolledUp(): Promise<number | undefined>;
  /** Recipients by ascending offset. */
  recipients(): Promise<string[]>;
  close(): Promise<void>;
}

export function range(from: number, to: number, more: Partial<RowRange & { recipient: string }> = {}): RowRange {
  const lines: string[] = [];
  for (let offset = from; offset < to; offset++) {
    const text = more.recipient === undefined ? {} : { recipient: more.recipient };
    const row = toRow(event(offset + 1, text), { partition: 0, offset, timestampMs: Date.now() }, false);
    if (row.ok) lines.push(row.line);
  }
  return { partition: 0, from, to, rows: RowText.of(lines), token: `test:${from}:${to}`, ...more };
}

/** What every row store must do: the port's comments, one by one. */
export function rowStoreSuite(test: TestFn, open: () => Promise<StoreHarness>): void {
  const declare = (title: string, body: (t: ExecutionContext, h: StoreHarness) => Promise<void>) =>
    test(title, async (t) => {
      const harness = await open();
      try {
        await body(t, harness);
      } finally {
        await harness.close();
      }
    });
  const offsetsUpTo = (n: number) => Array.from({ length: n }, (_, i) => i);

  declare('rows of a range are readable when it was acknowledged', async (t, h) => {
    t.deepEqual(await h.store.insert(range(0, 1_000)), { ok: true });
    t.deepEqual(await h.offsets(), offsetsUpTo(1_000));
  });

  declare('the same range under the same token is stored once, and ok', async (t, h) => {
    const once = range(0, 20);
    t.deepEqual(await h.store.insert(once), { ok: true });
    t.deepEqual(await h.store.insert(once), { ok: true });
    t.deepEqual(await h.offsets(), offsetsUpTo(20));
    t.true([20, undefined].includes(await h.rolledUp()), 'the rollup counts each row once');
  });

  declare('rows are counted by place, doubled ones twice, and by the day of their append', async (t, h) => {
    const day = Math.floor(Date.now() / 86_400_000);
    const of = async (from: number, to: number, more: { partition?: number; day?: number } = {}) =>
      h.store.count({ partition: 0, from, to, ...more });
    t.deepEqual(await of(0, 100), { ok: true, rows: 0 });
    await h.store.insert(range(0, 30));
    await h.store.insert({ ...range(20, 30), token: 'another' });
    t.deepEqual(await of(0, Number.MAX_SAFE_INTEGER), { ok: true, rows: 40 });
    t.deepEqual(await of(0, 20, { day }), { ok: true, rows: 20 });
    t.deepEqual(await of(20, 30, { day }), { ok: true, rows: 20 });
    t.deepEqual(await of(19, 21), { ok: true, rows: 3 });
    t.deepEqual(await of(0, 30, { partition: 1 }), { ok: true, rows: 0 });
  });

  declare('the same rows under another token are other rows', async (t, h) => {
    const rows = range(0, 10);
    await h.store.insert(rows);
    await h.store.insert({ ...rows, token: 'another' });
    t.is((await h.offsets()).length, 20);
  });

  declare('a token says nothing about the next insert', async (t, h) => {
    for (let from = 0; from < 50; from += 10) await h.store.insert(range(from, from + 10));
    t.deepEqual(await h.offsets(), offsetsUpTo(50));
  });

  declare('ranges inserted at the same time are all stored', async (t, h) => {
    const answers = await Promise.all([0, 100, 200, 300].map((from) => h.store.insert(range(from, from + 100))));
    t.true(answers.every(({ ok }) => ok));
    t.deepEqual(await h.offsets(), offsetsUpTo(400));
  });

  declare('the largest batch is one block: its repetition is dropped whole', async (t, h) => {
    const large = range(0, 100_000);
    t.deepEqual(await h.store.insert(large), { ok: true });
    t.deepEqual(await h.store.insert(large), { ok: true });
    t.is((await h.offsets()).length, 100_000);
    t.true([100_000, undefined].includes(await h.rolledUp()));
  });

  declare('any text comes back as it was', async (t, h) => {
    const texts = [
      '"\'\\',
      'tab\tnewline\ncr\r',
      'nul\u0000esc\u001b',
      '👩🏽‍🚀',
      'שלום \u202e',
      '[",\\N',
      '\\ud800',
      '',
    ];
    for (const [i, recipient] of texts.entries())
      t.deepEqual(await h.store.insert(range(i, i + 1, { recipient })), { ok: true });
    t.deepEqual(await h.recipients(), texts);
  });

  declare('every limit of the record is stored', async (t, h) => {
    const limits = [
      { run: 2 ** 31 - 1, attempt: -(2 ** 31), ordinal: Number.MAX_SAFE_INTEGER, e2e_ms: Number.MIN_SAFE_INTEGER },
      { provider_ms: -(2 ** 31), dlq_partition: 2 ** 31 - 1, dlq_offset: Number.MAX_SAFE_INTEGER, queued_at: 0 },
      { queued_at: 10_413_791_999_999, previous_kind: '', kind: 'unknown' as const },
    ];
    const lines = limits.map((more, offset) => {
      const row = toRow(event(offset + 1, more), { partition: 65_535, offset, timestampMs: Date.now() }, false);
      return row.ok ? row.line : '';
    });
    t.is(JSON.parse(lines[0] as string).length, COLUMNS.length);
    t.deepEqual(await h.store.insert({ partition: 65_535, from: 0, to: 3, rows: RowText.of(lines), token: 'limits' }), {
      ok: true,
    });
    t.deepEqual(await h.offsets(), [0, 1, 2]);
  });

  declare('it answers, and closing twice is fine', async (t, h) => {
    t.deepEqual(await h.store.ping(), { ok: true });
    await h.store.close();
    await h.store.close();
  });
}
