import { isRehearsal, type Message, partitionsOf, rehearsedProvider, type Topics } from '@volley/contract';
import { findProvider, type Provider } from '@volley/contract/providers';
import type { Clock, Failpoints, Logger } from '@volley/runtime';
import type { StreamAdmin, StreamClient, StreamProducer } from '@volley/stream';
import { type FrozenRow, messageWriter, ordinalInLog } from './core/message.ts';
import { endedOf, newestSum } from './core/progress.ts';
import { inLaneByPartition, type Pace, paceAfter, standingOf, turnSize, windowOf } from './core/window.ts';
import type { Checkpoint, FanoutStore, Lease, LiveProgress, Metric, Round, UnderWay } from './ports.ts';

/** kafkajs groups the messages of a request in quadratic time: 2,000 cost four times what 1,000 do, and save one answer. */
const FANOUT_BATCH = 1_000;
const LOOK_EVERY_MS = 100;
const RENEW_EVERY_MS = 1_500;
/** A round of many campaigns ends early, so that a pause, a cancel or a new campaign is seen within half a second. */
const ROUND_MS = 400;

interface Job {
  lease: Lease;
  renewAtMs: number;
  checkpoint: Checkpoint;
  /** Ordinals above the checkpoint that an earlier owner has already written. */
  readonly inLog: ReadonlySet<number>;
  readonly write: ReturnType<typeof messageWriter>;
  /** Rows read ahead while the last batch was on its way. */
  rows: FrozenRow[];
  reading: Promise<FrozenRow[]> | undefined;
}

