import { campaignIdFrom, directMessageIdOf, messageIdOf } from '@volley/contract';
import test from 'ava';
import fc from 'fast-check';
import type { Analytics, MessageFilter, MessageState } from '../src/analytics-ports.ts';
import { createMessageReads } from '../src/messages.ts';
import type { CampaignStore, Contact, FrozenRow } from '../src/ports.ts';
import { analyticsOf } from './support/analytics.ts';

const ID = campaignIdFrom(1_795_000_000_000, Buffer.from('abcdef'));
const TIMES = { queued_at: '2026-11-21T09:00:00.000Z', occurred_at: '2026-11-21T09:00:01.000Z' };
const rowOf = (ordinal: number): FrozenRow => ({
  ordinal,
  recipient: `P${ordinal}@b.example`,
  name: null,
  tags: ['t'],
  attributes: '{}',
});
const ordinalOf = (address: string) => Number(/^p(\d+)@/i.exec(address)?.[1] ?? 0);
const stateOf = (ordinal: number, status: string, reason = ''): MessageState => ({
  ...TIMES,
  ...{
    ordinal,
    message_id: messageIdOf(ID, ordinal),
    recipient: rowOf(ordinal).recipient,
    status,
    reason,
    attempts: 1,
  },
});

/** An audience in memory. The clock goes on by what a question costs. */
function world(o: { audience: number; questionMs?: number; deleted?: readonly number[]; directWindow?: number }) {
  const states = new Map<number, MessageState>();
  let nowMs = 0;
  let questions = 0;
  const analytics = analyticsOf(states, o.directWindow);
  const asked =
    <A extends unknown[], T>(ask: (...args: A) => Promise<T>) =>
    async (...args: A) => {
      questions += 1;
      nowMs += o.questionMs ?? 0;
      return ask(...args);
    };
  const { states: audience, queued, directStates } = analytics;
  const index: Analytics = {
    ...analytics,
    ...{ states: asked(audience), queued: asked(queued), directStates: asked(directStates) },
  };
  const range = (after: number, last: number) =>
    Array.from({ length: Math.max(0, Math.min(last, o.audience) - after) }, (_, i) => rowOf(after + 1 + i));
  const campaign = { campaign_id: ID, expected: o.audience, sent_at: 1, updated_at: 1, spread: 1, partitions: 1 };
  const reads = createMessageReads({
    store: {
      find: async (_: string, id: string) => (id === ID ? campaign : undefined),
      between: async () => [],
    } as unknown as CampaignStore,
    contacts: {
      async byAddress(_, address) {
        const ordinal = ordinalOf(address);
        const known = ordinal > 0 && !o.deleted?.includes(ordinal);
        return known ? ({ contact_id: String(ordinal) } as Contact) : undefined;
      },
    },
    frozen: {
      page: async (_, after, limit) => range(after, after + limit),
      ofRecipient: asked(async (_: string, recipient: string, after: number, last: number) => {
        const ordinal = ordinalOf(recipient);
        return ordinal > after && ordinal <= Math.min(last, o.audience) ? [rowOf(ordinal)] : [];
      }),
      ofContact: async (_, contact) => (Number(contact) <= o.audience ? rowOf(Number(contact)) : undefined),
      byOrdinals: async (_, ordinals) => ordinals.filter((n) => n >= 1 && n <= o.audience).map(rowOf),
    },
    index,
    now: () => Date.parse('2026-11-21T10:00:01.000Z'),
    monotonicMs: () => nowMs,
  });
  /** Every page, with what the test does between two of them. */
  async function all(filter: MessageFilter = {}, limit = 10, between = () => {}) {
    const ids: string[] = [];
    let pages = 0;
    let after: string | undefined;
    do {
      const page = await reads.page(campaign, { limit, ...filter, ...(after !== undefined && { after }) });
      ids.push(...page.data.map((m) => m.message_id));
      after = page.next;
      pages += 1;
      between();
    } while (after !== undefined);
    return { ids, pages };
  }
  return { states, reads, all, campaign, questions: () => questions };
}

const idsOf = (ordinals: readonly number[]) => ordinals.map((n) => messageIdOf(ID, n));
const STATUSES = ['sent', 'failed', 'retrying', 'queued'];

test('whatever the filter and the page: each message that matches once, in the order of the audience', async (t) => {
  const message = fc.record({
    status: fc.constantFrom(...STATUSES, 'none'),
    reason: fc.constantFrom('', 'provider_refused', 'provider_timeout'),
  });
  const filter = fc.record(
    {
      status: fc.constantFrom(...STATUSES),
      reason: fc.constantFrom('provider_refused', 'provider_timeout'),
      recipient: fc.constantFrom('p3@b.example', 'P9@B.EXAMPLE', 'nobody@b.example'),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { maxLength: 40 }),
      filter,
      fc.integer({ min: 1, max: 12 }),
      async (messages, by, limit) => {
        const w = world({ audience: messages.length, deleted: [9] });
        for (const [i, { status, reason }] of messages.entries())
          if (status !== 'none') w.states.set(i + 1, stateOf(i + 1, status, status === 'queued' ? '' : reason));
        const expected = messages.flatMap(({ status, reason }, i) => {
          const is = status === 'none' ? 'queued' : status;
          if (by.status !== undefined && is !== by.status) return [];
          if (by.reason !== undefined && (is === 'queued' || reason !== by.reason)) return [];
          if (by.recipient !== undefined && rowOf(i + 1).recipient.toLowerCase() !== by.recipient.toLowerCase())
            return [];
          return [i + 1];
        });
        t.deepEqual((await w.all(by, limit)).ids, idsOf(expected));
      },
    ),
    { numRuns: 300 },
  );
});

