import type { Decoded, DeliveryEvent, Message, Topics } from '@volley/contract';
import { HEADERS, isEnded, messageIdOf, ordinalIn } from '@volley/contract';
import { findProvider, type Provider } from '@volley/contract/providers';
import type { Clock, Failpoints, Logger } from '@volley/runtime';
import { RecordRefused, type StreamProducer } from '@volley/stream';
import {
  campaignCause,
  isSkipped,
  type LeftCause,
  markOf,
  paceOf,
  pageSize,
  placeKey,
  planExpired,
  planLetter,
  redrivenEvent,
  refusedEvent,
  sliceSize,
} from './core/redrive.ts';
import { windowOf } from './core/window.ts';
import type {
  ClaimedRedrive,
  DeadLetterIndex,
  EndedMessage,
  LetterReader,
  Mark,
  RedriveStore,
} from './dead-letter-ports.ts';
import type { Campaign, FrozenRecipients, FrozenRow, Lease, Metric, Result, Round } from './ports.ts';

/** Marked at once. One question to the index takes as long for one as for thousands. */
const MAX_PAGE = 5_000;
/** Written at once: reading a thousand neighbours takes little longer than reading one letter. */
const SLICE = 1_000;
const LOOK_EVERY_MS = 200;
const RENEW_EVERY_MS = 1_500;

interface Page {
  readonly letters: readonly EndedMessage[];
  readonly size: number;
}

interface Job extends Omit<ClaimedRedrive, 'lease'> {
  lease: Lease;
  renewAtMs: number;
  cursor: ClaimedRedrive['cursor'];
  allSelected: boolean;
  selected: number;
  /** The page after the last one, asked for while that one is written: a large index takes seconds, or longer than a lease. */
  ahead: Promise<Page> | undefined;
  /** Nothing is written before, so that the rate is kept. */
  nextAtMs: number;
  /** Campaigns that were opened for this job -> the version that its messages carry. */
  readonly versions: Map<string, number>;
}

type WriteSlice = { readonly done: true; readonly written: number; readonly pace: number } | { readonly done: false };

