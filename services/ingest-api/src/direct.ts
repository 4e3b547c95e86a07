import { directMessageIdFrom, type Lane, type Message, partitionsOf, type Topics } from '@volley/contract';
import type { Clock, Failpoints, Logger } from '@volley/runtime';
import type { StreamProducer } from '@volley/stream';
import { LRUCache } from 'lru-cache';
import { type AllCommands, TENANT } from './commands.ts';
import { recipientProblem } from './core/address.ts';
import { type Campaign, takesNone } from './core/campaign.ts';
import type { LineError } from './core/contact.ts';
import {
  type DirectLine,
  directId,
  directLineOf,
  directRecord,
  outgoing,
  testMessage,
  unpackRecords,
} from './core/direct.ts';
import { type Failure, fail, ok, type Result } from './core/result.ts';
import { directSpread } from './core/window.ts';
import type { DirectMessages, DirectStore, Known, LaneLog } from './direct-ports.ts';
import { createPump, createWritten, isOutage, type Pump, type Waiting } from './direct-pump.ts';
import type { CampaignStore, ContactStore, ImportLine, Metric, Round } from './ports.ts';

/** Messages that came alone and wait together; more are told to come back. */
const MAX_ALONE = 20_000;
/** A request hears 503 after this; what it brought may be in the log, and is written again if it is not. */
export const DIRECT_DEADLINE_MS = 15_000;
const MAX_UPLOADS = 32;
const MAX_ERRORS = 1_000;
/** A reader that finds a full partition in the middle of a body waits this long before it gives up. */
const ROOM_WAIT_MS = 10_000;
const ROOM_LOOK_MS = 250;
/** What never changes of a campaign that was opened; whether it still takes messages the store decides. */
const KNOWN_CAMPAIGNS = 1_000;

export interface DirectDeps {
  readonly store: DirectStore;
  readonly campaigns: Pick<CampaignStore, 'find'>;
  readonly contacts: Pick<ContactStore, 'byAddress'>;
  readonly commands: Pick<AllCommands, 'open'>;
  readonly producer: Pick<StreamProducer, 'send'>;
  readonly encode: (message: Message) => Buffer;
  readonly lanes: LaneLog;
  readonly backlogMark: number;
  readonly topics: Topics;
  readonly partitions: number;
  readonly clock: Clock;
  random(bytes: number): Uint8Array;
  readonly failpoints: Failpoints;
  readonly metric: Metric;
  readonly log: Logger;
  /** Default 10,000 ms. */
  readonly roomWaitMs?: number;
}

interface Alone extends Waiting {
  readonly answer: (result: Result<{ message_id: string; duplicate: boolean }>) => void;
}
interface Line extends Waiting {
  readonly line: number;
}

const busy: Failure = {
  code: 'busy',
  detail: 'more messages wait for the dispatchers than the mark allows: try again later',
};
const unavailable: Failure = {
  code: 'unavailable',
  detail: 'the log or the control store does not answer: repeat what was not answered, under the same ids',
};
const notFound: Failure = { code: 'not_found', detail: 'there is no such campaign' };
const laneOf = (campaign: Campaign, otherwise: Lane): Lane => (campaign.lane_given ? campaign.lane : otherwise);

/** Chance is asked for by the kilobyte: 8 bytes at a time cost a fifth of what a line without an id costs in all. */
function inChunks(random: (bytes: number) => Uint8Array): (bytes: number) => Uint8Array {
  let chunk: Uint8Array = new Uint8Array(0);
  let at = 0;
  return (bytes) => {
    if (at + bytes > chunk.length) {
      chunk = random(8_192);
      at = 0;
    }
    at += bytes;
    return chunk.subarray(at - bytes, at);
  };
}

