import type { Lane, Topics } from '@volley/contract';
import type { Failpoints, Logger } from '@volley/runtime';
import { RecordRefused, type StreamProducer, StreamUnavailable } from '@volley/stream';
import { outgoing } from './core/direct.ts';
import type { DirectRecord, DirectStore, Known, LaneLog } from './direct-ports.ts';
import { StoreUnavailable } from './ports.ts';

/** As in fan-out: kafkajs groups the messages of a request in quadratic time. */
const BATCH_RECORDS = 1_000;
const BATCH_BYTES = 512 * 1024;
/** What may wait behind the batch that is being taken; then its reader stops. */
const WAITING_RECORDS = 2 * BATCH_RECORDS;
const WAITING_BYTES = 2 * BATCH_BYTES;
/** Batches on their way to the log while the next one is being taken. */
const MAX_SENDING = 2;

export interface Waiting {
  readonly record: DirectRecord;
}

export interface PumpDeps {
  readonly store: DirectStore;
  readonly producer: Pick<StreamProducer, 'send'>;
  readonly lanes: LaneLog;
  readonly topics: Topics;
  readonly failpoints: Failpoints;
  readonly log: Logger;
}

export interface PumpOptions<T extends Waiting> {
  readonly campaignId: string;
  readonly tenantId: string;
  readonly lane: Lane;
  /** All batches are one request, and a repeat in it is known as one. */
  readonly oneRequest: boolean;
  /** Before a batch is taken; false: there is no room, and it fails as 'busy'. */
  room(): Promise<boolean>;
  /** In the order of `push`, batch by batch, when the log has them. */
  settled(items: readonly T[], known: readonly Known[]): void;
  /** After it nothing of a request is taken any more. 'refused': the campaign takes none. */
  failed(items: readonly T[], why: 'busy' | 'refused' | Error): void;
  /** Nothing waits and nothing is on its way. */
  idle(): void;
}

export interface Pump<T extends Waiting> {
  push(items: readonly T[]): void;
  waiting(): number;
  /** Resolves when more may be pushed, or when it has failed. */
  roomy(): Promise<void>;
  /** Resolves when everything pushed was settled or has failed. */
  drained(): Promise<void>;
}

/** Batches that the log has, and the store still keeps: forgotten with the next one, or when nothing else comes. */
export function createWritten(store: DirectStore) {
  let batches: number[] = [];
  return {
    add: (batch: number) => void batches.push(batch),
    take(): number[] {
      const taken = batches;
      batches = [];
      return taken;
    },
    giveBack: (taken: readonly number[]) => void batches.push(...taken),
    /** One that stays is written again in a minute, and recognised. */
    async flush(): Promise<void> {
      const taken = this.take();
      if (taken.length > 0) await store.written(taken).catch(() => this.giveBack(taken));
    },
  };
}

/** An outage: what was tried may or may not have happened. Anything else is a bug of ours. */
export const isOutage = (error: unknown): boolean =>
  error instanceof StreamUnavailable || error instanceof StoreUnavailable || error instanceof RecordRefused;

/**
 * Messages on their way from a request to the log, a batch at a time:
 *   1  the store has taken the batch: it is counted, and kept as it goes to the log. A crash here loses nothing that was
 *      promised, and what was counted is written within a minute by whoever is there (`createRedo` in direct.ts).
 *   2  the log has it. Now it may be answered. After a crash here the log is read from where it ended before 1, and what
 *      is there is not written again.
 *   3  the store forgets it.
 * While one batch is on its way the next one is taken: messages keep their order in every partition.
 */
