import { HEADERS, type Message } from '@volley/contract';
import test from 'ava';
import type { SendOutcome } from '../src/ports.ts';
import { replay } from './replay-support.ts';
import {
  campaignEvent,
  createWorld,
  messageOf,
  newCampaignId,
  recordingChannel,
  startDispatcher,
  until,
} from './support.ts';

const refused: SendOutcome = { ok: false, failure: { protocol: 'http', status: 400, detail: 'no' } };
const busy: SendOutcome = { ok: false, failure: { protocol: 'http', status: 500, detail: 'later' } };
const NOTHING = {
  would_send: 0,
  would_fail: 0,
  renders_differently: 0,
  fails_differently: 0,
  not_recorded: 0,
  samples: [],
};

/** By what the recipient begins with: refused for good, never taken, taken at the third attempt, or taken. */
const byRecipient = (attempts: Map<string, number>) =>
  recordingChannel(({ recipient }, attempt) => {
    attempts.set(recipient, attempt);
    if (recipient.startsWith('refused')) return refused;
    if (recipient.startsWith('dead')) return busy;
    return recipient.startsWith('flaky') && attempt < 3 ? busy : { ok: true, detail: 'ok' };
  });

/** A campaign with messages of every end, sent by a real dispatcher over the log in memory. */
async function finishedCampaign() {
  const world = await createWorld();
  const campaignId = newCampaignId();
  await world.campaign(campaignEvent(campaignId, { version: 2, template: 'Hi {{name}}', max_attempts: 4 }));
  const attempts = new Map<string, number>();
  const channel = byRecipient(attempts);
  const dispatcher = await startDispatcher(world, { channel });
  const kinds = ['ok', 'refused', 'dead', 'flaky', 'nameless', 'late'];
  const messages = Array.from({ length: 60 }, (_, i): Message => {
    const kind = kinds[i % kinds.length] as string;
    return messageOf(campaignId, i + 1, {
      campaign_version: 2,
      recipient: `${kind}-${i}@example.org`,
      ...(kind === 'nameless' ? { vars: '{}' } : {}),
      ...(kind === 'late' ? { expires_at: Date.now() - 1 } : {}),
    });
  });
  for (const [i, message] of messages.entries()) await world.messages(i % 3, [message]);
  // Records of the same partitions that are nobody's business here.
  const other = newCampaignId();
  await world.campaign(campaignEvent(other));
  for (const p of [0, 1, 2]) await world.messages(p, [messageOf(other, p + 1)]);
  await world.messages(0, [messageOf(campaignId, 900, { campaign_version: 2 })], { headers: { [HEADERS.test]: '1' } });
  await world.raw(1, Buffer.from('no record'), headersFor(campaignId, 61), campaignId);
  await until(() => world.allSettled());
  return { world, campaignId, messages, dispatcher, channel };
}

const headersFor = (campaignId: string, ordinal: number) => {
  const m = messageOf(campaignId, ordinal);
  return {
    [HEADERS.messageId]: m.message_id,
    [HEADERS.tenantId]: m.tenant_id,
    [HEADERS.campaignId]: campaignId,
    [HEADERS.lane]: m.lane,
  };
};

const completed = (campaignId: string, more = {}) =>
  campaignEvent(campaignId, {
    version: 3,
    status: 'completed_with_failures',
    template: 'Hi {{name}}',
    max_attempts: 4,
    ...more,
  });

test('nothing has changed: a finished campaign with every end is the same', async (t) => {
  const { world, campaignId, dispatcher } = await finishedCampaign();
  await world.campaign(completed(campaignId));
  await dispatcher.stop();
  const result = await replay(world, campaignId);
  t.like(result, { messages: 61, same: 61, unattributed: 0, ...NOTHING });
  t.deepEqual(result.recorded, { sent: 20, failed: 10, dead: 21, expired: 10 });
});

test('another template: exactly the messages that come out differently', async (t) => {
  const { world, campaignId, dispatcher } = await finishedCampaign();
  await dispatcher.stop();
  // Expired ones are not rendered, and who has no name gets none now either.
  const all = await replay(world, campaignId, { template: 'Hello {{name}}' });
  t.like(all, { messages: 61, renders_differently: 40, same: 21, would_send: 0, would_fail: 0, fails_differently: 0 });
  t.is(all.samples.length, 25);
  t.like(all.samples[0], {
    difference: 'renders_differently',
    was: { kind: 'sent', body: 'Hi N1' },
    would_be: { kind: 'sent', body: 'Hello N1' },
  });

  const one = await replay(world, campaignId, { template: '{% if name == "N7" %}Hey{% else %}Hi{% endif %} {{name}}' });
  t.like(one, { messages: 61, renders_differently: 1, same: 60 });
  t.deepEqual(
    one.samples.map((sample) => sample.recipient),
    ['ok-6@example.org'],
  );

  const subject = await replay(world, campaignId, { subject: 'Hello, {{name}}' });
  t.like(subject, { renders_differently: 40, same: 21 });
  t.like(subject.samples[0]?.would_be, { subject: 'Hello, N1' });
});