/** Messages without an audience: from a request to the log, the first one opens its campaign. Order of effects: direct-pump.ts. */
export function createDirect(d: DirectDeps): DirectMessages {
  const opened = new LRUCache<string, Campaign>({ max: KNOWN_CAMPAIGNS });
  const written = createWritten(d.store);
  const pumps = new Map<string, Pump<Alone>>();
  const random = inChunks(d.random);
  const opening = new Map<string, Promise<Result<Campaign>>>();
  let uploads = 0;
  const counted = (outcome: 'accepted' | 'duplicate' | 'rejected', n: number) =>
    n > 0 && d.metric.directMessages?.inc({ outcome }, n);

  /** Whether it takes messages, as far as can be said without touching it. */
  async function taker(campaignId: string): Promise<Result<Campaign>> {
    const known = opened.get(campaignId);
    if (known) return ok(known);
    const campaign = await d.campaigns.find(TENANT, campaignId);
    if (!campaign) return fail(notFound);
    if (campaign.status === 'draft' || (campaign.status === 'running' && campaign.open)) return ok(campaign);
    if (campaign.status === 'running') return fail(takesNone(campaign, 'no message was taken'));
    return fail({
      code: 'illegal_transition',
      detail: `no message was taken: the campaign is ${campaign.status}`,
      extra: { current_status: campaign.status },
    });
  }

  /** The first message makes it running: its event is on its way to the dispatchers before the message is. */
  async function openNow(campaign: Campaign): Promise<Result<Campaign>> {
    let result: Result<Campaign> = ok(campaign);
    if (campaign.status === 'draft') {
      result = await d.commands.open(campaign.campaign_id);
      // Another process may have opened it meanwhile.
      if (!result.ok) result = await taker(campaign.campaign_id);
      if (result.ok && result.value.status === 'draft')
        return fail({ code: 'conflict', detail: 'it is being changed' });
    }
    if (result.ok) opened.set(campaign.campaign_id, result.value);
    return result;
  }

  /** However many come first: one command. */
  function open(campaign: Campaign): Promise<Result<Campaign>> {
    const id = campaign.campaign_id;
    const known = opening.get(id) ?? openNow(campaign).finally(() => opening.delete(id));
    opening.set(id, known);
    return known;
  }

  async function hasRoom(campaign: Campaign, lane: Lane): Promise<boolean> {
    const { campaign_id, status } = campaign;
    const [spread, all] =
      status === 'draft' ? [directSpread(d.partitions), d.partitions] : [campaign.spread, campaign.partitions];
    const backlog = await d.lanes.backlog(lane, partitionsOf(campaign_id, spread, all));
    return backlog === undefined || backlog < d.backlogMark;
  }

  async function roomInTime(campaign: Campaign, lane: Lane): Promise<boolean> {
    const untilMs = d.clock.monotonicMs() + (d.roomWaitMs ?? ROOM_WAIT_MS);
    while (!(await hasRoom(campaign, lane))) {
      if (d.clock.monotonicMs() >= untilMs) return false;
      await new Promise((resolve) => setTimeout(resolve, ROOM_LOOK_MS));
    }
    return true;
  }

  async function failureOf(campaignId: string, why: 'busy' | 'refused' | Error): Promise<Failure> {
    if (why === 'busy') return busy;
    if (why !== 'refused') {
      if (!isOutage(why)) throw why;
      d.log.warn({ campaign_id: campaignId, err: why.message }, 'direct messages were not taken');
      return unavailable;
    }
    opened.delete(campaignId);
    const now = await taker(campaignId);
    return now.ok ? { code: 'conflict', detail: 'the campaign was being changed: try again' } : now.failure;
  }

  const recordOf = (campaign: Campaign, lane: Lane, message: DirectLine, line: number, key: string | undefined) => {
    const id = directId(campaign.campaign_id, message, line, { key, random });
    return directRecord(campaign, lane, id, message, d.clock.now(), d.encode);
  };

  const of = (campaign: Campaign, lane: Lane) => ({
    campaignId: campaign.campaign_id,
    tenantId: campaign.tenant_id,
    lane,
  });
  const idle = () => void written.flush();

  /** Messages that come alone at the same time go to store and log together. */
  function together(campaign: Campaign, lane: Lane): Pump<Alone> {
    const name = `${campaign.campaign_id} ${lane}`;
    const known = pumps.get(name);
    if (known) return known;
    const pump = createPump<Alone>(
      { ...d, written },
      {
        ...of(campaign, lane),
        oneRequest: false,
        room: async () => true,
        settled(items, known) {
          const duplicates = known.filter((each) => each !== 'new').length;
          counted('duplicate', duplicates);
          counted('accepted', items.length - duplicates);
          for (const [i, { record, answer }] of items.entries())
            answer(ok({ message_id: record.messageId, duplicate: known[i] !== 'new' }));
        },
        failed(items, why) {
          void failureOf(campaign.campaign_id, why).then(
            (failure) => {
              for (const { answer } of items) answer(fail(failure));
            },
            (error) => {
              d.log.error({ err: error }, 'direct messages failed');
              for (const { answer } of items) answer(fail(unavailable));
            },
          );
        },
        idle() {
          pumps.delete(name);
          idle();
        },
      },
    );
    pumps.set(name, pump);
    return pump;
  }

  async function read(campaign: Campaign, lines: AsyncIterable<readonly ImportLine[]>, key: string | undefined) {
    const lane = laneOf(campaign, 'bulk');
    const errors: LineError[] = [];
    const counts = { accepted: 0, duplicate: 0, rejected: 0 };
    let acknowledged = 0;
    let failed: 'busy' | 'refused' | Error | undefined;
    let giveUp = () => {};
    const pump = createPump<Line>(
      { ...d, written },
      {
        ...of(campaign, lane),
        oneRequest: true,
        room: () => roomInTime(campaign, lane),
        settled(items, known: readonly Known[]) {
          const repeats = known.filter((each) => each === 'own').length;
          counts.duplicate += repeats;
          counts.accepted += items.length - repeats;
          acknowledged = items.at(-1)?.line ?? acknowledged;
        },
        failed(_, why) {
          failed ??= why;
          giveUp();
        },
        idle,
      },
    );
    let taking: Campaign | undefined;
    const iterator = lines[Symbol.asyncIterator]();
    const finished = async (why?: Failure) => {
      await pump.drained();
      for (const outcome of ['accepted', 'duplicate', 'rejected'] as const) counted(outcome, counts[outcome]);
      const failure = why ?? (failed && (await failureOf(campaign.campaign_id, failed)));
      if (failure === undefined) return ok({ ...counts, errors });
      return fail({ ...failure, extra: { ...failure.extra, ...counts, acknowledged_lines: acknowledged } });
    };
    try {
      for (;;) {
        // What fails is told at once, not when the client sends its next line.
        const next = await new Promise<IteratorResult<readonly ImportLine[]> | undefined>((resolve, reject) => {
          giveUp = () => resolve(undefined);
          if (failed) resolve(undefined);
          else iterator.next().then(resolve, reject);
        });
        if (!next || next.done) return await finished();
        const items: Line[] = [];
        for (const entry of next.value) {
          const checked = entry.fields ? directLineOf(entry.fields) : { ok: false as const, ...entry };
          if (!checked.ok) {
            counts.rejected += 1;
            if (errors.length < MAX_ERRORS)
              errors.push({ line: entry.line, code: checked.code, detail: checked.detail });
            continue;
          }
          if (!taking) {
            const result = await open(campaign);
            if (!result.ok) return await finished(result.failure);
            taking = result.value;
          }
          items.push({ line: entry.line, record: recordOf(taking, lane, checked.message, entry.line, key) });
        }
        pump.push(items);
        await pump.roomy();
      }
    } finally {
      // An upload that is being waited for ends by itself.
      void iterator.return?.();
    }
  }

  return {
    async one(campaignId, fields, key) {
      const checked = directLineOf(fields);
      if (!checked.ok) {
        counted('rejected', 1);
        const errors = [{ pointer: `/${checked.field}`, detail: checked.detail }];
        return fail({ code: 'validation_failed', detail: 'the message is not valid', errors });
      }
      const found = await taker(campaignId);
      if (!found.ok) return found;
      const lane = laneOf(found.value, 'transactional');
      if (!(await hasRoom(found.value, lane))) return fail(busy);
      const result = await open(found.value);
      if (!result.ok) return result;
      const campaign = result.value;
      const pump = together(campaign, lane);
      if (pump.waiting() >= MAX_ALONE) return fail(busy);
      const record = recordOf(campaign, lane, checked.message, 1, key);
      return new Promise((answer) => pump.push([{ record, answer }]));
    },

    async many(campaignId, lines, key) {
      if (uploads >= MAX_UPLOADS) return fail({ code: 'busy', detail: `${MAX_UPLOADS} uploads are under way` });
      uploads += 1;
      try {
        const found = await taker(campaignId);
        if (!found.ok) return found;
        if (!(await hasRoom(found.value, laneOf(found.value, 'bulk')))) return fail(busy);
        return await read(found.value, lines, key);
      } finally {
        uploads -= 1;
      }
    },

    async test(campaignId, to) {
      const recipient = to.trim();
      const problem = recipientProblem(recipient);
      if (problem) {
        const errors = [{ pointer: '/to', detail: problem }];
        return fail({ code: 'validation_failed', detail: 'the recipient is not valid', errors });
      }
      const campaign = await d.campaigns.find(TENANT, campaignId);
      if (!campaign) return fail(notFound);
      if (!['draft', 'running', 'paused'].includes(campaign.status)) {
        return fail({
          code: 'illegal_transition',
          detail: `a test is not possible: the campaign is ${campaign.status}`,
          extra: { current_status: campaign.status },
        });
      }
      const contact = await d.contacts.byAddress(TENANT, recipient);
      const message_id = directMessageIdFrom(campaignId, random(8));
      const topic = d.topics.messages.transactional;
      const partitions = campaign.partitions || d.partitions;
      const known = contact && { ...contact, attributes: JSON.stringify(contact.attributes) };
      const now = d.clock.now();
      try {
        await d.producer.send([testMessage(topic, campaign, partitions, recipient, known, message_id, now, d.encode)]);
      } catch (error) {
        if (!isOutage(error)) throw error;
        return fail(unavailable);
      }
      return ok({ message_id });
    },
  };
}

