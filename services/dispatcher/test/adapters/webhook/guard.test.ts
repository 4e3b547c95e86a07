import type { LookupAddress } from 'node:dns';
import test from 'ava';
import fc from 'fast-check';
import { createGuard, hostnameOf, isPublic, portOf } from '../../../src/adapters/webhook/guard.ts';
import { createResolver, guardedLookup, type Resolve } from '../../../src/adapters/webhook/lookup.ts';

const guardOf = (allow: readonly string[] = [], httpsOnly = false, told: string[] = []) =>
  createGuard({ allow, httpsOnly, onAllowed: (entry, host) => told.push(`${entry} for ${host}`) });
const refusalOf = (url: string, allow?: readonly string[], httpsOnly?: boolean) =>
  guardOf(allow, httpsOnly).refusalOf(new URL(url));

const PRIVATE: readonly [what: string, ...addresses: string[]][] = [
  ['loopback', '127.0.0.1', '127.255.255.254', '::1'],
  ['RFC 1918', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
  ['link-local, metadata', '169.254.169.254', '169.254.0.1', 'fe80::1', 'fec0::1'],
  ['metadata over IPv6', 'fd00:ec2::254'],
  ['carrier-grade NAT', '100.64.0.1', '100.127.255.255', '100.100.100.200'],
  ['this network', '0.0.0.0', '0.1.2.3', '::'],
  ['multicast, broadcast', '224.0.0.1', '239.255.255.255', '255.255.255.255', 'ff02::1'],
  ['reserved, documentation, benchmarks', '240.0.0.1', '192.0.2.1', '198.51.100.7', '203.0.113.9', '198.18.0.1'],
  ['protocol assignments', '192.0.0.1', '192.88.99.1', '2001:1::1', '2001:db8::1', '3fff::1', '5f00::1', '100::1'],
  ['v4-mapped and v4-compatible', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::127.0.0.1', '::ffff:0:127.0.0.1'],
  ['NAT64', '64:ff9b::7f00:1', '64:ff9b::808:808', '64:ff9b:1::a00:1'],
  ['6to4, Teredo', '2002:7f00:1::', '2002:808:808::1', '2001::1', '2001:0:7f00:1::'],
  ['unique local', 'fc00::1', 'fdff::1'],
  ['no address at all', '', 'example.org', '1.2.3', 'localhost'],
];
for (const [what, ...addresses] of PRIVATE) {
  for (const address of addresses) test(`not public: ${what}: ${address}`, (t) => t.false(isPublic(address)));
}
for (const address of ['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450:4001::1']) {
  test(`public: ${address}`, (t) => t.true(isPublic(address)));
}

test('no address inside a private IPv4 range is public, in whatever IPv6 it is wrapped', (t) => {
  const octet = fc.integer({ min: 0, max: 255 });
  const inside = fc.oneof(
    fc.tuple(fc.constant(10), octet, octet, octet),
    fc.tuple(fc.constant(127), octet, octet, octet),
    fc.tuple(fc.constant(192), fc.constant(168), octet, octet),
    fc.tuple(fc.constant(169), fc.constant(254), octet, octet),
  );
  t.notThrows(() =>
    fc.assert(
      fc.property(inside, ([a, b, c, d]) => {
        const v4 = `${a}.${b}.${c}.${d}`;
        const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
        return ![v4, `::${v4}`, `::ffff:${v4}`, `64:ff9b::${hex}`, `2002:${hex}::1`].some(isPublic);
      }),
    ),
  );
});

const LOOPBACK_NAMES = [
  'http://127.0.0.1/',
  'http://127.1/',
  'http://2130706433/',
  'http://0177.0.0.1/',
  'http://0x7f.0.0.1/',
  'http://0x7f000001/',
  'http://①②⑦.⓪.⓪.①/',
  'http://127。0。0。1/',
  'http://127.0.0.1./',
  'http://%31%32%37.0.0.1/',
  'http://[::1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[0:0:0:0:0:ffff:7f00:1]/',
  'http://[::127.0.0.1]/',
  'http://[64:ff9b::127.0.0.1]/',
  'http://[2002:7f00:1::]/',
  'http://0/',
  'http://169.254.169.254/latest/meta-data/',
  'http://[fd00:ec2::254]/',
];
for (const url of LOOPBACK_NAMES) {
  test(`refused without a lookup: ${url}`, (t) => t.regex(refusalOf(url) ?? '', /is not a public address$/));
}

const REFUSED: readonly [string, RegExp][] = [
  ['file:///etc/passwd', /^file: is not called/],
  ['ftp://example.org/', /^ftp: is not called/],
  ['gopher://example.org/', /^gopher:/],
  ['ws://example.org/', /^ws:/],
  ['https://user:pw@example.org/', /user or password/],
  ['https://user@example.org/', /user or password/],
  ['https://:pw@example.org/', /user or password/],
  ['http://example.org:22/', /^port 22 is not called/],
  ['https://example.org:25/', /^port 25/],
  ['http://example.org:6667/', /^port 6667/],
  ['http://example.org:10080/', /^port 10080/],
];
for (const [url, sentence] of REFUSED) test(`refused: ${url}`, (t) => t.regex(refusalOf(url) ?? '', sentence));

for (const url of ['https://example.org/', 'http://example.org:8080/x?y', 'https://8.8.8.8/', 'http://[2606:4700::1]/'])
  test(`left to the address: ${url}`, (t) => t.is(refusalOf(url), undefined));

test('https only', (t) => {
  t.regex(refusalOf('http://example.org/', [], true) ?? '', /^http: is not called/);
  t.is(refusalOf('https://example.org/', [], true), undefined);
});

const ALLOWED: readonly [url: string, entry: string, open: boolean][] = [
  ['http://127.0.0.1:8080/', '127.0.0.1', true],
  ['http://2130706433:8080/', '127.0.0.1', true],
  ['http://127.0.0.1:8080/', '127.0.0.1:8080', true],
  ['http://127.0.0.1:8081/', '127.0.0.1:8080', false],
  ['http://127.0.0.1/', '127.0.0.1:80', true],
  ['https://127.0.0.1/', '127.0.0.1:443', true],
  ['https://127.0.0.1/', '127.0.0.1:80', false],
  ['http://127.0.0.2/', '127.0.0.1', false],
  ['http://10.20.3.4/', '10.20.0.0/16', true],
  ['http://10.21.3.4/', '10.20.0.0/16', false],
  ['http://[::1]/', '::1', true],
  ['http://[::1]:81/', '[::1]:81', true],
  ['http://[::1]:82/', '[::1]:81', false],
  ['http://[fd12::1]/', 'fd00::/8', true],
  ['http://[fe80::1]/', 'fd00::/8', false],
  ['http://[::ffff:10.0.0.1]/', '10.0.0.0/8', false],
  ['http://127.0.0.1:22/', '127.0.0.1', false],
  ['http://127.0.0.1:22/', '127.0.0.0/8', false],
  ['http://127.0.0.1:22/', '127.0.0.1:22', true],
  ['file://127.0.0.1/x', '127.0.0.1', false],
  ['http://a:b@127.0.0.1/', '127.0.0.1', false],
];
for (const [url, entry, open] of ALLOWED) {
  test(`${entry} ${open ? 'opens' : 'does not open'} ${url}`, (t) => {
    const told: string[] = [];
    const guard = guardOf([entry], false, told);
    t.is(guard.refusalOf(new URL(url)) === undefined, open);
    guard.refusalOf(new URL(url));
    t.true(told.length <= 1, 'told once');
    if (open) t.is(told[0], `${entry} for ${hostnameOf(new URL(url))}`);
  });
}

test('a public destination does not use the allow-list', (t) => {
  const told: string[] = [];
  t.is(guardOf(['8.8.8.8', '0.0.0.0/0'], false, told).refusalOf(new URL('http://8.8.8.8/')), undefined);
  t.deepEqual(told, []);
});

for (const entry of [
  '10.0.0.0/33',
  '10.0.0/',
  'http://x',
  'a b',
  '*.example.org',
  'x:99999',
  'x:y',
  'u@x',
  '',
  '/',
  'x/y',
]) {
  test(`the allow-list refuses ${JSON.stringify(entry)}`, (t) => {
    t.throws(() => guardOf([entry]), { message: /^VOLLEY_WEBHOOK_ALLOW: .* is neither/ });
  });
}

/** A resolver that answers each question with the next list. */
function answering(...answers: readonly (readonly string[])[]) {
  const questions: string[] = [];
  const resolve: Resolve = (hostname, _options, done) => {
    const addresses = answers[Math.min(questions.length, answers.length - 1)] ?? [];
    questions.push(hostname);
    queueMicrotask(() =>
      done(
        null,
        addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
      ),
    );
  };
  return { resolve, questions };
}
const dialled = (resolve: Resolve, allow: readonly string[] = [], all = true) =>
  new Promise<string[] | string>((done) => {
    const lookup = guardedLookup(guardOf(allow), 443, createResolver(resolve));
    lookup('name.example', { all }, (error, address) =>
      done(error ? `${error.code}` : typeof address === 'string' ? [address] : address.map((a) => a.address)),
    );
  });

const LOOKUPS: readonly [answer: string[], allow: string[], dialled: string[] | string][] = [
  [['8.8.8.8', '2606:4700::1'], [], ['8.8.8.8', '2606:4700::1']],
  [['127.0.0.1'], [], 'EBLOCKED'],
  [['10.0.0.1', '8.8.8.8', '::1', '169.254.169.254'], [], ['8.8.8.8']],
  [['10.0.0.1', '192.168.0.1'], [], 'EBLOCKED'],
  [[], [], 'EBLOCKED'],
  [['10.0.0.1', '8.8.8.8'], ['10.0.0.0/8'], ['10.0.0.1', '8.8.8.8']],
  [['10.0.0.1'], ['name.example'], ['10.0.0.1']],
  [['10.0.0.1'], ['name.example:443'], ['10.0.0.1']],
  [['10.0.0.1'], ['name.example:80'], 'EBLOCKED'],
  [['10.0.0.1'], ['other.example'], 'EBLOCKED'],
];
for (const [answer, allow, wanted] of LOOKUPS) {
  test(`a name that resolves to ${answer.join(', ') || 'nothing'}${allow.length > 0 ? `, with ${allow.join()} allowed` : ''}`, async (t) => {
    t.deepEqual(await dialled(answering(answer).resolve, allow), wanted);
    const [first] = wanted;
    t.deepEqual(
      await dialled(answering(answer).resolve, allow, false),
      typeof wanted === 'string' ? wanted : [first as string],
    );
  });
}

test('what was public is judged again when it is dialled again', async (t) => {
  const { resolve } = answering(['8.8.8.8'], ['127.0.0.1']);
  t.deepEqual(await dialled(resolve), ['8.8.8.8']);
  t.is(await dialled(resolve), 'EBLOCKED');
});

test('a resolver’s error is handed on', async (t) => {
  const resolve: Resolve = (_hostname, _options, done) =>
    done(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), []);
  t.is(await dialled(resolve), 'ENOTFOUND');
});

test('one name is asked for once at a time, and again when it was answered', async (t) => {
  const { resolve, questions } = answering(['8.8.8.8']);
  const resolveAll = createResolver(resolve);
  const ask = (name: string) => new Promise((done) => resolveAll(name, (_error, addresses) => done(addresses)));
  const answers = await Promise.all([ask('a'), ask('a'), ask('b'), ask('a')]);
  t.deepEqual(questions, ['a', 'b']);
  t.true(answers.every((a) => Array.isArray(a) && a.length === 1));
  await ask('a');
  t.deepEqual(questions, ['a', 'b', 'a']);
});

test('ports and hosts of URLs', (t) => {
  t.deepEqual(
    ['http://x/', 'https://x/', 'https://x:81/', 'https://[::1]/'].map((u) => [
      portOf(new URL(u)),
      hostnameOf(new URL(u)),
    ]),
    [
      [80, 'x'],
      [443, 'x'],
      [81, 'x'],
      [443, '::1'],
    ],
  );
});
