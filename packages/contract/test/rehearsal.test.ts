import test from 'ava';
import { isRehearsal, rehearsalProviderOf, rehearsalTenantOf, rehearsedProvider } from '../src/index.ts';
import { parseProviders } from '../src/providers.ts';

test('a tenant of rehearsals is never the tenant itself, and its provider none that can be configured', (t) => {
  t.true(isRehearsal(rehearsalTenantOf('default')));
  t.false(isRehearsal('default'));
  t.is(rehearsedProvider(rehearsalProviderOf('mail')), 'mail');
  t.is(rehearsedProvider('mail'), undefined);
  const file = JSON.stringify([{ name: rehearsalProviderOf('mail'), channel: 'simulated', url: 'simulated:' }]);
  t.false(parseProviders(file).ok);
});
