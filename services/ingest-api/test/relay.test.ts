import { createFailpoints, FailpointError } from '@volley/runtime';
import test from 'ava';
import { readAll, topics, until } from './support/log.ts';
import { all, eventsOf, sent, world } from './support/roles.ts';
import { content } from './support/service.ts';

test('relay: each version once and in order; nothing is published twice', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await sent(s, 3);
  await s.commands.command(id, 'pause');
  await all(s.relay);
  await all(s.relay);
  t.deepEqual(await eventsOf(w), [
    [1, 'created', 'draft'],
    [2, 'sent', 'running'],
    [3, 'paused', 'paused'],
  ]);
  await s.stop();
});

test('relay: a crash between acknowledgement and mark repeats versions that readers know', async (t) => {
  const w = await world();
  const a = await w.start('a', { failpoints: createFailpoints('relay.afterAck:throw') });
  await sent(a, 3);
  await t.throwsAsync(a.relay(), { instanceOf: FailpointError });
  const again = await w.start('a');
  await all(again.relay);
  t.deepEqual(
    (await eventsOf(w)).map(([version]) => version),
    [1, 2, 1, 2],
  );
  await all(again.relay);
  t.is((await eventsOf(w)).at(-1)?.[0], 2, 'the newest record is of the newest version');
  await Promise.all([a.stop(), again.stop()]);
});

test('relay: another process takes over only when the lease is over, and a zombie marks nothing', async (t) => {
  const w = await world();
  const a = await w.start('a');
  const b = await w.start('b');
  const id = await sent(a, 3);
  await a.relay();
  await a.commands.command(id, 'pause');
  t.false(await b.relay());
  t.is((await eventsOf(w)).length, 2, 'b does not have the lease');
  w.clock.advance(6_000);
  await b.relay();
  t.deepEqual((await eventsOf(w)).at(-1), [3, 'paused', 'paused']);
  await w.store.outbox.advance({ name: 'relay', fence: 1 }, new Map([[id, 99]]));
  await a.commands.command(id, 'resume');
  await b.relay();
  t.deepEqual((await eventsOf(w)).at(-1), [4, 'resumed', 'running'], 'the mark of the old fence did not count');
  await Promise.all([a.stop(), b.stop()]);
});

test('relay: a lower version written late by a zombie is followed by the current state again', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await sent(s, 3);
  await all(s.relay);
  const [first] = await readAll(w.client, topics.campaigns);
  const { partition, key, value } = first as { partition: number; key: Buffer; value: Buffer };
  await w.producer.send([{ topic: topics.campaigns, partition, key, value }]);
  await until('the reader has seen it', () => s.watch.outdated().includes(id));
  await s.relay();
  t.deepEqual(
    (await eventsOf(w)).map(([version]) => version),
    [1, 2, 1, 2],
  );
  await until('the reader has seen the repair', () => s.watch.outdated().length === 0);
  await all(s.relay);
  t.is((await eventsOf(w)).length, 4, 'once is enough');
  await s.stop();
});

test('relay: a deleted draft leaves the compacted topic', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const created = await s.commands.create(content);
  const id = created.ok ? (created.value.body as { campaign_id: string }).campaign_id : '';
  await all(s.relay);
  await s.commands.remove(id);
  await all(s.relay);
  const records = await readAll(w.client, topics.campaigns);
  t.deepEqual(
    records.map((r) => [r.key?.toString(), r.value === null]),
    [
      [id, false],
      [id, true],
    ],
  );
  await s.stop();
});
