import { createRepeatRule, type Decoded, type DeliveryEvent, ordinalIn } from '@volley/contract';
import type { Clock, Failpoints, Logger } from '@volley/runtime';
import type { ConsumerLoop, LoopHandler, StreamAdmin, StreamClient, TrackedRecord } from '@volley/stream';
import {
  changedParts,
  count,
  endedOf,
  markSaved,
  type PartitionBook,
  partitionBook,
  sumTallies,
  type Tally,
} from './core/progress.ts';
import { createEventDecoder } from './event-decoder.ts';
import type { LiveProgress, Metric, ProgressStore, Round } from './ports.ts';
import { createRepeatWindows } from './repeat-windows.ts';

const SAVE_EVERY_MS = 1_000;
/** Windows read at the same time: one alone waits for its broker half of the time (bench/progress.bench.ts). */
const READ_AT_ONCE = 4;
/** Campaigns that ended while nobody was looking (a crash between save and command) are looked for this often. */
const SWEEP_EVERY_MS = 2_000;

export interface ProgressDeps {
  readonly topic: string;
  readonly store: ProgressStore;
  readonly client: Pick<StreamClient, 'readRanges'>;
  readonly admin: Pick<StreamAdmin, 'clusterId' | 'logBounds'>;
  readonly decode: (bytes: Buffer | null) => Decoded<DeliveryEvent>;
  /** Rejects when the registry cannot be asked: the round is tried again, nothing is passed over. */
  readonly loadSchema: (id: number) => Promise<void>;
  readonly settle: ConsumerLoop['settle'];
  readonly complete: (campaignId: string, failures: boolean) => Promise<unknown>;
  readonly clock: Clock;
  readonly failpoints: Failpoints;
  readonly metric: Metric;
  readonly log: Logger;
  readonly fatal: (error: Error) => void;
  /** Records arrived. */
  readonly wake: () => void;
  /** Messages ended: windows may have room. */
  readonly moved: () => void;
}

export interface Progress {
  readonly handler: LoopHandler;
  readonly round: Round;
  readonly live: LiveProgress;
  stoppedPartitions(): number;
}

