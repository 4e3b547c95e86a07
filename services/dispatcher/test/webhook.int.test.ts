import test from 'ava';
import { createWebhookChannel } from '../src/adapters/webhook/channel.ts';
import { campaignEvent, createWorld, messageOf, newCampaignId, startDispatcher, until } from './support.ts';
import { drip, webhookServer } from './webhook-server.ts';

const open = (url: string, deadlineMs = 20_000) =>
  createWebhookChannel({ url, connections: 4, deadlineMs, now: Date.now });

test('F36: a connection that dies after the body is an unknown outcome, tried again under the same id', async (t) => {
  const ids: string[] = [];
  const server = await webhookServer(t, ({ headers }, response, socket) => {
    const id = String(headers['webhook-id']);
    ids.push(id);
    if (ids.filter((other) => other === id).length === 1) socket.resetAndDestroy();
    else response.writeHead(200).end();
  });
  const world = await createWorld();
  const campaignId = newCampaignId();
  await world.campaign(campaignEvent(campaignId, { channel: 'webhook' }));
  const messages = Array.from({ length: 20 }, (_, i) => messageOf(campaignId, i + 1));
  await world.messages(0, messages);
  const channel = open(server.url);
  const d = await startDispatcher(world, { kind: 'webhook', channel, concurrency: 4 });
  await until(async () => (await world.committed())[0] === 20, 20_000);
  const events = (await world.events()).map(({ event }) => event);
  const of = (kind: string) => events.filter((e) => e.kind === kind);
  t.is(of('sent').length, 20);
  t.is(of('deferred').length, 20);
  t.true(of('deferred').every((e) => e.reason === 'connection_failed' && e.attempt === 1));
  t.deepEqual(ids.toSorted(), messages.flatMap((m) => [m.message_id, m.message_id]).toSorted());
  await d.stop();
  await channel.close();
});

test('F35: a server that drips holds a slot until the deadline and no longer: the others go on', async (t) => {
  let stuck = 0;
  const server = await webhookServer(t, ({ body }, response, socket) => {
    if (!JSON.parse(body).recipient.startsWith('stuck')) return void response.writeHead(200).end();
    stuck += 1;
    drip(socket, 'HTTP/1.1 2');
  });
  const world = await createWorld();
  const campaignId = newCampaignId();
  await world.campaign(campaignEvent(campaignId, { channel: 'webhook', max_attempts: 2 }));
  const recipient = (n: number) => (n <= 2 ? `stuck${n}@example.org` : `r${n}@example.org`);
  const messages = Array.from({ length: 50 }, (_, i) => messageOf(campaignId, i + 1, { recipient: recipient(i + 1) }));
  await world.messages(0, messages);
  const channel = open(server.url, 1_000);
  const d = await startDispatcher(world, { kind: 'webhook', channel, concurrency: 2 });
  await until(async () => (await world.committed())[0] === 50, 20_000);
  const ends = (await world.events()).map(({ event }) => event).filter((e) => e.kind !== 'deferred');
  t.is(ends.filter((e) => e.kind === 'sent').length, 48);
  t.deepEqual(
    ends.filter((e) => e.kind === 'dead').map((e) => e.reason),
    ['attempts_exhausted', 'attempts_exhausted'],
  );
  t.is(stuck, 4);
  await d.stop();
  await channel.close();
  await until(() => server.sockets.size === 0);
});
