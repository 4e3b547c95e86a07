import { campaignIdFrom, createDecoder, directMessageIdOf, HEADERS, type Message, messageIdOf } from '@volley/contract';
import { type MessageBodyView, ROUTES } from '@volley/contract/http';
import test from 'ava';
import type { MessagePlace } from '../src/analytics-ports.ts';
import { createMessageBodies } from '../src/message-bodies.ts';
import type { Found, Wanted } from '../src/message-body-ports.ts';
import type { Campaign, FrozenRow } from '../src/ports.ts';
import { createTestSchemas, encoderOf } from './support/log.ts';
import { content } from './support/service.ts';

const ID = campaignIdFrom(1_795_000_000_000, Buffer.from('abcdef'));
const DIRECT = directMessageIdOf(ID, 'm');
const PLACE: MessagePlace = { lane: 'bulk', partition: 1, queuedAtMs: 5 };
const ann: FrozenRow = {
  ...{ ordinal: 2, recipient: 'ann@b.example', name: 'Ann', tags: ['vip'] },
  attributes: '{"city":"Taipei"}',
};
const message = (change: Partial<Message> = {}): Message => ({
  ...{ message_id: DIRECT, run: 0, tenant_id: 'default', campaign_id: ID, campaign_version: 2, ordinal: 0 },
  ...{ recipient: 'to@b.example', vars: '{"name":"Bo"}', tags: [], lane: 'bulk', queued_at: 5, expires_at: null },
  ...change,
});
const encode = encoderOf('Message');

function world(o: { campaign?: object; found?: Found | Message | Buffer; places?: MessagePlace[]; tenant?: string }) {
  const campaign = { ...content, campaign_id: ID, sent_at: 1, ...o.campaign } as unknown as Campaign;
  const mine = o.tenant === undefined || o.tenant === 'default';
  const schemas = createTestSchemas();
  const wanted: Wanted[] = [];
  const found = (): Found => {
    const { found: f = message() } = o;
    if (typeof f === 'string' || 'record' in f) return f;
    const value = Buffer.isBuffer(f) ? f : encode(f);
    const headers = { [HEADERS.messageId]: Buffer.from(DIRECT) };
    return { record: { topic: 't', partition: 1, offset: 0, key: null, value, headers, timestampMs: 5 } };
  };
  const bodies = createMessageBodies({
    store: {
      find: async (tenant, id) => (mine && tenant === 'default' && id === ID ? campaign : undefined),
      between: async (tenant, { from, to }) =>
        mine && tenant === 'default' && from <= ID && ID <= to ? [campaign] : [],
    },
    frozen: { byOrdinals: async (_, ordinals) => (ordinals.includes(ann.ordinal) ? [ann] : []) },
    index: { directPlaces: async () => ({ value: o.places ?? [PLACE], asOfMs: null }) },
    find: async (want) => {
      wanted.push(want);
      return found();
    },
    decode: createDecoder('Message', schemas),
    loadSchema: (id) => schemas.load(id),
    providers: [
      { name: 'simulated', channel: 'simulated', url: 'simulated:' },
      { name: 'mail', channel: 'smtp', url: 'smtp://a:b@c', from: 'Shop <shop@b.example>' },
    ],
  });
  return { bodies, wanted, schemas };
}
async function shown(o: Parameters<typeof world>[0], id = messageIdOf(ID, 2)): Promise<MessageBodyView | string> {
  const result = await world(o).bodies.of(id);
  if (!result.ok) return result.failure.code;
  ROUTES.getMessageBody.answer.parse(result.value);
  return result.value;
}

test('of an audience: the frozen row, with the variables that fan-out gives it', async (t) => {
  const campaign = { template: '{{name}} of {{city}}, {{email}}, {{tags[0]}}', subject: 'To {{name}}' };
  t.deepEqual(await shown({ campaign }), {
    ...{ message_id: messageIdOf(ID, 2), campaign_id: ID, recipient: 'ann@b.example', content_type: 'text/plain' },
    ...{ from: null, reply_to: null, subject: 'To Ann', body: 'Ann of Taipei, ann@b.example, vip', error: null },
  });
  const html = { template: '<b>{{name}}</b>{{"<" }}', content_type: 'text/html' };
  t.like(await shown({ campaign: html }), { content_type: 'text/html', body: '<b>Ann</b>&lt;' });
});

test('the log is not asked for a message of an audience, nor is ClickHouse', async (t) => {
  const w = world({});
  t.true((await w.bodies.of(messageIdOf(ID, 2))).ok);
  t.deepEqual(w.wanted, []);
});

