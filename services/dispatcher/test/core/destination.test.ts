import test from 'ava';
import { hostOf, isUrl } from '../../src/core/destination.ts';

const rows: readonly [kind: string, recipient: string, host: string][] = [
  ['webhook', 'https://Hooks.Example.org/in?x=1', 'hooks.example.org'],
  ['webhook', 'HTTPS://hooks.example.org:443/', 'hooks.example.org'],
  ['webhook', 'http://hooks.example.org:8443/', 'hooks.example.org:8443'],
  ['webhook', 'https://user:pw@hooks.example.org/', 'hooks.example.org'],
  ['webhook', 'http://2130706433/', '127.0.0.1'],
  ['webhook', 'http://①②⑦.⓪.⓪.①/', '127.0.0.1'],
  ['webhook', 'https://bücher.example/', 'xn--bcher-kva.example'],
  ['webhook', 'http://[::ffff:127.0.0.1]/', '[::ffff:7f00:1]'],
  ['webhook', 'ann@example.org', ''],
  ['webhook', '+15550100', ''],
  ['webhook', 'http://[::1', ''],
  ['smtp', 'https://hooks.example.org/', ''],
  ['simulated', 'https://hooks.example.org/', ''],
];
for (const [kind, recipient, host] of rows) {
  test(`${kind} to ${recipient} goes to ${host || 'the provider'}`, (t) => t.is(hostOf(kind, recipient), host));
}

test('whatever has a scheme and an authority is a URL, so that none is handed on to the provider as a name', (t) => {
  t.true(isUrl('gopher://x/'));
  t.true(isUrl('HTTP://x'));
  t.false(isUrl('mailto:a@b.example'));
  t.false(isUrl('a@b.example'));
  t.false(isUrl(' http://x'));
});
