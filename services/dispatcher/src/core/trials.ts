import type { Tracked } from './job.ts';
import type { Mark, MarkKeeper } from './marks.ts';

/**
 * Who takes over from a process that died does not know which of the records in its hands it died of. So:
 * 1. Before the first record of a topic partition is handled, it is committed that somebody has begun there.
 * 2. Where so many in a row have begun and died (`CAREFUL_FROM`), everything waits in line and is tried one by one, alone in
 *    this process, for a while. Which record it is, is committed before.
 * 3. A record that so many have died of alone (`CRASHES`) is not handled any more: it ends as a dead letter.
 * Whoever dies in any other way leaves at most a few marks, which cost the next owner some seconds of caution.
 */
export interface Trials {
  /** These are ours now; their marks are known. */
  assigned(partitions: readonly { readonly topic: string; readonly partition: number }[]): void;
  /** Records of one partition that are to be handled. */
  offer(records: readonly Tracked[]): void;
  /** Nothing more can start just now: the next one in line may be tried. True: something was handled. */
  goOn(): boolean;
  /** The assignment is over. */
  clear(): void;
  /** Records in line. */
  waiting(): number;
}

export const CRASHES = 3;
const CAREFUL_FROM = 2;
const CAREFUL_MS = 10_000;
/** Whoever lives this long does not die of how it began. */
const CALM_AFTER_MS = 30_000;

const isFeared = (inherited: Mark | undefined): boolean =>
  inherited !== undefined && (inherited.starts >= CAREFUL_FROM || inherited.tries > 0);

export function createTrials(options: {
  readonly markOf: (topic: string, partition: number) => MarkKeeper | undefined;
  /** Resolves when the marks are committed, or cannot be: a count that is missing costs one death more. */
  readonly commit: () => Promise<void>;
  readonly handle: (records: readonly Tracked[]) => void;
  readonly quarantine: (tracked: Tracked, crashes: number) => void;
  /** Its message has ended: it is only to be skipped. */
  readonly isEnded: (tracked: Tracked) => boolean;
  /** No message is under way: each is sent, and its event acknowledged. */
  readonly isIdle: () => boolean;
  readonly monotonicMs: () => number;
  /** There may be something to start. */
  readonly resumed: () => void;
  readonly onBug: (error: Error) => void;
}): Trials {
  const { markOf, handle, monotonicMs } = options;
  /** By topic partition, each in the order of the log. */
  const line = new Map<string, Tracked[]>();
  const begun = new Set<string>();
  const young: { readonly mark: MarkKeeper; readonly sinceMs: number }[] = [];
  let tried: MarkKeeper | undefined;
  let isCareful = false;
  /** -1: the line has not begun to move. */
  let carefulUntilMs = -1;
  let committing: object | undefined;

  const keyOf = ({ record }: Tracked) => `${record.topic}/${record.partition}`;
  const mark = ({ record }: Tracked) => markOf(record.topic, record.partition);

  function committed(then: () => void): false {
    const mine = {};
    committing = mine;
    options
      .commit()
      .then(() => {
        if (committing !== mine) return;
        committing = undefined;
        then();
        options.resumed();
      })
      .catch(options.onBug);
    return false;
  }

  /** True: somebody began, and that is to be committed first. */
  function begin(): boolean {
    let any = false;
    for (const [key, [first]] of line) {
      if (first === undefined || begun.has(key)) continue;
      begun.add(key);
      const of = mark(first);
      if (of === undefined) continue;
      of.begin();
      young.push({ mark: of, sinceMs: monotonicMs() });
      any = true;
    }
    return any;
  }

  /**
   * The next one in line, of each partition in turn: what kills lies just above the watermark of its own, and behind all
   * that was read of the others it would not be reached in time. Those at whose beginning somebody died come first.
   */
  function shift(): Tracked | undefined {
    const keys = [...line.keys()];
    const key = keys.find(isSuspicious) ?? keys[0];
    const records = key === undefined ? undefined : line.get(key);
    if (key === undefined || records === undefined) return undefined;
    line.delete(key);
    const first = records.shift();
    if (records.length > 0) line.set(key, records);
    return first;
  }

  const isSuspicious = (key: string): boolean => {
    const first = line.get(key)?.[0];
    return first !== undefined && isFeared(mark(first)?.inherited);
  };

  function goOn(): boolean {
    calmDown();
    if (committing !== undefined || (line.size === 0 && tried === undefined)) return false;
    if (begin()) return committed(() => {});
    if (isCareful && carefulUntilMs < 0) carefulUntilMs = monotonicMs() + CAREFUL_MS;
    if (isCareful && monotonicMs() < carefulUntilMs) return tryNext();
    isCareful = false;
    passed();
    const all = [...line.values()];
    line.clear();
    for (const records of all) handle(records);
    return all.length > 0;
  }

  function tryNext(): boolean {
    if (!options.isIdle()) return false;
    passed();
    const next = shift();
    if (next === undefined) return false;
    const of = options.isEnded(next) ? undefined : mark(next);
    const crashes = of?.try(next.record.offset) ?? 0;
    if (crashes >= CRASHES) options.quarantine(next, crashes);
    else if (of === undefined) handle([next]);
    else {
      tried = of;
      return committed(() => handle([next]));
    }
    return true;
  }

  function passed(): void {
    tried?.passed();
    tried = undefined;
  }

  function calmDown(): void {
    for (let first = young[0]; first !== undefined; first = young[0]) {
      if (first.sinceMs + CALM_AFTER_MS > monotonicMs()) return;
      first.mark.progressed();
      young.shift();
    }
  }

  return {
    assigned(partitions) {
      isCareful = partitions.some(({ topic, partition }) => isFeared(markOf(topic, partition)?.inherited));
      carefulUntilMs = -1;
    },
    offer(records) {
      const first = records[0];
      if (first === undefined) return;
      if (!isCareful && line.size === 0 && committing === undefined && begun.has(keyOf(first))) {
        handle(records);
        return;
      }
      const before = line.get(keyOf(first));
      if (before === undefined) line.set(keyOf(first), [...records]);
      else for (const tracked of records) before.push(tracked);
      goOn();
    },
    goOn,
    clear() {
      line.clear();
      begun.clear();
      young.length = 0;
      tried = undefined;
      isCareful = false;
      committing = undefined;
    },
    waiting: () => [...line.values()].reduce((sum, records) => sum + records.length, 0),
  };
}
