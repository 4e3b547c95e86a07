import { createHash } from 'node:crypto';

/**
 * Repeats of an insert that is on its way. A client whose timeout is shorter than its insert waits and runs sends it
 * again: the repeat is answered when the first one ends. Put behind it in the queue it would be run in full once more,
 * and the same happens to the next one: under load nearly all of the time went into inserts that nobody waited for.
 */
export interface Twins<Result> {
  /**
   * `key` is all but the rows: who, where, the statement, its settings with the token. `cancel` ends an insert that has
   * not begun; it is called when the last client that waits for it has left.
   */
  enter(key: string, rows: Uint8Array, cancel: () => void): First<Result> | Repeat<Result>;
  /** Tables may change from now until the returned function is called: what ran before says nothing about what follows. */
  tablesChange(): () => void;
}

export interface First<Result> {
  isFirst: true;
  /** How many joined. */
  repeats(): number;
  begun(): void;
  /** Its own client has left. */
  leave(): void;
  done(result: Result): void;
  failed(error: unknown): void;
}

export interface Repeat<Result> {
  isFirst: false;
  result: Promise<Result>;
  leave(): void;
}

interface Insert<Result> {
  rows: Uint8Array;
  result: PromiseWithResolvers<Result>;
  clients: number;
  repeats: number;
  cancel: () => void;
  /** As of when it had its place at the gate. */
  begunAt: number | undefined;
}

/** Each is the result of an insert whose clients all left before its end, for the repeat that may come after it. */
const keptResults = 64;

export function createTwins<Result>(): Twins<Result> {
  const inserts = new Map<string, Insert<Result>>();
  const kept = new Map<string, { digest: string; result: Result }>();
  /** Counts begins and ends of changes to tables. */
  let moment = 0;
  let changing = 0;

  /** One that waits meets whatever is there when it begins; one that runs may be writing to a table that was swapped since. */
  const standsFor = ({ begunAt }: Insert<Result>) => begunAt === undefined || (begunAt === moment && changing === 0);

  function join(insert: Insert<Result>): Repeat<Result> {
    insert.clients++;
    insert.repeats++;
    return { isFirst: false, result: insert.result.promise, leave: once(() => left(insert)) };
  }

  function left(insert: Insert<Result>): void {
    insert.clients--;
    if (insert.clients === 0 && insert.begunAt === undefined) insert.cancel();
  }

  return {
    enter(key, rows, cancel) {
      const twin = inserts.get(key);
      if (twin !== undefined && standsFor(twin) && same(twin.rows, rows)) return join(twin);
      const ended = kept.get(key);
      if (ended !== undefined && changing === 0 && ended.digest === digestOf(rows))
        return { isFirst: false, result: Promise.resolve(ended.result), leave: () => {} };

      const result = Promise.withResolvers<Result>();
      // Nobody may have joined.
      result.promise.catch(() => {});
      const insert: Insert<Result> = { rows, result, clients: 1, repeats: 0, cancel, begunAt: undefined };
      inserts.set(key, insert);
      const over = () => {
        if (inserts.get(key) === insert) inserts.delete(key);
      };
      return {
        isFirst: true,
        repeats: () => insert.repeats,
        begun() {
          insert.begunAt = moment;
        },
        leave: once(() => left(insert)),
        done(value) {
          over();
          if (insert.clients === 0 && standsFor(insert)) {
            kept.set(key, { digest: digestOf(rows), result: value });
            for (const [oldest] of kept) if (kept.size > keptResults) kept.delete(oldest);
          }
          result.resolve(value);
        },
        failed(error) {
          over();
          result.reject(error);
        },
      };
    },
    tablesChange() {
      moment++;
      changing++;
      kept.clear();
      return once(() => {
        moment++;
        changing--;
        kept.clear();
      });
    },
  };
}

const same = (left: Uint8Array, right: Uint8Array) => Buffer.compare(left, right) === 0;

const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('base64');

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}
