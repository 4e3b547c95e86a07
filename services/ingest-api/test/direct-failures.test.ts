import { directMessageIdOf, HEADERS, type Lane, partitionsOf } from '@volley/contract';
import test from 'ava';
import { draft, failingAfter, idsIn, inChunks, numbered, people, to, totalOf } from './support/direct.ts';
import { readAll, topics } from './support/log.ts';
import { all, statusOf, world } from './support/roles.ts';

for (const lateAnswers of [false, true]) {
  const what = lateAnswers ? 'took them without an answer' : 'did not take them';
  test(`the log fails in the middle and ${what}: told how far it is certain, and nothing is lost or counted twice`, async (t) => {
    const w = await world();
    const producer = failingAfter(w.producer, 2);
    producer.lateAnswers = lateAnswers;
    const s = await w.start('a', { directProducer: producer });
    const id = await draft(s);
    const body = numbered(people(5_000));
    const result = await s.direct.many(id, inChunks(body, 1_000));
    if (result.ok) return t.fail();
    const { code, extra } = result.failure;
    t.is(code, 'unavailable');
    const certain = Number(extra?.acknowledged_lines);
    t.true(certain >= 300 && certain < 5_000, String(certain));
    t.is(extra?.accepted, certain);
    const inLog = new Set(await idsIn(w));
    for (const { id: client } of people(certain)) t.true(inLog.has(directMessageIdOf(id, client)));

    producer.calls = Number.POSITIVE_INFINITY;
    const again = await s.direct.many(id, inChunks(body, 1_000));
    t.like(again, { value: { accepted: 5_000, duplicate: 0 } });
    t.is(new Set(await idsIn(w)).size, 5_000);
    t.is(await totalOf(t, s, id), 5_000);
    // What nobody repeats is written as well: it was counted.
    const before = (await idsIn(w)).length;
    w.clock.advance(61_000);
    await all(s.redo);
    t.is((await idsIn(w)).length, before, 'what the log has is not written again');
    t.is(await totalOf(t, s, id), 5_000);
  });
}

test('what a crash left behind is written by whoever is there, once it is due', async (t) => {
  const w = await world();
  const dead = await w.start('dead', { directProducer: failingAfter(w.producer, 0) });
  const id = await draft(dead);
  t.like(await dead.direct.one(id, { id: 'x', to }), { failure: { code: 'unavailable' } });
  const s = await w.start('other');
  t.false(await s.redo());
  t.deepEqual(await idsIn(w, 'transactional'), []);
  w.clock.advance(61_000);
  t.true(await s.redo());
  t.deepEqual(await idsIn(w, 'transactional'), [directMessageIdOf(id, 'x')]);
  w.clock.advance(61_000);
  t.false(await s.redo(), 'it is forgotten');
  t.is(await totalOf(t, s, id), 1);
});

test('before anybody knows where the lane ends nothing is counted, and nothing is left to be looked for in all of it', async (t) => {
  const w = await world();
  const s = await w.start('a', { endsAt: () => undefined });
  const id = await draft(s);
  t.like(await s.direct.one(id, { id: 'x', to }), { failure: { code: 'unavailable' } });
  t.like(await s.direct.many(id, inChunks(numbered(people(10)), 10)), {
    failure: { code: 'unavailable', extra: { accepted: 0, acknowledged_lines: 0 } },
  });
  t.is(await totalOf(t, s, id), 0);
  w.clock.advance(61_000);
  t.false(await s.redo());
  await s.stop();
});

test('a repeat of a message that the log may not have is written again where the first one is, whoever it is for', async (t) => {
  const w = await world();
  const producer = failingAfter(w.producer, 0);
  producer.lateAnswers = true;
  const s = await w.start('a', { directProducer: producer });
  const partitionsUsed = async (recipients: readonly string[]) => {
    const id = await draft(s);
    producer.calls = 0;
    await s.direct.one(id, { id: 'x', to: recipients[0] });
    producer.calls = 9;
    t.like(await s.direct.one(id, { id: 'x', to: recipients[1] }), { value: { duplicate: true } });
    t.is(await totalOf(t, s, id), 1);
    const records = await readAll(w.client, topics.messages.transactional);
    return records.filter((r) => String(r.headers[HEADERS.campaignId]) === id).map((r) => r.partition);
  };
  for (let i = 0; i < 5; i++) {
    const used = await partitionsUsed([`a${i}@b.example`, `c${i}@b.example`]);
    t.is(used.length, 2);
    t.is(used[0], used[1]);
  }
});

test('above the mark: 429, and a draft stays one', async (t) => {
  const w = await world();
  let backlog: number | undefined = 1_000;
  const asked: [Lane, readonly number[]][] = [];
  const s = await w.start('a', {
    async backlog(lane, partitions) {
      asked.push([lane, partitions]);
      return backlog;
    },
  });
  const id = await draft(s);
  t.like(await s.direct.one(id, { to }), { failure: { code: 'busy' } });
  t.like(await s.direct.many(id, inChunks(numbered([{ to }]))), { failure: { code: 'busy' } });
  t.is(await statusOf(w, id), 'draft');
  t.deepEqual(
    asked.map(([lane]) => lane),
    ['transactional', 'bulk'],
  );
  backlog = 999;
  t.true((await s.direct.one(id, { to })).ok);
  const { spread, partitions } = (await w.store.campaigns.find('default', id)) ?? { spread: 0, partitions: 0 };
  t.deepEqual(asked.at(-1)?.[1], partitionsOf(id, spread, partitions));
  backlog = undefined;
  t.true((await s.direct.one(id, { to })).ok, 'a log that cannot be asked stops nobody');
});

test('the mark is reached in the middle of a body: how far it is certain', async (t) => {
  const w = await world();
  let asked = 0;
  const s = await w.start('a', { backlog: async () => (++asked > 3 ? 1_000 : 0) });
  const id = await draft(s);
  const result = await s.direct.many(id, inChunks(numbered(people(5_000)), 1_000));
  if (result.ok) return t.fail();
  t.is(result.failure.code, 'busy');
  const { accepted, acknowledged_lines } = result.failure.extra ?? {};
  t.is(accepted, acknowledged_lines);
  t.is((await idsIn(w)).length, Number(accepted));
  t.is(await totalOf(t, s, id), Number(accepted));
});