test("a direct message: its record in the log, with the request's variables", async (t) => {
  t.like(await shown({}, DIRECT), {
    ...{ message_id: DIRECT, campaign_id: ID, recipient: 'to@b.example' },
    ...{ subject: '', body: 'Hi Bo', error: null },
  });
  const w = world({});
  await w.bodies.of(DIRECT);
  t.deepEqual(w.wanted, [{ messageId: DIRECT, places: [PLACE] }]);
});

const SENDERS: [campaign: object, from: string | null, reply_to: string | null][] = [
  [{ channel: 'smtp', provider: 'mail' }, 'Shop <shop@b.example>', null],
  [{ channel: 'smtp', provider: '' }, 'Shop <shop@b.example>', null],
  [{ channel: 'smtp', provider: 'mail', from: 'me@b.example', reply_to: 'r@b.example' }, 'me@b.example', 'r@b.example'],
  [{ channel: 'smtp', provider: 'not configured any more' }, null, null],
  [{ channel: 'simulated', from: 'me@b.example' }, 'me@b.example', null],
  [{ channel: 'webhook', provider: '', from: 'me@b.example', reply_to: 'r@b.example' }, null, null],
];
for (const [campaign, from, reply_to] of SENDERS) {
  test(`sender of ${JSON.stringify(campaign)}`, async (t) => {
    t.like(await shown({ campaign }), { from, reply_to, body: 'Hi Ann' });
  });
}

const ERRORS: [what: string, campaign: object, vars: string, reason: string, detail: RegExp][] = [
  ['a variable that is missing', { template: '{{none}}' }, '{}', 'missing_variable', /none/],
  ['a subject of two lines', { subject: '{{s}}' }, '{"name":"x","s":"a\\nb"}', 'header_injection', /line break/],
  ['a template that does not compile', { template: '{% if %' }, '{}', 'render_failed', /template: /],
  [
    'a template without an end',
    { template: '{% for i in (1..1000000000) %}x{% endfor %}' },
    '{}',
    'render_failed',
    /./,
  ],
  ['variables that are no object', {}, '[1]', 'render_failed', /not an object/],
  ['variables that are no JSON', {}, '{', 'render_failed', /not an object/],
];
for (const [what, campaign, vars, reason, detail] of ERRORS) {
  test(`${what}: the reason that the message ended with, and no texts`, async (t) => {
    const view = await shown({ campaign, found: message({ vars }) }, DIRECT);
    t.like(view, { subject: null, body: null, error: { reason } });
    t.regex((view as MessageBodyView).error?.detail ?? '', detail);
  });
}

test('what is not there, of another tenant, in no list, or no id, is not found', async (t) => {
  for (const id of [messageIdOf(ID, 3), ID, 'x', '', directMessageIdOf('01a1fef0-6914-7dae-9c1d-1e4d00000000', 'm')])
    t.is(await shown({ places: [] }, id), 'not_found', id);
  for (const id of [messageIdOf(ID, 2), DIRECT]) t.is(await shown({ tenant: 'rehearsal' }, id), 'not_found');
  t.is(await shown({ places: [] }, DIRECT), 'not_found', 'a test message, or one without an event');
});

const NOT_READ: [found: Found | Message | Buffer, code: string][] = [
  ['truncated', 'log_truncated'],
  ['absent', 'not_found'],
  ['bounded', 'not_found'],
  ['busy', 'busy'],
  [message({ message_id: directMessageIdOf(ID, 'other') }), 'not_found'],
  [message({ campaign_id: campaignIdFrom(1, Buffer.from('abcdef')) }), 'not_found'],
  [Buffer.from('x'), 'not_found'],
];
for (const [found, code] of NOT_READ) {
  const what =
    typeof found === 'string'
      ? found
      : Buffer.isBuffer(found)
        ? 'unreadable'
        : `of ${'message_id' in found && found.message_id === DIRECT ? 'another campaign' : 'another message'}`;
  test(`a direct message whose record is ${what} (${code}) is refused with a sentence`, async (t) => {
    const result = await world({ found }).bodies.of(DIRECT);
    t.like(result, { ok: false, failure: { code } });
  });
}

test('a registry that is away is an outage, and no answer about the message', async (t) => {
  const w = world({});
  w.schemas.away = true;
  t.like(await w.bodies.of(DIRECT), { ok: false, failure: { code: 'unavailable' } });
});
