import test from 'ava';
import { campaignEvent, createWorld, messageOf, newCampaignId, startDispatcher, until } from './support.ts';

/** Nothing to complain about when it is saved: how long it takes depends on the recipient. */
const LOOPS = '{% for a in list %}{% for b in list %}{% for c in list %}{% endfor %}{% endfor %}{% endfor %}';

test('a campaign whose every render takes all its time ends message by message, and its process stays in the group', async (t) => {
  const world = await createWorld();
  const [costly, plain] = [newCampaignId(), newCampaignId()];
  await world.campaign(campaignEvent(costly, { template: LOOPS }));
  await world.campaign(campaignEvent(plain));
  const vars = JSON.stringify({ name: 'N', list: Array.from({ length: 1_000 }, (_, i) => i) });
  // Together three sessions long.
  const count = 60;
  await world.messages(
    0,
    Array.from({ length: count }, (_, i) => messageOf(costly, i + 1, { vars })),
  );
  await world.messages(1, [messageOf(plain, 1)]);
  const d = await startDispatcher(world, { sessionTimeoutMs: 1_000 });
  const epoch = d.loop.currentEpoch();
  await until(async () => d.fatal.length > 0 || (await world.committed())[0] === count, 60_000);

  t.deepEqual(d.fatal, []);
  t.is(d.loop.currentEpoch(), epoch);
  const events = (await world.events()).map(({ event }) => event);
  const dead = events.filter((e) => e.campaign_id === costly);
  t.deepEqual(
    dead.map((e) => [e.kind, e.reason, e.ordinal]).sort((a, b) => Number(a[2]) - Number(b[2])),
    Array.from({ length: count }, (_, i) => ['dead', 'render_failed', i + 1]),
  );
  t.regex(dead[0]?.detail ?? '', /render limit/);
  // Its neighbour did not wait for all of them: campaigns take turns.
  const sentAt = events.find((e) => e.campaign_id === plain)?.occurred_at ?? Number.POSITIVE_INFINITY;
  t.true(sentAt < Math.max(...dead.map((e) => e.occurred_at)));
  t.true(await d.stop());
});