/** volley.deliveries -> counts, saved once a second with the offset that follows them; all ended -> `completed`. */
export function createProgress(d: ProgressDeps): Progress {
  let epoch = -1;
  let assigned: number[] = [];
  /** Undefined: to be loaded. */
  let books: Map<number, PartitionBook> | undefined;
  /** The log that the books were loaded for. */
  let cluster = '';
  let queue: TrackedRecord[] = [];
  /** Counted, and not yet saved: settled after the save, counted again when somebody else has moved the offset. */
  let unsaved: TrackedRecord[] = [];
  const stopped = new Set<number>();
  const decoder = createEventDecoder({ ...d, monotonicMs: d.clock.monotonicMs });
  const windows = createRepeatWindows({ ...d, decoder });
  /** Records at the head of the queue that wait for its next word. */
  let heldBack = 0;
  let saveAtMs = 0;
  let sweepAtMs = 0;
  /** Campaigns with one, as of the last sweep: told when there are more. */
  let surpluses = 0;

  const handler: LoopHandler = {
    onAssigned(partitions, newEpoch) {
      epoch = newEpoch;
      assigned = partitions.map((p) => p.partition);
      forget();
    },
    onRevoked() {
      epoch = -1;
      assigned = [];
      forget();
    },
    onRecords(records, logEnd) {
      for (const record of records) queue.push(record);
      const book = books?.get(records[0]?.record.partition ?? -1);
      if (book) book.logEnd = logEnd;
      d.wake();
    },
    onPartitionStopped: ({ partition }, why) => stop(partition, why),
    onFatal: d.fatal,
  };

  function closeBooks(): void {
    for (const { partition, rule, next } of books?.values() ?? [])
      if (!stopped.has(partition)) windows.keep(partition, rule, next);
    books = undefined;
  }

  function forget(): void {
    closeBooks();
    queue = [];
    heldBack = 0;
    unsaved = [];
    stopped.clear();
    d.metric.partitionStopped?.set(0);
  }

  function stop(partition: number, why: string): void {
    stopped.add(partition);
    d.metric.partitionStopped?.set(stopped.size);
    d.log.error(
      { topic: d.topic, partition, why },
      'progress of this partition stopped: its log is not what was saved',
    );
  }

  /**
   * An offset counts in the log that it was saved for and in no other: one that was made anew begins at 0 again, and
   * everything in it would be passed over as counted before. Then the records before it are read, so that the first
   * record that is counted is judged as it would have been without the change of owner. Nothing is counted meanwhile.
   */
  async function load(mine: number): Promise<void> {
    const log = await d.admin.clusterId();
    const bounds = await d.admin.logBounds(d.topic);
    const saved = await d.store.offsets(d.topic, assigned);
    if (epoch !== mine) return;
    windows.only(log === cluster ? assigned : []);
    cluster = log;
    const wrong = new Map<number, string>();
    for (const [partition, { next, cluster: before }] of saved) {
      const end = bounds[partition]?.end ?? 0;
      if (before !== null && before !== log)
        wrong.set(partition, `offset ${next} was saved for the log ${before}, and this is ${log}`);
      else if (next > end) wrong.set(partition, `offset ${next} was saved and the log ends at ${end}`);
    }
    const opened = new Map<number, PartitionBook>();
    for (let at = 0; at < assigned.length; at += READ_AT_ONCE) {
      const some = assigned.slice(at, at + READ_AT_ONCE).map(async (partition) => {
        const next = saved.get(partition)?.next ?? 0;
        const rule = wrong.has(partition)
          ? createRepeatRule()
          : await windows.upTo(partition, bounds[partition]?.start ?? 0, next);
        if (rule !== 'wait') opened.set(partition, partitionBook(partition, next, rule));
      });
      // All of them, also when one fails: two reads of one window would meet in it.
      const failed = (await Promise.allSettled(some)).find((one) => one.status === 'rejected');
      if (epoch !== mine) return;
      if (failed) throw failed.reason;
    }
    if (opened.size < assigned.length) return;
    books = opened;
    for (const [partition, why] of wrong) stop(partition, why);
  }

  /** Counts what is queued; answers whether a campaign may have come to its end. */
  async function countQueued(mine: number, ofBooks: Map<number, PartitionBook>): Promise<boolean> {
    const touched = new Set<string>();
    const waiting = new Set<number>();
    const kept: TrackedRecord[] = [];
    let at = 0;
    try {
      for (; at < queue.length; at++) {
        const tracked = queue[at] as TrackedRecord;
        const { record } = tracked;
        const book = ofBooks.get(record.partition);
        if (!book || stopped.has(record.partition)) continue;
        if (waiting.has(record.partition)) {
          kept.push(tracked);
          continue;
        }
        if (record.offset < book.saved) {
          // Counted and saved by an earlier owner that died before the group's offset followed.
          d.settle(tracked);
          d.metric.progressEvents?.inc({ outcome: 'skipped' });
          continue;
        }
        if (record.offset > book.next) {
          stop(record.partition, `offset ${book.next} was saved and the log gave ${record.offset}`);
          continue;
        }
        let decoded = decoder.now(record.value);
        if (decoded === undefined) {
          const asked = await decoder.ask(record.value as Buffer);
          if (epoch !== mine) return false;
          if (asked === 'wait') {
            waiting.add(record.partition);
            kept.push(tracked);
            continue;
          }
          decoded = asked;
        }
        const event = decoded.ok ? decoded.value : undefined;
        // The id says which message it is; what else the event says of that is not asked.
        const ordinal = event && ordinalIn(event.message_id, event.campaign_id);
        let outcome = event ? 'foreign' : 'undecodable';
        if (event && ordinal !== undefined) {
          const { campaign_id, kind, deferrals, previous_kind: previousKind, occurred_at: occurredAtMs } = event;
          let part = book.parts.get(campaign_id);
          if (part === undefined) {
            part = (await d.store.part(campaign_id, book.partition)) ?? null;
            if (epoch !== mine) return false;
            book.parts.set(campaign_id, part);
          }
          // Once for each record, so after everything that can fail.
          const repeat = book.rule.offer(record.offset, event) === 'repeat';
          outcome = part ? count(part, { ordinal, kind, previousKind, deferrals, occurredAtMs, repeat }) : 'unknown';
          if (outcome === 'ended') touched.add(campaign_id);
          if (outcome === 'surplus')
            d.log.error(
              { campaign_id, message_id: event.message_id, kind },
              'an event of a message which the campaign does not have',
            );
        }
        d.metric.progressEvents?.inc({ outcome });
        book.next = record.offset + 1;
        book.logEnd = Math.max(book.logEnd, book.next);
        book.eventAtMs = record.timestampMs;
        unsaved.push(tracked);
      }
    } finally {
      // A round that failed goes on with the record at which it failed.
      if (epoch === mine) {
        queue = at === 0 ? queue : kept.concat(queue.slice(at));
        heldBack = kept.length;
      }
    }
    // A hint: whether it is over is asked of the store, which knows what else a campaign waits for.
    return [...touched].some((id) => endedOf(sumTallies(talliesOf(id).values())) === audienceOf(id));
  }

  const audienceOf = (campaignId: string): number | undefined => {
    for (const book of books?.values() ?? []) {
      const part = book.parts.get(campaignId);
      if (part) return part.audience;
    }
    return undefined;
  };

  const talliesOf = (campaignId: string): Map<number, Tally> => {
    const tallies = new Map<number, Tally>();
    for (const book of books?.values() ?? []) {
      const part = book.parts.get(campaignId);
      if (part) tallies.set(book.partition, part.tally);
    }
    return tallies;
  };

  /** 1: counts and offsets, in one transaction. 2: the group's offset. A crash between them skips by the saved offset. */
  async function save(mine: number, ofBooks: Map<number, PartitionBook>): Promise<void> {
    const moved = [...ofBooks.values()].filter((book) => book.next > book.saved);
    if (moved.length === 0) return;
    const partitions = moved.map((book) => ({
      partition: book.partition,
      from: book.saved,
      next: book.next,
      logEnd: book.logEnd,
      eventAtMs: book.eventAtMs,
      changed: changedParts(book),
    }));
    const result = await d.store.save({ topic: d.topic, cluster, partitions });
    d.metric.progressSaves?.inc({ outcome: result });
    if (epoch !== mine) return;
    if (result === 'fenced') {
      // Somebody else saved for one of these partitions: begin again from what is saved, with the records still in hand.
      d.log.warn('progress was saved by another process: reading it again');
      closeBooks();
      queue = [...unsaved, ...queue];
      unsaved = [];
      return;
    }
    for (const book of moved) markSaved(book);
    for (const tracked of unsaved) d.settle(tracked);
    unsaved = [];
    d.moved();
  }

  return {
    handler,
    stoppedPartitions: () => stopped.size,
    async round() {
      const mine = epoch;
      const now = d.clock.monotonicMs();
      if (mine >= 0 && !books) {
        await load(mine);
        if (epoch !== mine) return true;
      }
      let ended = false;
      if (books && queue.length > 0) {
        ended = await countQueued(mine, books);
        if (epoch !== mine || !books) return true;
        d.moved();
      }
      const due = now >= saveAtMs;
      if (books) {
        d.metric.progressLag?.set(
          [...books.values()].reduce((lag, book) => lag + Math.max(0, book.logEnd - book.saved), 0),
        );
      }
      if (books && (ended || due)) {
        await save(mine, books);
        saveAtMs = now + SAVE_EVERY_MS;
      }
      if (ended || now >= sweepAtMs) {
        sweepAtMs = now + SWEEP_EVERY_MS;
        const { done, surplus } = await d.store.complete();
        d.metric.progressSurplus?.set(surplus);
        if (surplus > surpluses) d.log.error({ campaigns: surplus }, 'more messages ended than their campaigns have');
        surpluses = surplus;
        for (const { campaignId, failures } of done) await d.complete(campaignId, failures);
      }
      if (books !== undefined && queue.length > heldBack) return true;
      return mine >= 0 && (books === undefined || heldBack > 0) ? 'waiting' : false;
    },
    live: {
      tallies: talliesOf,
      countedTo: () =>
        new Map([...(books?.values() ?? [])].map(({ partition, next, eventAtMs }) => [partition, { next, eventAtMs }])),
    },
  };
}
