import { rehearsalProviderOf, rehearsalTenantOf } from '@volley/contract';
import test from 'ava';
import { createRoutes } from '../../src/adapters/providers.ts';
import type { Channel } from '../../src/ports.ts';

const channel = {} as Channel;
const silent = {} as Channel;
const mail = { name: 'mail', channel: 'smtp', url: 'smtp://127.0.0.1', rate_per_second: 10, burst: 50 } as const;
const routes = createRoutes(
  [mail],
  () => channel,
  () => silent,
);
const REHEARSALS = rehearsalTenantOf('default');

test('a route has the limits that the file gives its provider', (t) => {
  const limits = { ratePerSecond: 10, burst: 50, concurrency: 16 };
  t.like(routes.find('smtp', '', 'default'), { name: 'mail', ...limits });
  t.is(routes.find('smtp', '', 'default')?.channel, channel);
  t.is(routes.find('webhook', '', 'default'), undefined);
});

test('a rehearsal has a provider with the limits of the real one, which sends nothing', (t) => {
  const name = rehearsalProviderOf('mail');
  const route = routes.find('smtp', name, REHEARSALS);
  t.like(route, { name, kind: 'smtp', ratePerSecond: 10, burst: 50, concurrency: 16 });
  t.is(route?.channel, silent);
  t.is(routes.find('smtp', name, REHEARSALS), route, 'one for all its messages');
});

for (const [what, provider, tenant] of [
  ['a rehearsal never finds a real provider', 'mail', REHEARSALS],
  ['nor the first of its channel', '', REHEARSALS],
  ['a real campaign never finds one that sends nothing', rehearsalProviderOf('mail'), 'default'],
  ['a rehearsal of a provider that is not configured waits', rehearsalProviderOf('other'), REHEARSALS],
] as const)
  test(what, (t) => {
    t.is(routes.find('smtp', provider, tenant), undefined);
  });
