import { HEADERS, type SourceRecord } from '@volley/contract';
import test from 'ava';
import { eventOfUnreadable } from '../../src/core/delivery-event.ts';
import { namedAlike, unreadable } from '../../src/core/effect.ts';
import { flawOf, identityFromHeaders, traceparentOf } from '../../src/core/identity.ts';
import { headersOf, messageOf, newCampaignId } from '../support.ts';

const id = newCampaignId();
const message = messageOf(id, 7);
const record = (headers: Record<string, string> = headersOf(message), key: string | null = id): SourceRecord => ({
  topic: 'm',
  partition: 0,
  offset: 5,
  timestampMs: 1_700_000_000_000,
  key: key === null ? null : Buffer.from(key),
  value: Buffer.from('?'),
  headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)])),
});

const flaws: readonly [string, Parameters<typeof flawOf>[0], SourceRecord][] = [
  ['a message id that is none', { ...message, message_id: 'x' }, record()],
  ['a message id that is a campaign id', { ...message, message_id: id }, record()],
  ['another campaign in the message id', { ...message, campaign_id: newCampaignId() }, record()],
  ['the place of another message', { ...message, ordinal: 8 }, record()],
  ['no place', { ...message, ordinal: 0 }, record()],
  ['a negative place', { ...message, ordinal: -7 }, record()],
  ['another campaign in the key', message, record(headersOf(message), newCampaignId())],
  ['a tenant with a line break', { ...message, tenant_id: 'a\nb' }, record()],
  ['an endless tenant', { ...message, tenant_id: 'a'.repeat(65) }, record()],
  ['another message in the header', message, record(headersOf(messageOf(id, 8)))],
  ['another tenant in the header', message, record({ ...headersOf(message), [HEADERS.tenantId]: 'other' })],
  ['another campaign in the header', message, record({ [HEADERS.campaignId]: newCampaignId() })],
  ['an unknown lane', { ...message, lane: 'fast' }, record()],
  ['a negative run', { ...message, run: -1 }, record()],
];
for (const [title, m, r] of flaws) test(`is no message: ${title}`, (t) => t.is(typeof flawOf(m, r), 'string'));
test('is a message, also without a key', (t) => {
  t.is(flawOf(message, record()), undefined);
  t.is(flawOf(message, record({}, null)), undefined);
});

test('headers that name somebody else than the value end nobody', (t) => {
  const of = (headers: Record<string, string>) =>
    namedAlike(unreadable({ record: record(headers), epoch: 1 }, 'undecodable', 'why', 1), message).event?.message_id;
  t.is(of(headersOf(message)), message.message_id);
  t.is(of(headersOf(messageOf(id, 8))), undefined);
  t.is(of({ ...headersOf(message), [HEADERS.tenantId]: 'other' }), undefined);
});

test('headers name a message whose value is unreadable', (t) => {
  t.like(identityFromHeaders(record()), { messageId: message.message_id, campaignId: id, ordinal: 7, lane: 'bulk' });
  t.like(eventOfUnreadable(record(), 'undecodable', 'why\r\n not', 1_700_000_000_500), {
    message_id: message.message_id,
    kind: 'dead',
    reason: 'undecodable',
    detail: 'why  not',
    attempt: 0,
    queued_at: 1_700_000_000_000,
    e2e_ms: 500,
  });
});

const bad: readonly [string, SourceRecord][] = [
  ['no headers', record({})],
  ['an id of another shape', record({ ...headersOf(message), [HEADERS.messageId]: 'forged' })],
  ['an endless id', record({ ...headersOf(message), [HEADERS.messageId]: 'a'.repeat(100_000) })],
  ['a campaign that is not the id’s', record({ ...headersOf(message), [HEADERS.campaignId]: newCampaignId() })],
  ['a key of another campaign', record(headersOf(message), newCampaignId())],
  ['a tenant with a line break', record({ ...headersOf(message), [HEADERS.tenantId]: 'a\r\nb' })],
  ['an unknown lane', record({ ...headersOf(message), [HEADERS.lane]: 'fast' })],
];
for (const [title, r] of bad)
  test(`headers name nobody: ${title}`, (t) => {
    t.is(identityFromHeaders(r), undefined);
    t.is(eventOfUnreadable(r, 'undecodable', '', 1), undefined);
  });

test('a trace context is passed on only if it is one', (t) => {
  const good = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  t.is(traceparentOf(record({ traceparent: good })), good);
  t.is(traceparentOf(record({ traceparent: `${good}\r\nx: y` })), undefined);
  t.is(traceparentOf(record({ traceparent: 'nonsense' })), undefined);
  t.is(traceparentOf(record({})), undefined);
});
