import { FIRST_GENERATION, type Generation } from './token.ts';

/**
 * What stands beside the sink's committed offset: which range is inserted from there, written before the insert. Whoever
 * comes after a death reads it, and inserts exactly this range under exactly this token once more.
 */
export interface Plan {
  readonly from: number;
  /** The offset after its last one. */
  readonly to: number;
  /** Rows of the range: its records without those that became dead letters. */
  readonly rows: number;
  /** Of the code that planned it; part of the token, also when newer code repeats the insert. */
  readonly layout: number;
  /** The same, of the tables. */
  readonly generation: Generation;
}

/** At most some 110 bytes; a log takes 4,096. Empty: nothing is planned. */
export const metadataOf = (plan: Plan | undefined): string => {
  if (plan === undefined) return '';
  const { to, layout, rows, generation } = plan;
  return JSON.stringify({
    pending: to,
    layout,
    count: rows,
    ...(generation === FIRST_GENERATION ? {} : { generation }),
  });
};

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** The plan beside a committed offset; 'unreadable': somebody else wrote it, or a version that is not known here. */
export function planOf(metadata: string, committed: number): Plan | undefined | 'unreadable' {
  if (metadata === '') return undefined;
  let found: unknown;
  try {
    found = JSON.parse(metadata);
  } catch {
    return 'unreadable';
  }
  const { pending, layout, count, generation = FIRST_GENERATION } = (found ?? {}) as Record<string, unknown>;
  if (!isCount(pending) || !isCount(layout) || !isCount(count) || typeof generation !== 'string') return 'unreadable';
  if (committed < 0 || pending <= committed || count > pending - committed) return 'unreadable';
  return { from: committed, to: pending, rows: count, layout, generation };
}
