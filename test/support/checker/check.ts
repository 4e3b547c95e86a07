import { type Allowance, type History, NOTHING_DOUBLED } from '../history.ts';
import { type Check, factsOf, INVARIANTS, type Invariant, runOf, surplusOf } from './facts.ts';
import { oneEnd } from './i1-one-end.ts';
import { nothingUnexpected } from './i2-nothing-unexpected.ts';
import { answersHold } from './i3-answers.ts';
import { acceptedInLog } from './i4-accepted-in-log.ts';
import { receiptsFit } from './i5-receipts.ts';
import { statesOf, sumsAgree } from './i6-sums.ts';
import { inOrder } from './i7-order.ts';
import { offsetsHold } from './i8-offsets.ts';
import { attemptsAndLetters } from './i9-attempts-and-letters.ts';

const CHECKS: Readonly<Record<Invariant, Check>> = {
  I1: oneEnd,
  I2: nothingUnexpected,
  I3: answersHold,
  I4: acceptedInLog,
  I5: receiptsFit,
  I6: sumsAgree,
  I7: inOrder,
  I8: offsetsHold,
  I9: attemptsAndLetters,
};

/** What every history can be judged by. I3 needs the journal of a caller, I8 the places of the groups. */
export const ALWAYS: readonly Invariant[] = ['I1', 'I2', 'I4', 'I5', 'I6', 'I7', 'I9'];

export interface Verdict {
  /** Empty: every message is accounted for, everywhere. Each one names its invariant, what is wrong, and the first ids. */
  readonly problems: readonly string[];
  readonly outcomes: Readonly<Record<Invariant, 'held' | 'broken' | 'unknown'>>;
  readonly doubled: Allowance;
  /** Messages by their one state. */
  readonly states: Readonly<Record<string, number>>;
  /** Accepted messages without an end, or not in the log. */
  readonly lost: number;
  readonly accepted: number;
}

const some = (list: readonly string[]) => `${list.length} (${list.slice(0, 3).join(', ')})`;

/**
 * Judges a history by I1 to I9, looking only at the data: `check.test.ts` damages a good one in every way a broken
 * pipeline could. `allowed` is what the faults of the run may have doubled; loss is never allowed. A `needed` invariant
 * of which nothing is known is a problem too.
 */
export function check(
  history: History,
  allowed: Partial<Allowance> = {},
  needed: readonly Invariant[] = ALWAYS,
): Verdict {
  const repeats = allowed.doubledEvents ?? 0;
  const limit: Allowance = {
    ...NOTHING_DOUBLED,
    duplicatesOfOne: allowed.duplicateSends ?? 0,
    doubledDeferrals: repeats,
    doubledMoves: repeats,
    ...allowed,
  };
  const facts = factsOf(history);
  const problems: string[] = [];
  const outcomes = {} as Record<Invariant, 'held' | 'broken' | 'unknown'>;
  for (const name of INVARIANTS) {
    const found = CHECKS[name](facts, limit);
    outcomes[name] = found === 'unknown' ? 'unknown' : found.length > 0 ? 'broken' : 'held';
    if (found === 'unknown') {
      if (needed.includes(name)) problems.push(`${name} unknown: nothing was read by which it could be judged`);
    } else for (const { what, ids } of found) problems.push(`${name} ${what}: ${some(ids)}`);
  }
  const lost = [...facts.accepted].filter((id) => !facts.ends.has(id) || !facts.lane.has(`${id} run 0`)).length;
  return {
    problems,
    outcomes,
    doubled: doubledIn(facts),
    states: statesOf(facts),
    lost,
    accepted: facts.accepted.size,
  };
}

function doubledIn({ history, lane, taken, repeats }: ReturnType<typeof factsOf>): Allowance {
  const again = repeats.filter((event) => event.kind === 'deferred' || event.kind === 'redriven').length;
  const places = new Set(history.rows.map((row) => `${row.partition}/${row.offset}`));
  const count = <T>(list: readonly T[], keyOf: (item: T) => string) => list.length - new Set(list.map(keyOf)).size;
  return {
    doubledMessages: surplusOf(lane),
    duplicateSends: surplusOf(taken),
    duplicatesOfOne: Math.max(0, ...[...taken.values()].map((group) => group.length - 1)),
    doubledEvents: repeats.length - again,
    doubledDeferrals: again,
    doubledMoves: count(
      history.moved.filter((record) => record.tier !== 'held'),
      (record) => `${runOf(record)} ${record.deferrals}`,
    ),
    doubledRows: history.rows.length - places.size,
    doubledDeadLetters: count(history.deadLetters, runOf),
  };
}