/** Frozen rows, by ordinal -> volley.messages.<lane>. Running campaigns take turns of one batch. */
export function createFanout(d: {
  store: FanoutStore;
  client: StreamClient;
  admin: StreamAdmin;
  producer: StreamProducer;
  providers: readonly Provider[];
  topics: Topics;
  encode: (message: Message) => Buffer;
  backlogMark: number;
  /** Most that a campaign without a rate may have outstanding. */
  unlimitedWindow?: number;
  clock: Clock;
  live: LiveProgress;
  failpoints: Failpoints;
  metric: Metric;
  log: Logger;
}): { round: Round; release(): Promise<void> } {
  const jobs = new Map<string, Job>();
  const paces = new Map<string, Pace>();
  let looked: UnderWay[] = [];
  let lookAtMs = 0;

  const writtenNow = (c: UnderWay) => Math.max(c.written, jobs.get(c.campaign.campaign_id)?.checkpoint.ordinal ?? 0);
  const partitionsFor = (c: UnderWay) => partitionsOf(c.campaign.campaign_id, c.campaign.spread, c.campaign.partitions);

  async function open({ campaign }: UnderWay): Promise<Job | undefined> {
    const id = campaign.campaign_id;
    const claimed = await d.store.claim(id);
    if (!claimed) return undefined;
    let { lease, checkpoint } = claimed;
    const topic = d.topics.messages[campaign.lane];
    const bounds = await d.admin.logBounds(topic);
    const inLog = new Set<number>();
    if (!checkpoint.logEnds) {
      // Where the log ends is written down before the next message: whoever takes over begins to look there.
      const partitions = partitionsOf(id, campaign.spread, campaign.partitions);
      const logEnds = Object.fromEntries(partitions.map((p) => [p, bounds[p]?.end ?? 0]));
      checkpoint = { ordinal: checkpoint.ordinal, logEnds };
      const renewed = await d.store.checkpoint(id, lease.fence, checkpoint);
      if (!renewed) return undefined;
      lease = renewed;
    } else {
      const ranges = Object.entries(checkpoint.logEnds).flatMap(([p, end]) => {
        const partition = Number(p);
        const from = Math.max(end, bounds[partition]?.start ?? 0);
        const to = bounds[partition]?.end ?? 0;
        return from < to ? [{ topic, partition, from, to }] : [];
      });
      const onRecord = (record: { headers: Readonly<Record<string, Buffer>> }) => {
        const ordinal = ordinalInLog(record.headers, id);
        if (ordinal > checkpoint.ordinal) inLog.add(ordinal);
      };
      if (ranges.length > 0) await d.client.readRanges({ ranges, onRecord });
      d.metric.fanoutSkipped?.inc({}, inLog.size);
    }
    const write = messageWriter(campaign, topic, d.encode);
    const renewAtMs = d.clock.monotonicMs() + RENEW_EVERY_MS;
    const job = { lease, renewAtMs, checkpoint, inLog, write, rows: [], reading: undefined };
    jobs.set(id, job);
    return job;
  }

  /** At least `n` rows if there are that many, and the next page on its way. */
  async function rowsFor(id: string, job: Job, n: number): Promise<FrozenRow[]> {
    const readOn = () => {
      const after = job.rows.at(-1)?.ordinal ?? job.checkpoint.ordinal;
      job.reading = d.store.page(id, after, FANOUT_BATCH);
      job.reading.catch(() => {});
    };
    if (job.rows.length < n) {
      if (!job.reading) readOn();
      job.rows = job.rows.concat((await job.reading) ?? []);
      job.reading = undefined;
    }
    const rows = job.rows.slice(0, n);
    if (job.rows.length <= FANOUT_BATCH && !job.reading) readOn();
    job.rows = job.rows.slice(n);
    return rows;
  }

  async function turn({ campaign }: UnderWay, job: Job, outstanding: number, backlog: number): Promise<boolean> {
    const id = campaign.campaign_id;
    const size = turnSize({
      status: campaign.status,
      expected: campaign.expected,
      written: job.checkpoint.ordinal,
      outstanding,
      window: windowOf(
        campaign.rate_per_second,
        findProvider(d.providers, campaign.channel, rehearsedProvider(campaign.provider) ?? campaign.provider)
          ?.rate_per_second,
        paces.get(id)?.perSecond ?? 0,
        d.unlimitedWindow,
      ),
      backlog,
      backlogMark: d.backlogMark,
      maxBatch: FANOUT_BATCH,
    });
    const rows = size > 0 ? await rowsFor(id, job, size) : [];
    const last = rows.at(-1);
    if (!last && d.clock.monotonicMs() < job.renewAtMs) return false;
    // 0: the lease is checked before every batch, so that a process that slept too long repeats at most one.
    if (!job.lease.valid()) return lost(id);
    const logEnds = { ...job.checkpoint.logEnds };
    if (last) {
      const now = d.clock.now();
      const fresh = job.inLog.size === 0 ? rows : rows.filter((row) => !job.inLog.has(row.ordinal));
      // 1: the log has the batch. A crash here loses nothing: the next owner finds it behind the checkpoint and skips it.
      const acks = await d.producer.send(fresh.map((row) => job.write(row, now)));
      await d.failpoints.hit('fanout.afterAck');
      for (const ack of acks) logEnds[ack.partition] = Math.max(logEnds[ack.partition] ?? 0, ack.offset + 1);
      if (!isRehearsal(campaign.tenant_id)) d.metric.fannedOut?.inc({ lane: campaign.lane }, fresh.length);
    }
    // 2: the place is saved, under the fence. A zombie changes nothing here and stops.
    const checkpoint = { ordinal: last?.ordinal ?? job.checkpoint.ordinal, logEnds };
    const finished = checkpoint.ordinal >= campaign.expected;
    const renewed = await d.store.checkpoint(id, job.lease.fence, checkpoint, finished ? 'finished' : undefined);
    if (!renewed) return lost(id);
    Object.assign(job, { lease: renewed, checkpoint, renewAtMs: d.clock.monotonicMs() + RENEW_EVERY_MS });
    if (finished) d.log.info({ campaign_id: id, messages: checkpoint.ordinal }, 'fan-out finished');
    return last !== undefined;
  }

  function lost(id: string): false {
    jobs.delete(id);
    d.metric.fanoutFenced?.inc();
    d.log.warn({ campaign_id: id }, 'fan-out of this campaign belongs to another process now');
    return false;
  }

  /**
   * Nothing is written while it is paused: whoever is there when it goes on may have it. Nothing of ours lies behind the
   * checkpoint, so there is nothing to be read back. From the old places on that would be all that others write while it is
   * paused: after a million records it held up everybody's fan-out for seconds, and what takes a minute never ended.
   */
  async function giveBack(id: string): Promise<void> {
    const job = jobs.get(id);
    if (!job) return;
    jobs.delete(id);
    const { ordinal, logEnds } = job.checkpoint;
    const isAllKnown = [...job.inLog].every((written) => written <= ordinal);
    await d.store.checkpoint(id, job.lease.fence, { ordinal, logEnds: isAllKnown ? undefined : logEnds }, 'release');
  }

  return {
    async round() {
      const began = d.clock.monotonicMs();
      if (began >= lookAtMs) {
        looked = await d.store.underWay();
        lookAtMs = d.clock.monotonicMs() + LOOK_EVERY_MS;
        const known = new Set(looked.map((c) => c.campaign.campaign_id));
        for (const id of [...jobs.keys(), ...paces.keys()])
          if (!known.has(id)) {
            jobs.delete(id);
            paces.delete(id);
          }
      }
      let wrote = false;
      let waiting = 0;
      let comes = false;
      const standings = looked.map((c) => {
        const id = c.campaign.campaign_id;
        const sum = newestSum(c.tallies, d.live.tallies(id));
        paces.set(id, paceAfter(paces.get(id), d.clock.monotonicMs(), endedOf(sum)));
        return { c, partitions: partitionsFor(c), ...standingOf(c.campaign, writtenNow(c), sum) };
      });
      // Added up once for all campaigns, and kept up to date by what each turn writes.
      const backlogs = inLaneByPartition(standings);
      // Who has least in the log goes first: where the mark leaves room for few, nobody is left out for ever.
      standings.sort((a, b) => a.outstanding - b.outstanding);
      for (const { c, partitions, outstanding } of standings) {
        const id = c.campaign.campaign_id;
        if (c.finished || writtenNow(c) >= c.campaign.expected) continue;
        // Published by another process, perhaps; and the lease of one that died ends by itself.
        comes ||= !c.published;
        if (!c.published) continue;
        if (c.campaign.status === 'paused') {
          await giveBack(id);
          continue;
        }
        const job = jobs.get(id) ?? (await open(c));
        comes ||= job === undefined;
        if (!job) continue;
        const backlog = Math.ceil(Math.max(...partitions.map((p) => backlogs.get(p) ?? 0)));
        const before = writtenNow(c);
        try {
          const went = await turn(c, job, outstanding, backlog);
          const more = Math.max(0, writtenNow(c) - before) / partitions.length;
          for (const p of partitions) backlogs.set(p, (backlogs.get(p) ?? 0) + more);
          wrote ||= went;
          waiting += went ? 0 : 1;
        } catch (error) {
          // What the log has of this batch is not known: the campaign is opened again, which reads it back.
          jobs.delete(id);
          throw error;
        }
        if (d.clock.monotonicMs() - began >= ROUND_MS) return true;
      }
      d.metric.fanoutWaiting?.set(waiting);
      return wrote || (waiting > 0 || comes ? 'waiting' : false);
    },
    async release() {
      for (const id of [...jobs.keys()]) await giveBack(id);
    },
  };
}
