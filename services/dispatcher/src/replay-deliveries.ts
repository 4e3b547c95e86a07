import type { ReplayRange } from '@volley/contract/replays';
import type { CampaignState } from './core/campaign-book.ts';
import { createCampaignTexts } from './core/replay/campaign-texts.ts';
import { createMessageTable, halves, type MessageTable, type Share, WHOLE } from './core/replay/message-table.ts';
import { createRecordedEnds } from './core/replay/recorded.ts';
import { createRereader, type Reread } from './core/replay/reread.ts';
import { newTally, type Tally } from './core/replay/tally.ts';
import { createComparison } from './replay-comparison.ts';
import { type ReplayDeps, ReplayRefused, type Runner } from './replay-ports.ts';
import { createPace, eventsFrom, logBounds, readCampaign, readRange, type Taken } from './replay-reading.ts';
import { refuseToSend, sendAgain } from './replay-send.ts';

/** Records of a lane that are in memory at once. */
const CHUNK_BYTES = 4 * 1024 * 1024;
/** A render may take 150 ms: the lease must be renewed between them. */
const SLICE_MS = 30;

/** JSON: what a replay goes on from. */
export interface DeliveriesProgress {
  /** The deliveries are read up to here, by partition: as the log was when the replay began. */
  readonly ends: readonly number[];
  /** The partition that is worked on, by its place in the list of those that the ranges have. */
  partition: number;
  /** What is still to do of it, the first now. */
  shares: Share[];
  /** Where its comparison is: range and offset. */
  range: number;
  offset: number;
  /** Records of the ranges that are done with; parts of one, where a partition is read in shares. */
  done: number;
  tally: Tally;
}

/** For tests: how many messages of a partition are known at once, a power of two, and how long nobody else has a turn. */
export interface Bounds {
  readonly maxPlaces?: number;
  readonly sliceMs?: number;
}

/**
 * The messages of a campaign once more through reading, rendering and decision, a recorder in place of the provider, and
 * what would become of each compared with what became of it. Partition by partition, in bounded memory:
 *
 *   place    lanes      -> which record of each message counts: the first of its last run      bytes a message: ~60
 *   record   deliveries -> how each ended: the first end of its latest run, by the repeat rule
 *   compare  lanes      -> what would become of it; the same, or a difference
 *
 * All three are functions of frozen ranges, so a replay that is killed reads the first two again and goes on in the third
 * where it was: nothing is counted twice, nothing left out. A partition with more messages than fit is read in shares.
 */
