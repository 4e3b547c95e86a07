import { ROUTES } from '@volley/contract/http';
import { DEFAULT_PROVIDERS, parseProviders } from '@volley/contract/providers';
import test from 'ava';
import { providerList } from '../../../src/adapters/http/provider-handlers.ts';

const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const file = [
  { name: 'mail', channel: 'smtp', url: 'smtp://user:pw@mail.example:25', from: 'a@b.example', rate_per_second: 5 },
  { name: 'other-mail', channel: 'smtp', url: 'smtps://mail.example', burst: 9, rate_per_second: 1, concurrency: 2 },
  { name: 'hook', channel: 'webhook', url: 'https://user:pw@hook.example/x', secret: SECRET },
];

test('every provider in the order of the file, the first of a channel is its default', (t) => {
  const parsed = parseProviders(JSON.stringify(file));
  const body = providerList(parsed.ok ? parsed.providers : []);
  const none = { from: null, rate_per_second: null, concurrency: null };
  t.deepEqual(body.data, [
    { ...none, name: 'mail', channel: 'smtp', is_default: true, from: 'a@b.example', rate_per_second: 5 },
    { ...none, name: 'other-mail', channel: 'smtp', is_default: false, rate_per_second: 1, concurrency: 2 },
    { ...none, name: 'hook', channel: 'webhook', is_default: true },
  ]);
  t.deepEqual(ROUTES.listProviders.answer.parse(body), body);
});

test('no url, password or secret is told', (t) => {
  const parsed = parseProviders(JSON.stringify(file));
  t.true(parsed.ok);
  t.notRegex(JSON.stringify(providerList(parsed.ok ? parsed.providers : [])), /pw|whsec|example[/:]|mail\.example/);
});

test('without a file there are the two that it stands for', (t) => {
  t.deepEqual(
    providerList(DEFAULT_PROVIDERS).data.map((p) => [p.name, p.is_default]),
    [
      ['simulated', true],
      ['webhook', true],
    ],
  );
});