test('another template: who would get a message now, and who would get none', async (t) => {
  const { world, campaignId, dispatcher } = await finishedCampaign();
  await dispatcher.stop();
  const kinder = await replay(world, campaignId, { template: 'Hi {{ name | default: "you" }}', subject: 'Hello' });
  // The subject is another one for everybody who had one.
  t.like(kinder, { would_send: 10, renders_differently: 40, same: 11, would_fail: 0 });
  t.deepEqual(kinder.reasons, { would_send: { missing_variable: 10 } });

  const stricter = await replay(world, campaignId, { template: 'Hi {{name}} of {{city}}' });
  t.like(stricter, { would_fail: 20, fails_differently: 20, same: 21, would_send: 0, renders_differently: 0 });
  t.deepEqual(stricter.reasons, { would_fail: { missing_variable: 20 }, fails_differently: { missing_variable: 20 } });
});

test('the campaign says something else than it did: what its messages were made of is the version that they carry', async (t) => {
  const { world, campaignId, dispatcher } = await finishedCampaign();
  await dispatcher.stop();
  await world.campaign(completed(campaignId, { template: 'Hi there' }));
  // Who has no name still gets no subject.
  t.like(await replay(world, campaignId), { renders_differently: 40, would_send: 0, same: 21 });
  await world.campaign(completed(campaignId, { version: 4, template: 'Hi there', subject: '' }));
  t.like(await replay(world, campaignId), { renders_differently: 40, would_send: 10, same: 11 });
});

test('what attempts were allowed is decided again', async (t) => {
  const world = await createWorld();
  const campaignId = newCampaignId();
  await world.campaign(campaignEvent(campaignId));
  const dispatcher = await startDispatcher(world, { channel: byRecipient(new Map()), policy: { maxAttempts: 3 } });
  const recipients = ['ok@x.org', 'flaky@x.org', 'dead@x.org', 'refused@x.org'];
  await world.messages(
    0,
    recipients.map((recipient, i) => messageOf(campaignId, i + 1, { recipient })),
  );
  await until(() => world.allSettled());
  await dispatcher.stop();
  const same = await replay(world, campaignId, {}, { policy: { maxAttempts: 3 } });
  t.like(same, { same: 4, ...NOTHING });
  const more = await replay(world, campaignId, {}, { policy: { maxAttempts: 4 } });
  t.like(more, { same: 3, would_send: 1, reasons: { would_send: { attempts_exhausted: 1 } } });
  t.like(more.samples[0], { recipient: 'dead@x.org', was: { kind: 'dead' }, would_be: { kind: 'again' } });
  const fewer = await replay(world, campaignId, {}, { policy: { maxAttempts: 2 } });
  t.like(fewer, { same: 3, would_fail: 1, reasons: { would_fail: { attempts_exhausted: 1 } } });
});

test('cancelled messages stay cancelled, whatever their template would say', async (t) => {
  const world = await createWorld();
  const campaignId = newCampaignId();
  await world.campaign(campaignEvent(campaignId, { version: 1, status: 'cancelling' }));
  const dispatcher = await startDispatcher(world);
  await world.messages(
    2,
    [1, 2, 3].map((n) => messageOf(campaignId, n)),
  );
  await until(() => world.allSettled());
  await dispatcher.stop();
  await world.campaign(campaignEvent(campaignId, { version: 2, status: 'cancelled' }));
  const result = await replay(world, campaignId, { template: '{{ nobody }}' });
  t.like(result, { messages: 3, same: 3, recorded: { cancelled: 3 } });
});

test('messages on their way are not recorded, and no difference', async (t) => {
  const world = await createWorld();
  const campaignId = newCampaignId();
  await world.campaign(campaignEvent(campaignId));
  await world.messages(0, [messageOf(campaignId, 1)]);
  const dispatcher = await startDispatcher(world);
  await until(() => world.allSettled());
  await dispatcher.stop();
  await world.messages(0, [messageOf(campaignId, 2), messageOf(campaignId, 2), messageOf(campaignId, 3)]);
  t.like(await replay(world, campaignId), { messages: 3, same: 1, not_recorded: 2, samples: [] });
});

test('a message that was redriven counts once, as its last run', async (t) => {
  const world = await createWorld();
  const campaignId = newCampaignId();
  await world.campaign(campaignEvent(campaignId));
  const outcomes: SendOutcome[] = [refused, refused, { ok: true, detail: 'ok' }];
  const dispatcher = await startDispatcher(world, { channel: recordingChannel(() => outcomes.shift() ?? refused) });
  const redrive = { headers: { [HEADERS.redrive]: 'r' } };
  for (const run of [0, 1, 2]) {
    await world.messages(0, [messageOf(campaignId, 1, { run })], run === 0 ? {} : redrive);
    await until(() => world.allSettled());
  }
  await world.messages(0, [messageOf(campaignId, 2)]);
  await until(() => world.allSettled());
  await world.messages(0, [messageOf(campaignId, 2, { run: 1, vars: '{}' })], redrive);
  await until(() => world.allSettled());
  await dispatcher.stop();
  const result = await replay(world, campaignId);
  t.like(result, { messages: 2, same: 2, recorded: { sent: 1, dead: 1 }, ...NOTHING });
});