/** A campaign of direct messages, in windows of three. */
function direct(messages: readonly { status: string; reason: string }[], questionMs = 0) {
  const w = world({ audience: 0, directWindow: 3, questionMs });
  for (const [i, { status, reason }] of messages.entries())
    w.states.set(i, { ...stateOf(1, status, reason), ordinal: 0, message_id: directMessageIdOf(ID, String(i)) });
  return w;
}

test('direct messages, whatever the filter, the page and the time: each that matches once, in the order of their ids', async (t) => {
  const message = fc.record({
    status: fc.constantFrom('sent', 'failed', 'retrying'),
    reason: fc.constantFrom('', 'provider_refused'),
  });
  const filter = fc.record(
    { status: fc.constantFrom('sent', 'failed'), reason: fc.constant('provider_refused') },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { maxLength: 20 }),
      filter,
      fc.integer({ min: 1, max: 6 }),
      fc.constantFrom(0, 80, 200),
      async (messages, by, limit, questionMs) => {
        const expected = messages.flatMap(({ status, reason }, i) =>
          (by.status ?? status) === status && (by.reason ?? reason) === reason
            ? [directMessageIdOf(ID, String(i))]
            : [],
        );
        t.deepEqual((await direct(messages, questionMs).all(by, limit)).ids, expected.sort());
      },
    ),
    { numRuns: 300 },
  );
});

test('a filter that few direct messages match is looked for in windows, each request for a bounded time', async (t) => {
  const rare = Array.from({ length: 60 }, () => ({ status: 'sent', reason: '' }));
  const w = direct(rare, 100);
  t.deepEqual(await w.all({ status: 'failed' }), { ids: [], pages: 10 });
  t.is(w.questions(), 20);
  t.is((await direct(rare, 5).all({ status: 'failed' })).pages, 1, 'where questions are quick, to the end');
});

test('messages that move on while somebody reads are listed once, and none that stood there all the time is missing', async (t) => {
  const w = world({ audience: 60 });
  for (let n = 1; n <= 60; n++) w.states.set(n, stateOf(n, n % 2 === 0 ? 'failed' : 'retrying'));
  let turn = 0;
  const { ids } = await w.all({ status: 'failed' }, 5, () => {
    // One that was failed goes out, one that was waiting fails.
    turn += 1;
    w.states.set(2 * turn, stateOf(2 * turn, 'sent'));
    w.states.set(61 - 2 * turn, stateOf(61 - 2 * turn, 'failed'));
  });
  t.is(new Set(ids).size, ids.length);
  t.deepEqual(ids, [...ids].sort());
  const moved = Array.from({ length: turn }, (_, i) => 2 * (i + 1));
  const stayed = Array.from({ length: 30 }, (_, i) => 2 * (i + 1)).filter((n) => !moved.includes(n));
  for (const id of idsOf(stayed)) t.true(ids.includes(id), id);
});

test('a state that few messages have is looked for in windows, each request for a bounded time', async (t) => {
  const w = world({ audience: 3_000_000, questionMs: 100 });
  w.states.set(2_999_999, stateOf(2_999_999, 'dead'));
  const { ids, pages } = await w.all({ status: 'dead' });
  t.deepEqual(ids, idsOf([2_999_999]));
  // Of the time of a request the first question takes two thirds: the second may be half as large, then the cursor goes on.
  t.is(pages, 20);
  t.true(w.questions() <= 2 * pages, `${w.questions()} questions`);
});

test('where questions are quick, a request looks through a large campaign to its end', async (t) => {
  const w = world({ audience: 3_000_000, questionMs: 5 });
  w.states.set(2_999_999, stateOf(2_999_999, 'dead'));
  t.deepEqual(await w.all({ status: 'dead' }), { ids: idsOf([2_999_999]), pages: 1 });
  t.true(w.questions() <= 6, `${w.questions()} questions`);
});

test('one address is found by key, whatever the size; that of a deleted contact among all', async (t) => {
  const w = world({ audience: 3_000_000, deleted: [2_500_000] });
  t.deepEqual(await w.all({ recipient: 'p2400000@b.example' }), { ids: idsOf([2_400_000]), pages: 1 });
  t.is(w.questions(), 1);
  t.deepEqual((await w.all({ recipient: 'p2500000@b.example' })).ids, idsOf([2_500_000]));
});

test('one message with its timeline; what is not there, or is no id, is not found', async (t) => {
  const w = world({ audience: 5 });
  w.states.set(2, stateOf(2, 'failed', 'provider_refused'));
  t.like(await w.reads.one(messageIdOf(ID, 2)), {
    ...{ message_id: messageIdOf(ID, 2), recipient: 'P2@b.example', status: 'failed', reason: 'provider_refused' },
    ...{ campaign_id: ID, as_of: '2026-11-21T10:00:00.000Z', lag_ms: 1_000 },
    ...{ timeline: [{ kind: 'deferred' }], truncated: false },
  });
  t.like(await w.reads.one(messageIdOf(ID, 3)), { status: 'queued', reason: null, attempts: 0 });
  for (const id of [messageIdOf(ID, 6), 'x', ID, directMessageIdOf(ID, 'm')])
    t.is(await w.reads.one(id), undefined, id);
});

test("an event that claims another message's place says nothing of that message", async (t) => {
  const w = world({ audience: 5 });
  w.states.set(3, { ...stateOf(3, 'sent'), message_id: messageIdOf(ID, 77) });
  t.like(await w.reads.one(messageIdOf(ID, 3)), { status: 'queued', message_id: messageIdOf(ID, 3) });
});