/** Dead letters -> their lanes, under their own ids and the next run. Nobody is sent to twice, whoever dies when. */
export function createRedrive(d: {
  store: RedriveStore;
  index: DeadLetterIndex;
  read: LetterReader;
  frozen: Pick<FrozenRecipients, 'byOrdinals'>;
  producer: StreamProducer;
  /** Opens the campaign of messages that are about to be sent again. */
  reopen: (campaignId: string, redriveId: string) => Promise<Result<Campaign>>;
  decode: (bytes: Buffer | null) => Decoded<Message>;
  loadSchema: (id: number) => Promise<void>;
  encode: (message: Message) => Buffer;
  encodeEvent: (event: DeliveryEvent) => Buffer;
  providers: readonly Provider[];
  topics: Topics;
  clock: Clock;
  failpoints: Failpoints;
  metric: Metric;
  log: Logger;
}): { round: Round; release(): Promise<void> } {
  const jobs = new Map<string, Job>();
  let due: { redriveId: string; cancelRequested: boolean }[] = [];
  let lookAtMs = 0;

  async function claim(redriveId: string): Promise<Job | undefined> {
    const claimed = await d.store.claim(redriveId);
    if (!claimed) return undefined;
    const now = d.clock.monotonicMs();
    const job: Job = {
      ...claimed,
      selected: claimed.job.selected,
      ahead: undefined,
      renewAtMs: now + RENEW_EVERY_MS,
      nextAtMs: now,
      versions: new Map(),
    };
    jobs.set(redriveId, job);
    return job;
  }

  function lost(redriveId: string): false {
    jobs.delete(redriveId);
    d.log.warn({ redrive_id: redriveId }, 'this redrive belongs to another process now');
    return false;
  }

  function renewed(job: Job, lease: Lease): void {
    job.lease = lease;
    job.renewAtMs = d.clock.monotonicMs() + RENEW_EVERY_MS;
  }

  async function finish(job: Job, status: 'done' | 'cancelled'): Promise<void> {
    const id = job.job.redrive_id;
    jobs.delete(id);
    if (await d.store.finish(id, job.lease.fence, status))
      d.log.info({ redrive_id: id, action: job.job.action, status, selected: job.selected }, 'redrive has ended');
  }

  async function page(job: Job): Promise<Page> {
    const { filter, limit, rate_per_second, action, createdAtMs } = job.job;
    const size = pageSize(action === 'purge' ? null : rate_per_second, limit, job.selected, MAX_PAGE);
    const want = { beforeMs: createdAtMs, limit: size };
    const after = job.cursor === undefined ? {} : { after: job.cursor };
    const letters = await d.index.page({ filter, ...want, ...after });
    if (filter.expired !== true || filter.campaign_id === undefined) return { letters, size };
    const afterId = job.cursor === undefined ? {} : { after: job.cursor.message_id };
    const expired = await d.index.expired({ campaignId: filter.campaign_id, ...want, ...afterId });
    const both = [...letters, ...expired].sort((a, b) => (a.message_id < b.message_id ? -1 : 1));
    return { letters: both.slice(0, size), size };
  }

  function askAhead(job: Job): Promise<Page> {
    const asked = page(job);
    // Whoever takes the page hears of it.
    asked.catch(() => {});
    job.ahead = asked;
    return asked;
  }

  /** 1: the next page is marked as this job's. Whoever selects the same later, in whatever process, finds nothing. */
  async function select(job: Job): Promise<boolean> {
    const { redrive_id, limit, action } = job.job;
    // Not waited for: the lease must be renewed meanwhile, and other jobs have their turn. The next round looks again.
    const notYet = new Promise<undefined>((resolve) => setImmediate(resolve, undefined));
    const answer = await Promise.race([job.ahead ?? askAhead(job), notYet]);
    if (answer === undefined) return false;
    const { letters, size } = answer;
    job.ahead = undefined;
    if (!job.lease.valid()) return lost(redrive_id);
    const last = letters.length < size;
    const at = letters.at(-1);
    const cursor = at && { campaign_id: at.campaign_id, message_id: at.message_id };
    const done = await d.store.select(redrive_id, job.lease.fence, { marks: letters.map(markOf), cursor, last });
    if (!done) return lost(redrive_id);
    await d.failpoints.hit('redrive.afterSelect');
    renewed(job, done.lease);
    job.selected += done.selected;
    job.cursor = cursor ?? job.cursor;
    job.allSelected = last;
    if (!last && (limit === null || job.selected < limit)) void askAhead(job);
    d.metric.redriven?.inc({ outcome: action === 'purge' ? 'purged' : 'selected' }, done.selected);
    return true;
  }

  async function settle(job: Job, done: Parameters<RedriveStore['settle']>[2]): Promise<boolean> {
    const id = job.job.redrive_id;
    const lease = await d.store.settle(id, job.lease.fence, done);
    if (!lease) return lost(id);
    renewed(job, lease);
    d.metric.redriven?.inc({ outcome: 'redriven' }, done.redriven.length);
    for (const { cause } of done.left)
      d.metric.redriven?.inc({ outcome: isSkipped(cause) ? 'skipped' : 'unreadable' }, 1);
    return true;
  }

  /** Of those that expired, what was frozen of them. */
  async function expiredRows(campaignId: string, marks: readonly Mark[]): Promise<Map<string, FrozenRow>> {
    const ordinals = marks.flatMap(({ kind, message_id }) =>
      kind === 'expired' ? ordinalIn(message_id, campaignId) || [] : [],
    );
    const rows = ordinals.length === 0 ? [] : await d.frozen.byOrdinals(campaignId, ordinals);
    return new Map(rows.map((row) => [messageIdOf(campaignId, row.ordinal), row]));
  }

  const leave = (marks: readonly Mark[], cause: LeftCause) => marks.map((mark) => ({ mark, cause }));

  /** Marked messages of one campaign, by the order of effects. */
  async function write(job: Job, marks: readonly Mark[]): Promise<WriteSlice> {
    const redriveId = job.job.redrive_id;
    const campaignId = marks[0]?.campaign_id as string;
    const standing = await d.store.standing(campaignId);
    let cause = campaignCause(standing?.campaign, d.clock.now());
    // 2: the campaign runs again, and that is in the log. A crash here opens it once more.
    let version = job.versions.get(campaignId);
    if (cause === undefined && (version === undefined || isEnded(standing?.campaign.status ?? ''))) {
      const opened = await d.reopen(campaignId, redriveId);
      if (opened.ok) job.versions.set(campaignId, opened.value.version);
      else if (opened.failure.code === 'conflict') return { done: false };
      else cause = 'campaign_over';
      version = opened.ok ? opened.value.version : undefined;
    }
    if (cause !== undefined || version === undefined || standing === undefined) {
      await settle(job, { redriven: [], left: leave(marks, cause ?? 'campaign_over') });
      return { done: true, written: 0, pace: Number.POSITIVE_INFINITY };
    }
    const { campaign } = standing;
    if (standing.publishedVersion < version) return { done: false };
    const provider = findProvider(d.providers, campaign.channel, campaign.provider)?.rate_per_second;
    // The window of fan-out holds here too: a large redrive must not stand in front of everybody else's messages.
    const full = standing.outstanding >= windowOf(campaign.rate_per_second, provider, 0);
    if (full && campaign.status === 'running') return { done: false };

    const { found: letters, postponed } = await d.read(marks.flatMap((mark) => mark.place ?? []));
    for (const letter of letters.values()) {
      const decoded = d.decode(letter.value);
      if (!decoded.ok && decoded.reason === 'needs_schema') await d.loadSchema(decoded.schemaId);
    }
    const context = { redriveId, campaign, version, topics: d.topics, decode: d.decode, encode: d.encode };
    const nowMs = d.clock.now();
    const rows = await expiredRows(campaignId, marks);
    const plans = marks
      .filter((mark) => mark.place === undefined || !postponed.has(placeKey(mark.place)))
      .map((mark) =>
        mark.kind === 'expired'
          ? planExpired(mark, rows.get(mark.message_id), context, nowMs)
          : planLetter(mark, mark.place && letters.get(placeKey(mark.place)), context, nowMs),
      );
    const writes = plans.filter((plan) => plan.ok);
    const left: { mark: Mark; cause: LeftCause }[] = plans.filter((plan) => !plan.ok);
    // The lease is checked before every slice, so that a process that slept too long repeats at most one.
    if (!job.lease.valid()) {
      lost(redriveId);
      return { done: false };
    }
    // 3: the log says that they leave `failed` or `dead`. A crash here repeats the slice; the repeat rule leaves the
    // second event out.
    const eventOf = (event: DeliveryEvent, partition: number) => ({
      topic: d.topics.deliveries,
      partition,
      key: campaignId,
      value: d.encodeEvent(event),
      headers: { [HEADERS.redrive]: redriveId },
    });
    const events = writes.map(({ mark, message }) => redrivenEvent(message, mark, campaign));
    const acks = await d.producer.send(
      writes.map(({ record }, i) => eventOf(events[i] as DeliveryEvent, record.partition)),
    );
    await d.failpoints.hit('redrive.afterEvents');
    // 4: the log has the messages. A crash here writes them again, and the ledger of (message, run) recognises them.
    const redriven: Mark[] = [];
    try {
      await d.producer.send(writes.map(({ record }) => record));
      for (const { mark } of writes) redriven.push(mark);
    } catch (error) {
      if (!(error instanceof RecordRefused)) throw error;
      for (const [i, { mark, record }] of writes.entries()) {
        try {
          await d.producer.send([record]);
          redriven.push(mark);
        } catch (refusal) {
          if (!(refusal instanceof RecordRefused)) throw refusal;
          // The lane takes less than it should: said so, and the message stands where it stood, one run later.
          d.log.error({ message_id: mark.message_id, err: refusal }, 'the log refused a message that was redriven');
          acks.push(
            ...(await d.producer.send([
              eventOf(refusedEvent(events[i] as DeliveryEvent, mark, 'the log refused it'), record.partition),
            ])),
          );
          left.push({ mark, cause: 'too_large' });
        }
      }
    }
    await d.failpoints.hit('redrive.afterMessages');
    // 5: what was done is saved, under the fence. Until then the campaign cannot come to its end, and after that not
    // before progress has counted the events of 3.
    const eventEnds: Record<number, number> = {};
    for (const { partition, offset } of acks) eventEnds[partition] = Math.max(eventEnds[partition] ?? 0, offset + 1);
    await settle(job, { redriven, left, campaignId, eventEnds });
    const pace = paceOf(job.job.rate_per_second, campaign.rate_per_second, provider);
    return { done: true, written: redriven.length, pace };
  }

  /** True: there is more to do at once. */
  async function step(job: Job, cancelRequested: boolean): Promise<boolean> {
    const { redrive_id, limit, rate_per_second } = job.job;
    const now = d.clock.monotonicMs();
    const marks = now < job.nextAtMs ? [] : await d.store.pending(redrive_id, sliceSize(rate_per_second, SLICE));
    if (marks.length > 0) {
      const slice = await write(
        job,
        marks.filter((mark) => mark.campaign_id === marks[0]?.campaign_id),
      );
      if (slice.done) {
        job.nextAtMs = Math.max(now, job.nextAtMs) + (slice.written / slice.pace) * 1_000;
        return jobs.has(redrive_id);
      }
    } else if (now >= job.nextAtMs) {
      if (cancelRequested) await finish(job, 'cancelled');
      else if (job.allSelected || (limit !== null && job.selected >= limit)) await finish(job, 'done');
      else if (await select(job)) return true;
      if (!jobs.has(redrive_id)) return false;
    }
    if (jobs.has(redrive_id) && now >= job.renewAtMs) await settle(job, { redriven: [], left: [] });
    return false;
  }

  return {
    async round() {
      if (d.clock.monotonicMs() >= lookAtMs) {
        due = await d.store.due();
        lookAtMs = d.clock.monotonicMs() + LOOK_EVERY_MS;
        const known = new Set(due.map((each) => each.redriveId));
        for (const id of jobs.keys()) if (!known.has(id)) jobs.delete(id);
      }
      d.metric.redrivesUnderWay?.set(due.length);
      let more = false;
      for (const { redriveId, cancelRequested } of due) {
        const job = jobs.get(redriveId) ?? (await claim(redriveId));
        if (!job) continue;
        try {
          more = (await step(job, cancelRequested)) || more;
        } catch (error) {
          // What the log has of this slice is not known: it is pending, and is written again.
          jobs.delete(redriveId);
          throw error;
        }
      }
      return more || (due.length > 0 ? 'waiting' : false);
    },
    async release() {
      for (const [id, job] of jobs) await d.store.release(id, job.lease.fence);
      jobs.clear();
    },
  };
}
