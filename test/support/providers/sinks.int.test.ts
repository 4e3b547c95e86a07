import { once } from 'node:events';
import net from 'node:net';
import test from 'ava';
import { until } from '../until.ts';
import { startHttpSink } from './http-sink.ts';
import { startSmtpSink } from './smtp-sink.ts';

test('the HTTP sink answers as its recipients are scripted, and writes every call down', async (t) => {
  const sink = await startHttpSink();
  t.teardown(() => sink.close());
  let n = 0;
  const call = async (recipient: string, id = `id-${++n}`, timeoutMs = 5_000) => {
    const headers = { 'webhook-id': id, 'webhook-attempt': '3' };
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(sink.url, { method: 'POST', headers, body: JSON.stringify({ recipient }), signal });
    return {
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      bytes: (await response.text()).length,
    };
  };
  t.like(await call('a@x.org'), { status: 204 });
  t.like(await call('a+refuse@x.org'), { status: 400 });
  t.like(await call('a+always-transient@x.org'), { status: 503 });
  t.like(await call('a+throttle@x.org'), { status: 429, retryAfter: '1' });
  t.regex((await call('a+throttle-date@x.org')).retryAfter ?? '', /GMT$/);
  t.like(await call('a+huge@x.org'), { status: 200, bytes: 1_048_576 });
  await t.throwsAsync(call('a+lost@x.org', 'lost'));
  t.like(await call('a+lost@x.org', 'lost'), { status: 204 });
  await t.throwsAsync(call('a+hang@x.org', 'hang', 50));
  await t.throwsAsync(call('a+drip@x.org', 'drip', 50));
  t.is(sink.receipts().filter((r) => r.messageId === 'lost' && r.accepted).length, 2, 'taken twice');
  t.false(sink.receipts().some((r) => r.accepted && (r.messageId === 'hang' || r.messageId === 'drip')));
  t.true(sink.entries.every((entry) => entry.attempt === 3));
});

test('the SMTP sink takes what arrived whole, and does after the final dot what the recipient says', async (t) => {
  const sink = await startSmtpSink();
  t.teardown(() => sink.close());
  const send = async (recipient: string, id: string) => {
    const socket = net.connect(sink.port, '127.0.0.1');
    t.teardown(() => socket.destroy());
    let heard = '';
    let ended = '';
    socket.on('data', (chunk) => {
      heard += chunk.toString();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      ended = error.code ?? '';
    });
    await once(socket, 'connect');
    socket.write(`EHLO me\r\nMAIL FROM:<a@x.org>\r\nRCPT TO:<${recipient}>\r\nDATA\r\n`);
    await until('it goes on', () => heard.includes('354'));
    socket.write(`Subject: x\r\nX-Volley-Message-Id: ${id}\r\n\r\nX-Volley-Message-Id: not-this\r\n..\r\n.\r\n`);
    await until('it was written down', () => sink.entries.some((entry) => entry.messageId === id));
    const answer = () => heard.split('354 go on\r\n')[1] ?? '';
    return { answer, ended: () => ended };
  };
  const says = async (recipient: string, id: string, pattern: RegExp) => {
    const { answer } = await send(recipient, id);
    await until(`${recipient} hears ${pattern}`, () => pattern.test(answer()), { timeoutMs: 5_000, seen: answer });
  };
  await says('a@x.org', 'one', /^250 /);
  await says('a+refuse@x.org', 'two', /^550 5\.1\.1/);
  await says('a+transient1@x.org', 'three', /^451 4/);
  await says('a+throttle@x.org', 'four', /^454 .*Throttling/);
  await says('a+drip@x.org', 'five', /^250-$/);
  const lost = await send('a+lost@x.org', 'six');
  await until('it was reset', () => lost.ended() === 'ECONNRESET');
  t.is(lost.answer(), '');
  t.deepEqual(
    sink.receipts().map(({ messageId, accepted }) => [messageId, accepted]),
    [
      ['one', true],
      ['two', false],
      ['three', false],
      ['four', false],
      ['five', false],
      ['six', true],
    ],
  );
});
