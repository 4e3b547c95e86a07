import test from 'ava';
import { Webhook } from 'standardwebhooks';
import { signerOf } from '../../../src/adapters/webhook/sign.ts';

const secret = (fill: number) => `whsec_${Buffer.alloc(32, fill).toString('base64')}`;
const nowS = Math.floor(Date.now() / 1_000);

const bodies = ['{}', '{"name":"Zoë 🎉"}', `{"body":"${'x'.repeat(100_000)}"}`];
for (const body of bodies) {
  test(`the reference library verifies ${body.slice(0, 30)}`, (t) => {
    const signature = signerOf(secret(1))?.('id-1', nowS, Buffer.from(body)) ?? '';
    const headers = { 'webhook-id': 'id-1', 'webhook-timestamp': String(nowS), 'webhook-signature': signature };
    t.notThrows(() => new Webhook(secret(1)).verify(body, headers));
    for (const changed of [
      { ...headers, 'webhook-id': 'id-2' },
      { ...headers, 'webhook-timestamp': String(nowS + 1) },
    ])
      t.throws(() => new Webhook(secret(1)).verify(body, changed));
    t.throws(() => new Webhook(secret(1)).verify(`${body} `, headers));
    t.throws(() => new Webhook(secret(2)).verify(body, headers));
  });
}

test('with two secrets a receiver with either verifies', (t) => {
  const signature = signerOf(`${secret(1)} ${secret(2)}`)?.('id', nowS, Buffer.from('{}')) ?? '';
  const headers = { 'webhook-id': 'id', 'webhook-timestamp': String(nowS), 'webhook-signature': signature };
  for (const fill of [1, 2]) t.notThrows(() => new Webhook(secret(fill)).verify('{}', headers));
  t.throws(() => new Webhook(secret(3)).verify('{}', headers));
});

test('without a secret nothing is signed', (t) => {
  t.is(signerOf(undefined), undefined);
  t.is(signerOf(''), undefined);
});
