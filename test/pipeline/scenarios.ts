import { DEAD_LETTER_HEADERS, HEADERS, isEnded, partitionOf } from '@volley/contract';
import type { StreamRecord } from '@volley/stream';
import type { ExecutionContext } from 'ava';
import { type Contact, endedOf, type StatsView, sumOf } from '../support/api-client.ts';
import { check as account } from '../support/checker/check.ts';
import type { History } from '../support/history.ts';
import { people } from '../support/people.ts';
import { until } from '../support/until.ts';
import type { World } from './world.ts';

export interface Scenario {
  readonly title: string;
  run(t: ExecutionContext, world: World, tag: string): Promise<void>;
}

async function untilEnded(t: ExecutionContext, world: World, id: string): Promise<string> {
  let last: StatsView | undefined;
  return until(
    `campaign ${id} ends`,
    async () => {
      last = await world.stats(id);
      if (last.total > 0) t.is(sumOf(last), last.total, 'the states add up at every moment');
      const status = await world.status(id);
      return isEnded(status) ? status : undefined;
    },
    { timeoutMs: 30_000, seen: () => last },
  );
}

const untilSomeEnded = (world: World, id: string, count: number) =>
  until(`${count} messages of ${id} have ended`, async () => {
    const stats = await world.stats(id);
    return endedOf(stats) >= count ? stats : undefined;
  });

/** From draft to its end, judged. */
async function sendAndAccount(
  t: ExecutionContext,
  world: World,
  wish: Parameters<World['create']>[0],
): Promise<{ status: string; history: History; states: Readonly<Record<string, number>> }> {
  const id = await world.create(wish);
  const expected = await world.send(id);
  const status = await untilEnded(t, world, id);
  const history = await world.history(id, expected);
  const { problems, states } = account(history);
  t.deepEqual(problems, []);
  return { status, history, states };
}

const recipientsOf = (history: History) => new Set(history.events.map((event) => event.recipient));

/** A campaign of `count` that must go through: what shows that a partition is alive. */
async function sendMarker(t: ExecutionContext, world: World, tag: string, count = 5): Promise<void> {
  await world.importContacts(people(tag, count));
  const { status } = await sendAndAccount(t, world, { template: 'Hi {{name}}', segment_rule: tag });
  t.is(status, 'completed');
}

async function deadLetterOf(world: World, topic: string, origin: string): Promise<StreamRecord> {
  return until(`a dead letter of ${origin} is in ${topic}`, async () => {
    const records = await world.read(topic);
    return records.find((r) => r.headers[DEAD_LETTER_HEADERS.origin]?.toString().startsWith(`${origin}/`));
  });
}

/** Bytes that no schema explains, with a header that must survive. */
const GARBAGE = Buffer.from('this was never Avro \u0000\u0001');
const FOREIGN = { 'x-who': 'another team' };

/** A campaign whose partition is known before it is sent. */
async function draftIn(world: World, tag: string, count: number) {
  await world.importContacts(people(tag, count));
  const id = await world.create({ template: 'Hi {{name}}', segment_rule: tag });
  return { id, partition: partitionOf(id, '', 1, world.partitions) };
}

