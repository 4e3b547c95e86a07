import test from 'ava';
import { DEFAULT_PROVIDERS, findProvider, parseProviders } from '../src/providers.ts';

/** 24 bytes, the least that Standard Webhooks allows. */
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const smtp = { name: 'mail', channel: 'smtp', url: 'smtp://user:hunter2@mail.example.com:587' };

const hook = { name: 'hook-1', channel: 'webhook', url: 'https://example.com/in' };

test('a file with all fields', (t) => {
  const providers = [
    { ...smtp, from: 'News <news@example.com>', rate_per_second: 12.5, burst: 50, concurrency: 8 },
    { name: 'hook-1', channel: 'webhook', url: 'https://example.com/in', secret: SECRET },
    { name: 'sim', channel: 'simulated', url: 'simulated:?min_ms=0&max_ms=1' },
  ];
  t.deepEqual(parseProviders(JSON.stringify(providers)), { ok: true, providers } as never);
});

test('a webhook provider may leave the address to the recipients, and have two secrets', (t) => {
  const providers = [
    { ...hook, url: 'recipient:', secret: `${SECRET} whsec_${Buffer.alloc(64, 7).toString('base64')}` },
  ];
  t.true(parseProviders(JSON.stringify(providers)).ok);
});

test('an empty list is a list', (t) => {
  t.deepEqual(parseProviders('[]'), { ok: true, providers: [] });
});

const WRONG: [what: string, file: unknown, errors: RegExp[]][] = [
  ['no list', {}, [/providers\//]],
  ['null', null, [/providers\//]],
  ['an unknown field', [{ ...smtp, pasword: 'x' }], [/providers\/0: .*pasword/]],
  ['no name', [{ channel: 'smtp', url: 'x' }], [/providers\/0\/name/]],
  ['a name with capitals', [{ ...smtp, name: 'Mail' }], [/providers\/0\/name: lower-case letters/]],
  ['a name of 64 characters', [{ ...smtp, name: 'x'.repeat(64) }], [/providers\/0\/name/]],
  ['an unknown channel', [{ ...smtp, channel: 'pigeon' }], [/providers\/0\/channel/]],
  ['a mail server that is a page', [{ ...smtp, url: 'https://mail.example.com' }], [/providers\/0\/url: .*smtp/]],
  ['a webhook to a file', [{ ...hook, url: 'file:///etc/passwd' }], [/providers\/0\/url: .*https/]],
  ['a webhook to no host', [{ ...hook, url: 'https://' }], [/providers\/0\/url/]],
  ['a webhook to recipient:x', [{ ...hook, url: 'recipient:x' }], [/providers\/0\/url/]],
  ['a simulated provider somewhere', [{ ...smtp, channel: 'simulated' }], [/providers\/0\/url: .*simulated/]],
  ['a short secret', [{ ...hook, secret: 'whsec_abc' }], [/providers\/0\/secret: whsec_/]],
  ['a secret that is no base64', [{ ...hook, secret: `whsec_${'!'.repeat(40)}` }], [/providers\/0\/secret/]],
  [
    'a second secret without its prefix',
    [{ ...hook, secret: `${SECRET} ${SECRET.slice(6)}` }],
    [/providers\/0\/secret/],
  ],
  ['an empty address', [{ ...smtp, url: '' }], [/providers\/0\/url/]],
  ['a rate of zero', [{ ...smtp, rate_per_second: 0 }], [/providers\/0\/rate_per_second/]],
  ['a burst of nothing', [{ ...smtp, rate_per_second: 5, burst: 0 }], [/providers\/0\/burst/]],
  ['a burst without a rate', [{ ...smtp, burst: 5 }], [/providers\/0\/burst: .*rate_per_second/]],
  ['a fraction of a call', [{ ...smtp, concurrency: 1.5 }], [/providers\/0\/concurrency/]],
  ['the same name twice', [smtp, { ...smtp, url: 'smtp://b' }], [/the name mail is there twice/]],
  ['too many', Array.from({ length: 1_001 }, (_, i) => ({ ...smtp, name: `p${i}` })), [/providers\//]],
  [
    'several errors at once',
    [{ ...smtp, channel: 1 }, smtp, { ...smtp, rate_per_second: -1 }],
    [/providers\/0\/channel/, /providers\/2\/rate_per_second/],
  ],
];
for (const [what, file, errors] of WRONG) {
  test(`refused: ${what}`, (t) => {
    const result = parseProviders(JSON.stringify(file));
    t.false(result.ok);
    const all = result.ok ? '' : result.errors.join('\n');
    for (const error of errors) t.regex(all, error);
  });
}

for (const text of ['', '{', '[{"name": }]', 'providers: []']) {
  test(`refused: not JSON: ${JSON.stringify(text)}`, (t) => {
    t.deepEqual(parseProviders(text), { ok: false, errors: ['the providers file is not JSON'] });
  });
}

test('no sentence repeats a password or a secret', (t) => {
  const bad = [
    { ...smtp, secret: 'topsecret', channel: 'x' },
    { ...smtp, name: '!' },
    { ...smtp, url: 7 },
  ];
  for (const text of [JSON.stringify(bad), `${JSON.stringify(bad)}]`]) {
    const result = parseProviders(text);
    t.notRegex(result.ok ? 'accepted' : result.errors.join('\n'), /hunter2|topsecret|accepted/);
  }
});

test('without a name the first of the channel is taken; a name must be of the channel', (t) => {
  const parsed = parseProviders(JSON.stringify([smtp, { ...smtp, name: 'second' }]));
  const providers = parsed.ok ? parsed.providers : [];
  t.is(findProvider(providers, 'smtp')?.name, 'mail');
  t.is(findProvider(providers, 'smtp', '')?.name, 'mail');
  t.is(findProvider(providers, 'smtp', 'second')?.name, 'second');
  t.is(findProvider(providers, 'webhook', 'second'), undefined);
  t.is(findProvider(providers, 'smtp', 'third'), undefined);
});

test('without a file there is a simulated provider and one for recipients that are URLs, valid entries both', (t) => {
  t.true(parseProviders(JSON.stringify(DEFAULT_PROVIDERS)).ok);
  t.is(findProvider(DEFAULT_PROVIDERS, 'simulated')?.name, 'simulated');
  t.is(findProvider(DEFAULT_PROVIDERS, 'webhook')?.url, 'recipient:');
});