/** Requests are answered before the log is there: these with 503. */
export function directLater(): { readonly direct: DirectMessages; ready(direct: DirectMessages): void } {
  let now: DirectMessages | undefined;
  return {
    direct: {
      one: async (...message) => now?.one(...message) ?? fail(unavailable),
      many: async (...lines) => now?.many(...lines) ?? fail(unavailable),
      test: async (...to) => now?.test(...to) ?? fail(unavailable),
    },
    ready(direct) {
      now = direct;
    },
  };
}

/**
 * Batches that a crash or an outage left behind, one a round: they are counted, so the log must have them. What it has is
 * not written again: dispatchers recognise a repeat only as long as they remember it.
 */
export function createRedo(d: Pick<DirectDeps, 'store' | 'producer' | 'lanes' | 'topics' | 'metric' | 'log'>): Round {
  return async () => {
    const due = await d.store.due();
    if (!due) return false;
    const kept = unpackRecords(due.records);
    const there = await d.lanes.whichOf(new Set(kept.map(({ messageId }) => messageId)), due.lane, due.logFrom);
    const records = kept.filter(({ messageId }) => !there.has(messageId));
    if (records.length > 0) await d.producer.send(outgoing(d.topics.messages[due.lane], due, records));
    await d.store.written([due.batch]);
    d.metric.directRewritten?.inc({}, records.length);
    d.log.warn({ campaign_id: due.campaignId, messages: records.length }, 'direct messages were left behind: written');
    return true;
  };
}
