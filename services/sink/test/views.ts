import type { DeliveryEvent } from '@volley/contract';
import test, { type ExecutionContext } from 'ava';
import { RowText } from '../src/core/row-text.ts';
import { COLUMNS, toRow } from '../src/core/to-row.ts';
import { createTestDatabase, type TestDatabase } from './clickhouse.ts';

export const MINUTE_MS = 60_000;
/** A full minute, so that what lies in which minute is known. */
export const START = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - 10 * MINUTE_MS;
export const CONTRACT_COLUMNS = COLUMNS.filter((c) => c !== 'appended_at');

export interface Written {
  readonly event: DeliveryEvent;
  readonly repeat?: boolean;
}

/** Writes events as the log would hold them, partition 0, offsets from `from`; taken just after, or at `appendedMs`. */
export async function write(
  db: TestDatabase,
  from: number,
  events: readonly Written[],
  token = `t:${from}`,
  appendedMs?: number,
): Promise<void> {
  const lines = events.map(({ event: e, repeat }, i) => {
    const row = toRow(
      e,
      { partition: 0, offset: from + i, timestampMs: appendedMs ?? e.occurred_at + 3 },
      repeat ?? false,
    );
    if (!row.ok) throw new Error(row.detail);
    return row.line;
  });
  const answer = await db.store.insert({
    partition: 0,
    from,
    to: from + events.length,
    rows: RowText.of(lines),
    token,
  });
  if (!answer.ok) throw new Error(answer.error);
}

export const withDatabase = (title: string, body: (t: ExecutionContext, db: TestDatabase) => Promise<void>) =>
  test(title, async (t) => {
    const db = await createTestDatabase();
    try {
      await body(t, db);
    } finally {
      await db.drop();
    }
  });

export const numbers = (row: Record<string, unknown> | undefined, ...names: string[]) =>
  Object.fromEntries(names.map((name) => [name, Number(row?.[name])]));

/** Deterministic, log-normal in shape. */
export function latencies(n: number): number[] {
  let seed = 42;
  const random = () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return (seed + 1) / 4_294_967_297;
  };
  return Array.from({ length: n }, () =>
    Math.round(20 + Math.exp(4 + Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random()) * 0.9)),
  );
}
export const exact = (values: readonly number[], q: number) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(q * (sorted.length - 1))] as number;
};
export const within = (actual: unknown, expected: number, ratio: number) =>
  Math.abs(Number(actual) - expected) <= expected * ratio + 0.5;
