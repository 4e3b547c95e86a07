import { type DeliveryEvent, HEADERS, messageIdOf, ordinalOfMessage, partitionOf } from '@volley/contract';
import type { OutgoingRecord } from '@volley/stream';
import type { ExecutionContext } from 'ava';
import { v7 } from 'uuid';
import { createMemoryStore } from '../../src/adapters/memory/store.ts';
import type { CampaignContent } from '../../src/core/campaign.ts';
import { createTestLog, decodeAll, encoderOf, PARTITIONS, readAll, topics, until } from './log.ts';
import { content, createTestService, testClock } from './service.ts';

/** Roles of one or more processes on one memory store and one memory log, round by round. */
export async function world() {
  const log = await createTestLog();
  const clock = testClock();
  const store = createMemoryStore({ now: clock.now, monotonicMs: clock.monotonicMs, newContactId: () => v7() });
  const producer = await log.client.producer({ clientId: 'test' });
  const start = (owner: string, more: Partial<Parameters<typeof createTestService>[0]> = {}) =>
    createTestService({ store, client: log.broker.client(), owner, clock, ...more });
  return { ...log, clock, store, producer, start };
}
export type World = Awaited<ReturnType<typeof world>>;
export type Service = Awaited<ReturnType<World['start']>>;

/** A draft, and the people that it will go to. */
export async function drafted(
  service: Service,
  people: number,
  change: Partial<CampaignContent> = {},
): Promise<string> {
  const tag = change.segment_rule ?? 'all';
  async function* lines() {
    yield Array.from({ length: people }, (_, i) => ({
      line: i + 1,
      fields: { email: `p${i}.${tag}@b.example`, name: `P ${i}`, tags: [tag] },
    }));
  }
  await service.imports.run(lines());
  const created = await service.commands.create({ ...content, ...change, segment_rule: tag });
  if (!created.ok) throw new Error(created.failure.detail);
  return (created.value.body as { campaign_id: string }).campaign_id;
}

export async function sent(service: Service, people: number, change: Partial<CampaignContent> = {}): Promise<string> {
  const id = await drafted(service, people, change);
  const result = await service.commands.command(id, 'send');
  if (!result.ok) throw new Error(result.failure.detail);
  return id;
}

export async function all(round: () => Promise<unknown>): Promise<void> {
  while ((await round()) === true);
}

export const ordinalsIn = async (w: World, topic: string = topics.messages.bulk) =>
  (await readAll(w.client, topic)).map((r) => ordinalOfMessage(String(r.headers[HEADERS.messageId])));
export const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

export const eventsOf = async (w: World) =>
  decodeAll('CampaignEvent', await readAll(w.client, topics.campaigns)).map((e) => [e.version, e.type, e.status]);

export const encodeDelivery = encoderOf('DeliveryEvent');
export function delivery(
  id: string,
  ordinal: number,
  kind: DeliveryEvent['kind'],
  change: Partial<DeliveryEvent> = {},
): OutgoingRecord {
  const event = {
    message_id: messageIdOf(id, ordinal),
    run: 0,
    tenant_id: 'default',
    campaign_id: id,
    ordinal,
    recipient: 'x',
    kind,
    previous_kind: null,
    attempt: 1,
    deferrals: 0,
    tier: '',
    lane: 'bulk',
    channel: 'simulated',
    provider: 'simulated',
    reason: '',
    detail: '',
    queued_at: 0,
    occurred_at: 1_000,
    provider_ms: 1,
    e2e_ms: 1,
    dlq_partition: null,
    dlq_offset: null,
    ...change,
  };
  return {
    topic: topics.deliveries,
    partition: partitionOf(id, '', 1, PARTITIONS),
    key: id,
    value: encodeDelivery(event),
  };
}

export const statsOf = async (t: ExecutionContext, service: Service, id: string) => {
  const stats = await service.reads.stats(id);
  t.true(stats.ok);
  if (!stats.ok) throw new Error('no stats');
  return stats.value;
};

/** Rounds of progress until something is true. */
export const progressUntil = (service: Service, clock: World['clock'], ask: () => boolean | Promise<boolean>) =>
  until('progress gets there', async () => {
    clock.advance(1_000);
    await service.progress();
    return ask();
  });

export async function running(n: number) {
  const w = await world();
  const s = await w.start('a');
  const id = await sent(s, n);
  await all(s.relay);
  await s.loop.start();
  return { w, s, id };
}
/** The session of the one before must run out first. */
export async function joined(service: Service): Promise<void> {
  let there = false;
  void service.loop.start().then(() => {
    there = true;
  });
  await until('the group is joined', () => there && service.loop.currentEpoch() >= 0);
}
export const statusOf = async (w: World, id: string) => (await w.store.campaigns.find('default', id))?.status;