export function createPump<T extends Waiting>(
  d: PumpDeps & { readonly written: ReturnType<typeof createWritten> },
  o: PumpOptions<T>,
): Pump<T> {
  let waiting: T[] = [];
  let waitingBytes = 0;
  let request: number | undefined;
  let running: Promise<void> | undefined;
  let sending = 0;
  /** Everything sent so far is settled. */
  let tail: Promise<void> = Promise.resolve();
  /** Nothing more is taken; `broken`: and what is on its way behind the failed one does not count as answered. */
  let stopped = false;
  let broken = false;
  let wake: (() => void)[] = [];

  const roomy = () => stopped || (waiting.length < WAITING_RECORDS && waitingBytes < WAITING_BYTES);
  function moved(): void {
    const woken = wake;
    wake = [];
    for (const go of woken) go();
  }
  const untilMoved = () => new Promise<void>((resolve) => void wake.push(resolve));

  function take(): T[] {
    let bytes = 0;
    let n = 0;
    while (n < waiting.length && n < BATCH_RECORDS) {
      bytes += (waiting[n] as T).record.value.length;
      if (n > 0 && bytes > BATCH_BYTES) break;
      n += 1;
    }
    const items = waiting.slice(0, n);
    waiting = waiting.slice(n);
    waitingBytes = waiting.reduce((sum, item) => sum + item.record.value.length, 0);
    moved();
    return items;
  }

  function fail(items: readonly T[], why: 'busy' | 'refused' | Error): void {
    const all = o.oneRequest ? items.concat(waiting) : items;
    if (o.oneRequest) {
      stopped = true;
      waiting = [];
      waitingBytes = 0;
    }
    o.failed(all, why);
    moved();
  }

  /** The same id twice in one batch goes to the store once. */
  function distinct(items: readonly T[]): { records: DirectRecord[]; first: readonly boolean[] } {
    const ids = new Set<string>();
    const first = items.map(({ record }) => {
      const known = ids.has(record.messageId);
      ids.add(record.messageId);
      return !known;
    });
    return { records: items.filter((_, i) => first[i]).map(({ record }) => record), first };
  }

  async function one(items: readonly T[]): Promise<void> {
    if (!(await o.room())) return fail(items, 'busy');
    const { records, first } = distinct(items);
    const { campaignId, tenantId, lane } = o;
    const partitions = [...new Set(records.map(({ partition }) => partition))];
    const logFrom = d.lanes.endsAt(lane, partitions);
    // A batch that is left behind is looked for from there on: without a place that would be in all that the lane has.
    if (logFrom === undefined) return fail(items, new StreamUnavailable('where the lane ends is not known yet'));
    const written = d.written.take();
    const reserved = await d.store
      .reserve({ campaignId, tenantId, lane, request, records, logFrom, written })
      .catch((error: Error) => error);
    if (reserved instanceof Error || reserved === 'refused') {
      d.written.giveBack(written);
      return fail(items, reserved);
    }
    if (o.oneRequest) request = reserved.request;
    const ofDistinct = reserved.known[Symbol.iterator]();
    const known = first.map((is) => (is ? (ofDistinct.next().value as Known) : 'own'));
    const { batch } = reserved;
    const sent =
      reserved.write.length === 0
        ? Promise.resolve([])
        : d.producer.send(outgoing(d.topics.messages[lane], { campaignId, tenantId, lane }, reserved.write));
    sent.catch(() => {});
    sending += 1;
    const before = tail;
    tail = (async () => {
      await before;
      try {
        d.lanes.saw(lane, await sent);
        await d.failpoints.hit('direct.afterAck');
        if (batch !== undefined) d.written.add(batch);
        if (!broken) o.settled(items, known);
      } catch (error) {
        broken = o.oneRequest;
        fail(items, error as Error);
      } finally {
        sending -= 1;
        moved();
      }
    })();
  }

  async function run(): Promise<void> {
    // Not at once: what this turn of the event loop still brings rides along.
    await new Promise(setImmediate);
    while (waiting.length > 0 && !stopped) {
      while (sending >= MAX_SENDING) await untilMoved();
      if (stopped) break;
      await one(take());
    }
    running = undefined;
    await tail;
    if (running === undefined && waiting.length === 0 && sending === 0) o.idle();
  }

  return {
    push(items) {
      if (stopped || items.length === 0) return;
      for (const item of items) {
        waiting.push(item);
        waitingBytes += item.record.value.length;
      }
      running ??= run();
    },
    waiting: () => waiting.length,
    async roomy() {
      while (!roomy()) await untilMoved();
    },
    async drained() {
      while (running !== undefined) await running;
      await tail;
    },
  };
}