export const SCENARIOS: readonly Scenario[] = [
  {
    title: 'a campaign of 200 with transient failures completes and adds up',
    async run(t, world, tag) {
      await world.importContacts(people(tag, 200));
      const { status, history, states } = await sendAndAccount(t, world, {
        template: 'Hi {{name}} from {{city}}',
        segment_rule: tag,
      });
      t.is(status, 'completed');
      t.is(states.sent, 200);
      t.true(
        history.events.some((event) => event.kind === 'deferred'),
        'one attempt in ten fails for now',
      );
    },
  },
  {
    title: 'the segment picks the audience: exactly those with all of its tags',
    async run(t, world, tag) {
      const contacts = people(tag, 30).map((c, i) => ({
        ...c,
        tags: [tag, ...(i % 2 === 0 ? ['vip'] : []), ...(i % 3 === 0 ? ['tw'] : [])],
      }));
      await world.importContacts(contacts);
      const { history } = await sendAndAccount(t, world, { template: 'Hi', segment_rule: `${tag},vip,tw` });
      const wanted = contacts.filter((_, i) => i % 6 === 0).map((c) => c.email);
      t.deepEqual([...recipientsOf(history)].sort(), wanted.sort());
    },
  },
  {
    title:
      'permanent refusals, spent attempts and missing variables end as failed and dead, with reasons and dead letters',
    async run(t, world, tag) {
      const contacts = people(tag, 20, (n) => (n <= 3 ? 'refuse' : n === 4 ? 'always-transient' : ''));
      for (const n of [5, 6]) {
        const { city, ...rest } = contacts[n - 1] as Contact;
        contacts[n - 1] = rest as Contact;
      }
      await world.importContacts(contacts);
      const { status, history, states } = await sendAndAccount(t, world, {
        template: 'Hi {{name}} from {{city}}',
        segment_rule: tag,
        max_attempts: 3,
      });
      t.is(status, 'completed_with_failures');
      t.like(states, { sent: 14, failed: 3, dead: 3 });
      const ends = history.events.filter((e) => e.kind === 'failed' || e.kind === 'dead');
      const reasons = Object.fromEntries(ends.map((e) => [e.recipient.split('.')[0], `${e.kind} ${e.reason}`]));
      t.like(reasons, { p4: 'dead attempts_exhausted', p5: 'dead missing_variable', p6: 'dead missing_variable' });
      for (const p of ['p1', 'p2', 'p3']) t.regex(reasons[p] ?? '', /^failed (recipient|provider)_refused$/);
      t.is(history.events.filter((e) => e.recipient.startsWith('p4.')).length, 3, 'one event an attempt');

      // Each dead letter is its source, byte for byte, under the same key and partition number, with the source's headers.
      const sources = await world.read(world.topics.messages.bulk);
      const letters = await world.read(world.topics.dlq);
      for (const end of ends) {
        const letter = letters.find((r) => r.partition === end.dlqPartition && r.offset === end.dlqOffset);
        const source = sources.find((r) => r.headers[HEADERS.messageId]?.toString() === end.messageId);
        t.truthy(letter && source);
        t.deepEqual(letter?.value, source?.value);
        t.deepEqual(letter?.key, source?.key);
        t.is(letter?.partition, source?.partition);
        for (const [name, value] of Object.entries(source?.headers ?? {})) t.deepEqual(letter?.headers[name], value);
        t.is(letter?.headers[DEAD_LETTER_HEADERS.reason]?.toString(), end.reason);
        t.true(
          letter?.headers[DEAD_LETTER_HEADERS.origin]
            ?.toString()
            .startsWith(`${source?.topic}/${source?.partition}/${source?.offset}/`),
        );
      }
    },
  },
  {
    title: 'pause stops a campaign, others go on, resume continues it to its end',
    async run(t, world, tag) {
      await world.importContacts(people(tag, 200));
      const id = await world.create({ template: 'Hi {{name}}', segment_rule: tag, rate_per_second: 100 });
      t.is(await world.send(id), 200);
      await untilSomeEnded(world, id, 20);
      await world.command(id, 'pause');
      t.is(await world.status(id), 'paused');
      // The first one shows that the dispatcher has read on since; while the second ran, 40 would have gone out at 100/s.
      await sendMarker(t, world, `${tag}-first`);
      const before = await world.stats(id);
      await world.importContacts(people(`${tag}-slow`, 40));
      await sendAndAccount(t, world, { template: 'Hi', segment_rule: `${tag}-slow`, rate_per_second: 80 });
      const after = await world.stats(id);
      t.is(endedOf(after), endedOf(before), 'nothing of a paused campaign is sent');
      t.true(endedOf(after) < 200);
      t.is(sumOf(after), 200);
      await world.command(id, 'resume');
      t.is(await untilEnded(t, world, id), 'completed');
      const { problems, states } = account(await world.history(id, 200));
      t.deepEqual(problems, []);
      t.is(states.sent, 200);
    },
  },
  {
    title: 'cancel ends what was not sent as cancelled, without a provider call',
    async run(t, world, tag) {
      await world.importContacts(people(tag, 200));
      const id = await world.create({ template: 'Hi {{name}}', segment_rule: tag, rate_per_second: 50 });
      t.is(await world.send(id), 200);
      await untilSomeEnded(world, id, 10);
      await world.command(id, 'cancel');
      t.is(await untilEnded(t, world, id), 'cancelled');
      const { problems, states } = account(await world.history(id, 200));
      t.deepEqual(problems, []);
      t.true((states.sent ?? 0) >= 10);
      t.true((states.cancelled ?? 0) > 0);
      t.is((states.sent ?? 0) + (states.cancelled ?? 0), 200);
    },
  },
  {
    title: 'messages whose campaign passes its deadline end as expired',
    async run(t, world, tag) {
      await world.importContacts(people(tag, 100));
      const { status, states } = await sendAndAccount(t, world, {
        template: 'Hi {{name}}',
        segment_rule: tag,
        rate_per_second: 10,
        // Time enough for a busy machine to send some, and not all.
        expiresAtMs: Date.now() + 5_000,
      });
      t.is(status, 'completed_with_failures');
      t.true((states.expired ?? 0) > 0);
      t.is((states.sent ?? 0) + (states.expired ?? 0), 100);
    },
  },
  {
    title: 'an undecodable record among the messages goes to the dead letters, and its partition goes on',
    async run(t, world, tag) {
      const { id, partition } = await draftIn(world, tag, 20);
      const topic = world.topics.messages.bulk;
      const { offset } = await world.inject({ topic, partition, key: 'no-campaign', value: GARBAGE, headers: FOREIGN });
      const empty = await world.inject({ topic, partition, key: null, value: null });
      t.is(await world.send(id), 20);
      t.is(await untilEnded(t, world, id), 'completed');
      t.deepEqual(account(await world.history(id, 20)).problems, []);
      const letter = await deadLetterOf(world, world.topics.dlq, `${topic}/${partition}/${offset}`);
      t.deepEqual(letter.value, GARBAGE);
      t.is(letter.partition, partition);
      t.is(letter.key?.toString(), 'no-campaign');
      t.is(letter.headers['x-who']?.toString(), FOREIGN['x-who']);
      t.is(letter.headers[DEAD_LETTER_HEADERS.reason]?.toString(), 'undecodable');
      await deadLetterOf(world, world.topics.dlq, `${topic}/${partition}/${empty.offset}`);
    },
  },
  {
    title: 'an undecodable record among the deliveries goes to their dead letters, and sink and progress go on',
    async run(t, world, tag) {
      const { id, partition } = await draftIn(world, tag, 20);
      const topic = world.topics.deliveries;
      const { offset } = await world.inject({ topic, partition, key: id, value: GARBAGE, headers: FOREIGN });
      await world.inject({ topic, partition, key: null, value: null });
      t.is(await world.send(id), 20);
      t.is(await untilEnded(t, world, id), 'completed');
      t.deepEqual(account(await world.history(id, 20)).problems, []);
      const letter = await deadLetterOf(world, world.topics.deliveriesDlq, `${topic}/${partition}/${offset}`);
      t.deepEqual(letter.value, GARBAGE);
      t.is(letter.partition, partition);
      t.is(letter.headers['x-who']?.toString(), FOREIGN['x-who']);
      t.is(letter.headers[DEAD_LETTER_HEADERS.reason]?.toString(), 'undecodable');
    },
  },
  {
    title: 'an undecodable record among the campaign events is passed over, and campaigns go on',
    async run(t, world, tag) {
      const { id, partition } = await draftIn(world, tag, 20);
      const topic = world.topics.campaigns;
      await world.inject({ topic, partition, key: 'no-campaign', value: GARBAGE, headers: FOREIGN });
      t.is(await world.send(id), 20);
      t.is(await untilEnded(t, world, id), 'completed');
      t.deepEqual(account(await world.history(id, 20)).problems, []);
    },
  },
];
