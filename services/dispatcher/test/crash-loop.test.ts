import { type DeliveryEvent, isTerminal } from '@volley/contract';
import test from 'ava';
import { CRASHES } from '../src/core/trials.ts';
import type { OutgoingMessage } from '../src/ports.ts';
import { createTestSchemas } from './fixtures.ts';
import {
  campaignEvent,
  createWorld,
  messageOf,
  newCampaignId,
  recordingChannel,
  startDispatcher,
  until,
  type World,
} from './support.ts';

const EACH = 40;
/** Deaths until the guilty one is known: two until everybody is careful, then `CRASHES` of it alone. */
const DEATHS = 2 + CRASHES;

/** One dispatcher after the other until all is settled; each dies with the first call that `kills`. */
async function untilSettled(world: World, kills: (m: OutgoingMessage) => boolean, beforeEach: () => void = () => {}) {
  let deaths = 0;
  let current: Awaited<ReturnType<typeof startDispatcher>> | undefined;
  const channel = recordingChannel((m) => {
    if (!kills(m)) return { ok: true, detail: '' };
    deaths += 1;
    current?.crash();
    return new Promise(() => {});
  });
  const dead: NonNullable<typeof current>[] = [];
  for (let i = 0; i < 3 * DEATHS; i++) {
    const before = deaths;
    beforeEach();
    current = await startDispatcher(world, { clientId: `d${i}`, channel, slots: 16 });
    await until(async () => deaths > before || (await world.allSettled()));
    if (deaths === before) break;
    await current.noticed();
    dead.push(current);
  }
  await current?.stop();
  const ends = (await world.events()).map(({ event }) => event).filter((e) => isTerminal(e.kind));
  const letters = await world.deadLetters();
  // What a dead one had begun to write would be written now.
  for (const d of dead) await d.discard();
  return { deaths, ends, letters, sent: channel.sent };
}

test('F21: a record that everybody dies of is put aside after so many deaths of it alone, and nothing else is', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  await world.campaign(campaignEvent(id));
  for (const p of [0, 1, 2]) {
    await world.messages(
      p,
      Array.from({ length: EACH }, (_, i) => messageOf(id, p * EACH + i + 1)),
    );
  }
  const guilty = messageOf(id, EACH + 10);
  const { deaths, ends, letters, sent } = await untilSettled(world, (m) => m.messageId === guilty.message_id);

  t.true(deaths >= CRASHES && deaths <= DEATHS + 2, `${deaths} deaths`);
  const byId = Map.groupBy(ends, (e: DeliveryEvent) => e.message_id);
  t.is(byId.size, 3 * EACH);
  for (const [messageId, events] of byId) {
    t.is(events.length, 1);
    t.like(events[0], messageId === guilty.message_id ? { kind: 'dead', reason: 'crashed' } : { kind: 'sent' });
  }
  t.deepEqual(
    letters.map((l) => [l.partition, l.headers['volley-reason']?.toString()]),
    [[1, 'crashed']],
  );
  t.is(byId.get(guilty.message_id)?.[0]?.dlq_offset, letters[0]?.offset);
  const twice = Map.groupBy(sent, (s) => s.message.messageId);
  twice.delete(guilty.message_id);
  t.true([...twice.values()].every((calls) => calls.length <= 1 + deaths));
});

test('who waits for a schema is still being tried: nobody else takes the blame', async (t) => {
  const world = await createWorld();
  const ids = [0, 1, 2].map(() => newCampaignId());
  for (const id of ids) await world.campaign(campaignEvent(id));
  for (const [p, id] of ids.entries())
    await world.messages(
      p,
      Array.from({ length: EACH }, (_, i) => messageOf(id, i + 1)),
    );
  const guilty = messageOf(ids[0] as string, 10);
  const { deaths, ends } = await untilSettled(
    world,
    (m) => m.messageId === guilty.message_id,
    // A process that has just started knows no schema, and the registry takes its time.
    () => Object.assign(world, { schemas: slowly(createTestSchemas()) }),
  );
  t.true(deaths <= 2 * DEATHS, `${deaths} deaths`);
  t.is(ends.length, 3 * EACH);
  for (const e of ends) t.is(e.reason, e.message_id === guilty.message_id ? 'crashed' : '');
});

function slowly<T extends { readonly store: { load(id: number): Promise<unknown> } }>({ store, ...rest }: T) {
  const load = async (id: number) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return store.load(id);
  };
  return { ...rest, store: { ...store, load } };
}

test('two of them in different partitions: each is put aside, nobody beside them', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  await world.campaign(campaignEvent(id));
  const guilty = new Set([messageOf(id, 1).message_id, messageOf(id, EACH + 3).message_id]);
  for (const p of [0, 1]) {
    await world.messages(
      p,
      Array.from({ length: EACH }, (_, i) => messageOf(id, p * EACH + i + 1)),
    );
  }
  const { ends } = await untilSettled(world, (m) => guilty.has(m.messageId));
  t.is(ends.length, 2 * EACH);
  for (const e of ends) t.is(e.reason, guilty.has(e.message_id) ? 'crashed' : '');
});

test('processes that die of something else accuse nobody', async (t) => {
  const world = await createWorld();
  const id = newCampaignId();
  await world.campaign(campaignEvent(id));
  await world.messages(
    0,
    Array.from({ length: EACH }, (_, i) => messageOf(id, i + 1)),
  );
  // Whatever is called first: a process that dies of its surroundings.
  const seen: string[] = [];
  const { ends } = await untilSettled(world, (m) => {
    seen.push(m.messageId);
    return seen.length <= 2 * CRASHES && seen.filter((s) => s === m.messageId).length < CRASHES;
  });
  t.is(ends.length, EACH);
  t.true(ends.every((e) => e.kind === 'sent'));
});