export function createDeliveriesReplay(d: ReplayDeps, { maxPlaces, sliceMs = SLICE_MS }: Bounds = {}): Runner {
  return async (work, held) => {
    const { job, signal } = work;
    const campaignId = job.campaign_id;
    if (campaignId === undefined) throw new ReplayRefused('a replay of deliveries is of one campaign');
    const refusal = job.options.send ? refuseToSend(job) : undefined;
    if (refusal !== undefined) throw new ReplayRefused(refusal);
    const ranges = job.ranges.filter(({ from, to }) => from < to);
    const partitions = [...Map.groupBy(ranges, (range) => range.partition)].sort(([a], [b]) => a - b);
    let phase = 'reading';
    const at = (job.progress as DeliveriesProgress | null) ?? (await begin(partitions.length > 0));
    work.saves(() => ({ phase, done: Math.min(job.total, Math.floor(at.done)), progress: at }));

    async function begin(any: boolean): Promise<DeliveriesProgress> {
      const ends = any ? (await logBounds(d, d.topics.deliveries, signal)).map(({ end }) => end) : [];
      return { ends, partition: 0, shares: [WHOLE], range: 0, offset: -1, done: 0, tally: newTally() };
    }

    const texts = createCampaignTexts();
    await readCampaign(d, campaignId, texts.add, signal);
    const newest = texts.newest();
    if (newest === undefined) throw new ReplayRefused('the log knows nothing of this campaign any more');
    const { template = newest.template, subject = newest.subject } = job.options;
    const now: CampaignState = { ...newest, template, subject };
    const reread = createRereader({ campaign: newest, source: d.source, decode: d.decodeMessage });
    const compare = createComparison(d, { now, since: texts.since });
    const pace = createPace(job.rate_per_second, d.clock, signal);

    for (; at.partition < partitions.length; next()) {
      const [partition, ranges] = partitions[at.partition] as [number, ReplayRange[]];
      for (let share = at.shares[0]; share !== undefined; share = at.shares[0]) {
        phase = `reading partition ${partition}, ${at.partition + 1} of ${partitions.length}`;
        const table = createMessageTable(share, maxPlaces);
        const placed = await place(ranges, table);
        if (placed === 'full') {
          at.shares.splice(0, 1, ...halves(share));
          continue;
        }
        if (table.size() > 0) await record(partition, table);
        phase = `comparing partition ${partition}, ${at.partition + 1} of ${partitions.length}`;
        await compareRanges(ranges, share, placed === 'some' ? table : undefined);
        at.shares.shift();
        at.range = 0;
        at.offset = -1;
      }
    }
    const isProviderMissing = d.provider(now.channel, now.provider) === undefined;
    const result = { ...at.tally, ...(isProviderMissing ? { provider_missing: true } : {}) };
    if (!job.options.send) return result;
    phase = 'sending';
    return { ...result, sent: await sendAgain(d, work, held, at.tally) };

    function next(): void {
      at.partition += 1;
      at.shares = [WHOLE];
    }

    /** 1: 'none' where nothing of the campaign lies in these ranges. */
    async function place(ranges: readonly ReplayRange[], table: MessageTable) {
      let isThere = false;
      let isFull = false;
      for (const [log, range] of ranges.entries()) {
        await readRange(d, range, signal, (record): Taken => {
          const read = reread(record);
          if (read.is === 'other') return undefined;
          if (read.is === 'needs_schema') return read.schemaId;
          isThere = true;
          if (read.is === 'nobodys' || !table.isIn(read.messageId)) return undefined;
          if (table.place(read.messageId, read.run, log, record.offset)) return undefined;
          isFull = true;
          return 'stop';
        });
        if (isFull) return 'full';
      }
      return isThere ? 'some' : 'none';
    }

    /** 2 */
    async function record(partition: number, table: MessageTable): Promise<void> {
      const topic = d.topics.deliveries;
      const note = createRecordedEnds(campaignId as string, table);
      const key = Buffer.from(campaignId as string);
      const from = (await eventsFrom(d, campaignId as string, signal))[partition] ?? 0;
      const to = at.ends[partition] ?? 0;
      await readRange(d, { topic, partition, from, to }, signal, (each): Taken => {
        if (each.key !== null && !each.key.equals(key)) return undefined;
        const decoded = d.decodeEvent(each.value);
        if (decoded.ok) note(each.offset, decoded.value);
        // What cannot be read is no event to anybody: the sink sets it aside, progress passes it over.
        else if (decoded.reason === 'needs_schema') return decoded.schemaId;
        return undefined;
      });
    }

    /** 3 */
    async function compareRanges(ranges: readonly ReplayRange[], share: Share, table: MessageTable | undefined) {
      for (; at.range < ranges.length; at.range += 1, at.offset = -1) {
        const range = ranges[at.range] as ReplayRange;
        if (at.offset < range.from) at.offset = range.from;
        const moveTo = (offset: number) => {
          at.done += (offset - at.offset) / share.of;
          at.offset = offset;
        };
        while (at.offset < range.to) {
          if (table === undefined) {
            moveTo(range.to);
            break;
          }
          const chunk: Found[] = [];
          let bytes = 0;
          const end = await readRange(
            d,
            { ...range, from: at.offset },
            signal,
            ({ offset, value, ...record }): Taken => {
              const read = reread({ offset, value, ...record });
              if (read.is === 'needs_schema') return read.schemaId;
              if (read.is === 'other' || !isMine(read, share, table, at.range, offset)) return undefined;
              chunk.push({ offset, read });
              bytes += value?.length ?? 0;
              return bytes >= CHUNK_BYTES ? 'stop' : undefined;
            },
          );
          await compareAll(chunk, table, moveTo);
          moveTo(end);
        }
      }
    }

    async function compareAll(chunk: readonly Found[], table: MessageTable, moveTo: (offset: number) => void) {
      let sliceEndsMs = d.clock.monotonicMs() + sliceMs;
      for (const { offset, read } of chunk) {
        const wait = pace();
        if (wait !== undefined) await wait;
        if (d.clock.monotonicMs() >= sliceEndsMs) {
          await new Promise((resolve) => setImmediate(resolve));
          sliceEndsMs = d.clock.monotonicMs() + sliceMs;
        }
        signal.throwIfAborted();
        if (read.is === 'nobodys') at.tally.unattributed += 1;
        else compare(at.tally, read, table.endOf(read.messageId));
        moveTo(offset + 1);
      }
    }
  };
}

type OfCampaign = Extract<Reread, { is: 'message' | 'unreadable' | 'nobodys' }>;
interface Found {
  readonly offset: number;
  readonly read: OfCampaign;
}

/** Whether this record is looked at in this share: the one of its message that counts, or one that names nobody. */
function isMine(read: OfCampaign, share: Share, table: MessageTable, log: number, offset: number): boolean {
  if (read.is === 'nobodys') return share.is === 0;
  return table.isIn(read.messageId) && table.counts(read.messageId, log, offset);
}
