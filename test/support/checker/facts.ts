import { isTerminal, messageIdOf } from '@volley/contract';
import type { Allowance, History, LogEvent, LogMessage, MovedMessage, Place, Receipt } from '../history.ts';

/** The invariants of the checker; `README.md` of test/faults says what each one holds. */
export const INVARIANTS = ['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8', 'I9'] as const;
export type Invariant = (typeof INVARIANTS)[number];

/** Something that is wrong, with the ids it is wrong for. */
export interface Finding {
  readonly what: string;
  readonly ids: readonly string[];
}

/** `unknown`: there was nothing to judge by. That is not a pass. */
export type Judgement = readonly Finding[] | 'unknown';
export type Check = (facts: Facts, limit: Allowance) => Judgement;

export const placeOf = ({ partition, offset }: Place): string => `${partition}/${offset}`;
export const runOf = (of: { readonly messageId: string; readonly run: number }): string =>
  `${of.messageId} run ${of.run}`;

export function groupBy<T>(list: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of list) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

export const surplusOf = (groups: ReadonlyMap<string, readonly unknown[]>): number =>
  [...groups.values()].reduce((sum, group) => sum + Math.max(0, group.length - 1), 0);

/** Only findings that name somebody. */
export const findings = (all: Readonly<Record<string, readonly string[]>>): Finding[] =>
  Object.entries(all)
    .filter(([, ids]) => ids.length > 0)
    .map(([what, ids]) => ({ what, ids }));

/** What several checks need, derived once. */
export interface Facts {
  readonly history: History;
  /** Frozen ordinals and acknowledged direct messages. */
  readonly accepted: ReadonlySet<string>;
  readonly unsure: ReadonlySet<string>;
  /** Lane records by message and run. */
  readonly lane: ReadonlyMap<string, readonly LogMessage[]>;
  readonly moved: ReadonlyMap<string, readonly MovedMessage[]>;
  /** Events by message and run in the order of the log, without repeats. */
  readonly events: ReadonlyMap<string, readonly LogEvent[]>;
  /** Events that say again what was said, or come after the end of their run. */
  readonly repeats: readonly LogEvent[];
  /** The end of each run. */
  readonly runEnds: ReadonlyMap<string, LogEvent>;
  /** The one end of a message: that of its latest run. */
  readonly ends: ReadonlyMap<string, LogEvent>;
  readonly latestRun: ReadonlyMap<string, number>;
  readonly taken: ReadonlyMap<string, readonly Receipt[]>;
}

/** The rule by which a message ends once: first end, first `redriven`, first deferral of each number per message and run. */
function withoutRepeats(group: readonly LogEvent[], repeats: LogEvent[]): LogEvent[] {
  const counted: LogEvent[] = [];
  const said = new Set<string>();
  for (const event of group) {
    const ended = said.has('end');
    const says = isTerminal(event.kind)
      ? 'end'
      : event.kind === 'deferred'
        ? `deferred ${event.deferrals}`
        : event.kind;
    if (said.has(says) || (ended && event.kind === 'deferred')) repeats.push(event);
    else {
      said.add(says);
      counted.push(event);
    }
  }
  return counted;
}

export function factsOf(history: History): Facts {
  const accepted = new Set(history.direct);
  for (let n = 1; n <= history.expected; n++) accepted.add(messageIdOf(history.campaignId, n));
  const repeats: LogEvent[] = [];
  const events = new Map<string, LogEvent[]>();
  const runEnds = new Map<string, LogEvent>();
  const ends = new Map<string, LogEvent>();
  const latestRun = new Map<string, number>();
  const seen = ({ messageId, run }: { messageId: string; run: number }) =>
    latestRun.set(messageId, Math.max(run, latestRun.get(messageId) ?? 0));
  for (const [key, group] of groupBy(history.events, runOf)) {
    const inOrder = group.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset);
    const counted = withoutRepeats(inOrder, repeats);
    events.set(key, counted);
    const end = counted.find((event) => isTerminal(event.kind));
    if (end !== undefined) runEnds.set(key, end);
    for (const event of counted) seen(event);
  }
  for (const message of history.messages) seen(message);
  for (const [messageId, run] of latestRun) {
    const end = runEnds.get(runOf({ messageId, run }));
    if (end !== undefined) ends.set(messageId, end);
  }
  return {
    history,
    accepted,
    unsure: new Set(history.unsure),
    lane: groupBy(history.messages, runOf),
    moved: groupBy(history.moved, runOf),
    events,
    repeats,
    runEnds,
    ends,
    latestRun,
    taken: groupBy(
      history.receipts.filter((receipt) => receipt.accepted),
      (receipt) => receipt.messageId,
    ),
  };
}

/** Whether a fault was allowed to make a process do again what it had done. */
export const mayRepeat = (limit: Allowance): boolean => limit.doubledEvents + limit.duplicateSends > 0;
