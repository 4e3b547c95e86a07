import type { Message } from '@volley/contract';
import test from 'ava';
import { campaignStateOf } from '../../../src/core/campaign-book.ts';
import { MAX_AGE_MS } from '../../../src/core/gate.ts';
import type { Prepared } from '../../../src/core/outgoing.ts';
import type { RecordedEnd } from '../../../src/core/replay/message-table.ts';
import { type Category, categoryOf, outcomeNow, type ReplayPolicy } from '../../../src/core/replay/outcome.ts';
import { campaignEvent, messageOf, newCampaignId } from '../../fixtures.ts';

const id = newCampaignId();
const campaign = campaignStateOf(campaignEvent(id, { status: 'completed_with_failures', version: 9 }), 0, true);
const outgoing = {
  messageId: '',
  campaignId: id,
  recipient: '',
  contentType: '',
  subject: '',
  body: '',
  mail: undefined,
};
const fine: Prepared = { ok: true, message: outgoing };
const bad: Prepared = { ok: false, reason: 'missing_variable', detail: 'city' };
const policy: ReplayPolicy = {
  maxAttempts: 4,
  classAttempts: {},
  memoryAttempts: 4,
  memoryMs: 2_000,
  patienceMs: 86_400_000,
  longestTierMs: 3_600_000,
};
const QUEUED = 1_700_000_000_000;
const HOUR = 3_600_000;
const recordedAs = (
  kind: RecordedEnd['kind'],
  reason: RecordedEnd['reason'] = '',
  more: Partial<RecordedEnd> = {},
) => ({
  kind,
  reason,
  attempt: 1,
  endedAtMs: QUEUED + 1_000,
  firstFailedAtMs: 0,
  lastFailedAtMs: 0,
  ...more,
});
const ended = { ok: false, reason: 'undecodable', detail: '' } as const;

interface Case {
  readonly name: string;
  readonly was: RecordedEnd;
  readonly is: Category;
  readonly made?: Prepared;
  readonly policy?: Partial<ReplayPolicy>;
  readonly message?: Partial<Message>;
  readonly unreadable?: boolean;
}
const tried = (hours: number) => ({
  firstFailedAtMs: QUEUED,
  lastFailedAtMs: QUEUED + hours * HOUR,
  endedAtMs: QUEUED + hours * HOUR,
});
const old = { queued_at: QUEUED - MAX_AGE_MS, expires_at: QUEUED - 1 };

const CASES: readonly Case[] = [
  { name: 'sent', was: recordedAs('sent'), is: 'same' },
  { name: 'sent, long expired since', was: recordedAs('sent'), message: old, is: 'same' },
  { name: 'sent, does not render now', was: recordedAs('sent'), made: bad, is: 'would_fail' },
  { name: 'sent, cannot be read now', was: recordedAs('sent'), unreadable: true, is: 'would_fail' },
  { name: 'sent at the last attempt', was: recordedAs('sent', '', { attempt: 4, ...tried(1) }), is: 'same' },
  {
    name: 'sent at an attempt that is one too many now',
    was: recordedAs('sent', '', { attempt: 4, ...tried(1) }),
    policy: { maxAttempts: 3 },
    is: 'would_fail',
  },
  {
    name: 'sent at an attempt that timeouts alone do not have',
    was: recordedAs('sent', '', { attempt: 4, ...tried(1) }),
    policy: { classAttempts: { timeout: 2 } },
    is: 'same',
  },
  {
    name: 'sent after more patience than there is now',
    was: recordedAs('sent', '', { attempt: 3, ...tried(5) }),
    policy: { patienceMs: 4 * HOUR },
    is: 'would_fail',
  },
  { name: 'refused by the provider', was: recordedAs('failed', 'recipient_refused'), is: 'same' },
  {
    name: 'refused by the provider, does not render now',
    was: recordedAs('failed', 'provider_refused'),
    made: bad,
    is: 'fails_differently',
  },
  { name: 'attempts used up', was: recordedAs('dead', 'attempts_exhausted', { attempt: 4, ...tried(40) }), is: 'same' },
  {
    name: 'attempts used up, and there are more now',
    was: recordedAs('dead', 'attempts_exhausted', { attempt: 4, ...tried(1) }),
    policy: { maxAttempts: 8 },
    is: 'would_send',
  },
  {
    name: 'patience used up',
    was: recordedAs('dead', 'patience_exhausted', { attempt: 3, ...tried(23.5) }),
    is: 'same',
  },
  {
    name: 'patience used up, and there is more now',
    was: recordedAs('dead', 'patience_exhausted', { attempt: 3, ...tried(23.5) }),
    policy: { patienceMs: 48 * HOUR },
    is: 'would_send',
  },
  { name: 'no variable', was: recordedAs('dead', 'missing_variable', { attempt: 0 }), made: bad, is: 'same' },
  {
    name: 'no variable, which is there now',
    was: recordedAs('dead', 'missing_variable', { attempt: 0 }),
    is: 'would_send',
  },
  {
    name: 'another reason',
    was: recordedAs('dead', 'render_failed', { attempt: 0 }),
    made: bad,
    is: 'fails_differently',
  },
  { name: 'unreadable', was: recordedAs('dead', 'undecodable', { attempt: 0 }), unreadable: true, is: 'same' },
  { name: 'unreadable, and read now', was: recordedAs('dead', 'unknown_schema', { attempt: 0 }), is: 'would_send' },
  {
    name: 'no recipient for this channel',
    was: recordedAs('dead', 'invalid_recipient', { attempt: 0 }),
    is: 'would_send',
  },
  { name: 'the same, in the word of the channel', was: recordedAs('dead', 'invalid_recipient'), is: 'same' },
  { name: 'somebody died of it', was: recordedAs('dead', 'crashed'), made: bad, is: 'same' },
  { name: 'expired', was: recordedAs('expired', 'expired'), message: old, made: bad, is: 'same' },
  { name: 'expired, by a bound that is gone', was: recordedAs('expired', 'expired'), is: 'would_send' },
  { name: 'cancelled', was: recordedAs('cancelled', 'cancelled'), made: bad, is: 'same' },
  { name: 'suppressed', was: recordedAs('suppressed'), made: bad, is: 'same' },
];

for (const c of CASES)
  test(`${c.name}: ${c.is}`, (t) => {
    const message = messageOf(id, 1, { queued_at: QUEUED, ...c.message });
    const read = c.unreadable ? ended : ({ ok: true, message } as const);
    const now = outcomeNow(c.was, read, campaign, () => c.made ?? fine, { ...policy, ...c.policy });
    t.is(categoryOf(c.was, now, false), c.is, JSON.stringify(now));
    if (c.is === 'same') t.is(categoryOf(c.was, now, true), 'renders_differently');
  });

test('what kills whoever handles it, and what was never rendered, is not rendered', (t) => {
  const read = { ok: true, message: messageOf(id, 1, old) } as const;
  for (const was of [
    recordedAs('dead', 'crashed'),
    recordedAs('expired', 'expired'),
    recordedAs('cancelled', 'cancelled'),
  ])
    t.is(outcomeNow(was, read, campaign, () => t.fail() as never, policy).outgoing, undefined);
});
