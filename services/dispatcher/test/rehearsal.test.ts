import { rehearsalProviderOf, rehearsalTenantOf } from '@volley/contract';
import { createMetrics } from '@volley/runtime';
import test from 'ava';
import { createRoutes } from '../src/adapters/providers.ts';
import { createRehearsalChannel } from '../src/adapters/rehearsal.ts';
import { createWatch } from '../src/adapters/watch.ts';
import { createTargets } from '../src/adapters/webhook/channel.ts';
import type { EventEffect, KeptEffect } from '../src/core/effect.ts';
import { METRICS } from '../src/metrics.ts';
import type { OutgoingMessage } from '../src/ports.ts';
import {
  campaignEvent,
  createWorld,
  messageOf,
  newCampaignId,
  recordingChannel,
  startDispatcher,
  until,
} from './support.ts';

const TENANT = rehearsalTenantOf('default');
const mail = { name: 'mail', channel: 'smtp', url: 'smtp://127.0.0.1', from: 'Volley <news@volley.test>' } as const;

test('a rehearsal is rendered, checked and counted as the campaign would be, and its provider gets nothing', async (t) => {
  const world = await createWorld();
  const real = recordingChannel();
  const routes = createRoutes(
    [mail],
    () => real,
    () => createRehearsalChannel(() => undefined),
  );
  const id = newCampaignId();
  const of = { tenant_id: TENANT, channel: 'smtp', provider: rehearsalProviderOf('mail'), from: '' };
  await world.campaign(campaignEvent(id, of));
  const recipients = ['ann@example.org', 'not an address', 'ben@example.org'];
  const messages = recipients.map((recipient, i) =>
    messageOf(id, i + 1, { tenant_id: TENANT, recipient, ...(i === 2 ? { vars: '{}' } : {}) }),
  );
  await world.messages(0, messages);
  const dispatcher = await startDispatcher(world, { routes });
  await until(() => world.allSettled());
  await dispatcher.stop();
  t.deepEqual(real.sent, []);
  const events = (await world.events()).map(({ event }) => event);
  t.deepEqual(
    events.map((e) => [e.tenant_id, e.recipient, e.kind, e.reason, e.channel, e.provider]),
    [
      [TENANT, 'ann@example.org', 'sent', '', 'smtp', 'rehearsal:mail'],
      [TENANT, 'not an address', 'dead', 'invalid_recipient', 'smtp', 'rehearsal:mail'],
      [TENANT, 'ben@example.org', 'dead', 'missing_variable', 'smtp', 'rehearsal:mail'],
    ],
  );
});

test('a rehearsal that names a real provider waits, and sends nothing', async (t) => {
  const world = await createWorld();
  const real = recordingChannel();
  const routes = createRoutes(
    [mail],
    () => real,
    () => createRehearsalChannel(() => undefined),
  );
  const [wrong, right] = [newCampaignId(), newCampaignId()];
  await world.campaign(campaignEvent(wrong, { tenant_id: TENANT, channel: 'smtp', provider: 'mail' }));
  await world.campaign(campaignEvent(right, { channel: 'smtp', provider: 'mail' }));
  await world.messages(0, [messageOf(wrong, 1, { tenant_id: TENANT }), messageOf(right, 1)]);
  const dispatcher = await startDispatcher(world, { routes });
  await until(() => real.sent.length > 0 && dispatcher.pipeline.state().held.length > 0);
  t.deepEqual(
    real.sent.map(({ message }) => message.campaignId),
    [right],
  );
  t.like(dispatcher.pipeline.state().held[0], { campaignId: wrong, on: 'provider_missing' });
  await dispatcher.stop(0);
});

test('what a webhook would refuse without asking anybody, its rehearsal refuses as well', async (t) => {
  const targetOf = createTargets({ url: 'recipient:', allow: [] });
  const channel = createRehearsalChannel((message) => {
    const target = targetOf(message);
    return 'url' in target ? undefined : target;
  });
  const to = (recipient: string) =>
    channel.send({ recipient } as OutgoingMessage, { attempt: 1, signal: new AbortController().signal });
  t.like(await to('https://example.org/hook'), { ok: true });
  t.like(await to('http://127.0.0.1/hook'), { ok: false, failure: { code: 'EBLOCKED' } });
  t.like(await to('ann@example.org'), { ok: false, failure: { code: 'ERR_INVALID_URL' } });
});

test('the figures of real campaigns do not know of rehearsals', async (t) => {
  const metrics = createMetrics(METRICS, false);
  const watch = createWatch(metrics);
  const effect = (tenant_id: string) =>
    ({
      event: { kind: 'dead', tenant_id, reason: 'missing_variable' },
      kept: { as: 'letter', facts: { reason: 'missing_variable' } },
    }) as unknown;
  for (const tenant of ['default', TENANT, TENANT]) {
    watch.recorded([effect(tenant) as EventEffect]);
    watch.kept([effect(tenant) as KeptEffect]);
  }
  const text = await metrics.registry.metrics();
  t.regex(text, /volley_dispatcher_events_total\{kind="dead"\} 1\n/);
  t.regex(text, /volley_dispatcher_dead_letters_total\{reason="missing_variable"\} 1\n/);
  t.regex(text, /volley_dispatcher_rehearsed_total\{kind="dead"\} 2\n/);
});
