import net, { type AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import PostalMime from 'postal-mime';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { createSmtpChannel } from '../src/adapters/smtp/channel.ts';
import { createCampaignBook } from '../src/core/campaign-book.ts';
import { classify } from '../src/core/classify.ts';
import { outgoingOf } from '../src/core/outgoing.ts';
import type { CampaignState, OutgoingMessage, SendOutcome } from '../src/ports.ts';
import { campaignEvent, createWorld, messageOf, newCampaignId, startDispatcher, until } from './support.ts';

interface Mail {
  readonly to: string[];
  readonly raw: string;
}

async function mailServer(t: ExecutionContext, options: Partial<SMTPServerOptions> = {}) {
  const mails: Mail[] = [];
  const state = { connections: 0, most: 0 };
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onConnect(_session, done) {
      state.connections += 1;
      state.most = Math.max(state.most, state.connections);
      done();
    },
    onClose() {
      state.connections -= 1;
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        mails.push({
          to: session.envelope.rcptTo.map((r) => r.address),
          raw: Buffer.concat(chunks).toString('latin1'),
        });
        done();
      });
    },
    ...options,
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  t.teardown(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { mails, state, url: `smtp://127.0.0.1:${port}` };
}

/** A server of raw sockets that misbehaves in ways that no library would. */
async function rawServer(t: ExecutionContext, onConnection: (socket: net.Socket) => void) {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return { url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`, sockets };
}

const id = newCampaignId();
const campaign = (more: Parameters<typeof campaignEvent>[1] = {}): CampaignState => {
  const book = createCampaignBook();
  book.apply(campaignEvent(id, { channel: 'smtp', ...more }));
  return book.get(id) as CampaignState;
};
function mail(
  texts: { subject?: string; body?: string; recipientName?: string } = {},
  more: Parameters<typeof campaignEvent>[1] = {},
): OutgoingMessage {
  const made = outgoingOf(
    messageOf(id, 7),
    campaign(more),
    { subject: 'Hello', body: 'Hi', recipientName: '', ...texts },
    { kind: 'smtp', from: undefined },
  );
  if (!made.ok) throw new Error(made.detail);
  return made.message;
}
const call = () => ({ attempt: 1, signal: new AbortController().signal });
const meaning = (outcome: SendOutcome) => (outcome.ok ? 'accepted' : Object.values(classify(outcome.failure)).join());

const texts = [
  ['accents', 'José Müller', 'Crème brûlée à la carte — ça va ?', 'Grüße aus Köln, naïve façade.\n'],
  ['emoji', 'Zoë 🎉', '🎉 50 % off 👩‍👩‍👧‍👦 today', 'Tada 🎊🧨\n\n.hidden dot line\n..two dots\n'],
  ['right to left', 'محمد الأمين', 'مرحبا بالعالم', 'שלום עולם\nمرحبا\n'],
  ['Chinese', '王小明', '新品上架，限时优惠', '你好，世界\n'],
  ['quotes and commas', 'O\'Neil, "Bob"; <b@x>', 'a "quoted", <subject>; really', 'plain\n'],
  ['a long subject', 'Ann', 'ä'.repeat(300), `${'x'.repeat(3_000)}\n`],
] as const;

for (const contentType of ['text/plain', 'text/html'] as const) {
  for (const [title, recipientName, subject, body] of texts) {
    test(`${title} arrive as they were written, as ${contentType}`, async (t) => {
      const server = await mailServer(t);
      const channel = createSmtpChannel({ url: server.url, connections: 1, deadlineMs: 5_000 });
      const message = mail(
        { subject, body, recipientName },
        { content_type: contentType, reply_to: 'Réponse <r@x.org>' },
      );
      t.is(meaning(await channel.send(message, call())), 'accepted');
      await channel.close();
      t.is(server.mails.length, 1);
      const { raw, to } = server.mails[0] as Mail;
      const parsed = await PostalMime.parse(Buffer.from(raw, 'latin1'));
      t.deepEqual(to, ['r7@example.org']);
      t.is(parsed.subject, subject);
      t.deepEqual(parsed.to, [{ name: recipientName, address: 'r7@example.org' }]);
      t.deepEqual(parsed.from, { name: 'Volley', address: 'news@volley.test' });
      t.deepEqual(parsed.replyTo, [{ name: 'Réponse', address: 'r@x.org' }]);
      const content = contentType === 'text/html' ? parsed.html : parsed.text;
      t.is(content?.replaceAll('\r\n', '\n').trimEnd(), body.trimEnd());
      t.is(parsed.messageId, `<${message.messageId}@volley.test>`);
      t.is(parsed.headers.find((h) => h.key === 'x-volley-message-id')?.value, message.messageId);
      const headers = raw.slice(0, raw.indexOf('\r\n\r\n'));
      t.notRegex(headers, /[^\t\r\n\x20-\x7e]/, 'headers are ASCII on the wire');
      t.true(headers.split('\r\n').every((line) => line.length <= 998));
      t.is(headers.match(/^to:/gim)?.length, 1);
      t.is(headers.match(/^content-type:/gim)?.[0]?.toLowerCase(), 'content-type:');
      t.regex(headers, new RegExp(`^content-type: ${contentType}; charset=utf-8`, 'im'));
    });
  }
}

const answers: readonly [string, Partial<SMTPServerOptions>, string][] = [
  ['550 to RCPT', refusing('onRcptTo', 550, '5.1.1 no such user'), 'permanent,recipient_refused'],
  ['450 to RCPT', refusing('onRcptTo', 450, '4.2.1 try later'), 'transient,provider_transient'],
  ['550 policy to RCPT', refusing('onRcptTo', 550, '5.7.1 not wanted'), 'permanent,provider_refused'],
  ['553 to MAIL', refusing('onMailFrom', 553, '5.1.8 bad sender'), 'permanent,provider_refused'],
  ['451 to MAIL', refusing('onMailFrom', 451, '4.7.650 too fast'), 'throttled,provider_throttled'],
  ['554 after DATA', refusingData(554, '5.7.1 spam'), 'permanent,provider_refused'],
  ['452 after DATA', refusingData(452, '4.3.1 disk full'), 'transient,provider_transient'],
];

function refusal(responseCode: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode });
}
function refusing(at: 'onRcptTo' | 'onMailFrom', code: number, text: string): Partial<SMTPServerOptions> {
  return { [at]: (_address: unknown, _session: unknown, done: (error: Error) => void) => done(refusal(code, text)) };
}
function refusingData(code: number, text: string): Partial<SMTPServerOptions> {
  return {
    onData(stream, _session, done) {
      stream.resume();
      stream.on('end', () => done(refusal(code, text)));
    },
  };
}

for (const [title, options, wanted] of answers) {
  test(`${title} is ${wanted}, and the connection is used again`, async (t) => {
    const server = await mailServer(t, options);
    const channel = createSmtpChannel({ url: server.url, connections: 1, deadlineMs: 5_000 });
    for (let i = 0; i < 3; i++) t.is(meaning(await channel.send(mail(), call())), wanted);
    await channel.close();
    t.is(server.state.most, 1);
  });
}

test('nobody listening is connection_failed', async (t) => {
  const server = await rawServer(t, () => {});
  const { port } = new URL(server.url);
  const closed = `smtp://127.0.0.1:${Number(port) === 65535 ? 1 : await freePort()}`;
  const channel = createSmtpChannel({ url: closed, connections: 1, deadlineMs: 2_000 });
  t.is(meaning(await channel.send(mail(), call())), 'transient,connection_failed');
  await channel.close();
});

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

test('554 as greeting is about the connection, not about the message', async (t) => {
  const server = await rawServer(t, (socket) => void socket.end('554 no service here\r\n'));
  const channel = createSmtpChannel({ url: server.url, connections: 1, deadlineMs: 2_000 });
  t.is(meaning(await channel.send(mail(), call())), 'transient,connection_failed');
  await channel.close();
});

/** Plays SMTP up to DATA, then hands the socket over with what follows the final dot. */
function upToTheDot(socket: net.Socket, afterTheDot: (socket: net.Socket) => void): void {
  let inData = false;
  let buffer = '';
  socket.write('220 test ESMTP\r\n');
  socket.on('data', (chunk) => {
    buffer += chunk.toString('latin1');
    if (inData) {
      if (buffer.endsWith('\r\n.\r\n')) afterTheDot(socket);
      return;
    }
    for (let end = buffer.indexOf('\r\n'); end >= 0 && !inData; end = buffer.indexOf('\r\n')) {
      const line = buffer.slice(0, end).toUpperCase();
      buffer = buffer.slice(end + 2);
      inData = line === 'DATA';
      socket.write(inData ? '354 go on\r\n' : '250 ok\r\n');
    }
  });
}

const misbehaving: readonly [string, (socket: net.Socket) => void, string][] = [
  ['says nothing at all', () => {}, 'transient,connection_failed'],
  ['drips a greeting that never ends', (socket) => drip(socket, '220-wait\r\n'), 'transient,connection_failed'],
  [
    'drips its answer to the mail, a byte at a time',
    (socket) => upToTheDot(socket, (s) => drip(s, '250-wait\r\n')),
    'timeout,provider_timeout',
  ],
  ['never answers after the final dot', (socket) => upToTheDot(socket, () => {}), 'timeout,provider_timeout'],
];
function drip(socket: net.Socket, text: string): void {
  let i = 0;
  const timer = setInterval(() => socket.write(text.charAt(i++ % text.length)), 20);
  socket.on('close', () => clearInterval(timer));
}

for (const [title, behave, wanted] of misbehaving) {
  test(`a server that ${title}: ${wanted} within the deadline, its connection is closed`, async (t) => {
    const server = await rawServer(t, behave);
    const channel = createSmtpChannel({ url: server.url, connections: 1, deadlineMs: 2_000 });
    const startMs = performance.now();
    t.is(meaning(await channel.send(mail(), call())), wanted);
    const tookMs = performance.now() - startMs;
    t.true(tookMs < 6_000, `${tookMs} ms`);
    // The one connection is free again: the next send gets as far, and is not stuck behind the first.
    t.is(meaning(await channel.send(mail(), call())), wanted);
    await channel.close();
    await until(() => server.sockets.size === 0, 3_000);
  });
}

test('a connection cut after the final dot leaves the outcome unknown', async (t) => {
  const server = await rawServer(t, (socket) => upToTheDot(socket, (s) => s.destroy()));
  const channel = createSmtpChannel({ url: server.url, connections: 1, deadlineMs: 3_000 });
  t.is(meaning(await channel.send(mail(), call())), 'timeout,connection_failed');
  await channel.close();
});

test('an aborted send frees its connection', async (t) => {
  const server = await rawServer(t, () => {});
  const channel = createSmtpChannel({ url: server.url, connections: 1, deadlineMs: 60_000 });
  const controller = new AbortController();
  const sending = channel.send(mail(), { attempt: 1, signal: controller.signal });
  await until(() => server.sockets.size === 1);
  controller.abort();
  t.false((await sending).ok);
  await until(() => server.sockets.size === 0, 3_000);
  await channel.close();
});

test('a campaign by mail: each once, refused ones failed, temporary ones tried again, never more than the connections', async (t) => {
  const tries = new Map<string, number>();
  const server = await mailServer(t, {
    onRcptTo(address, _session, done) {
      const n = (tries.get(address.address) ?? 0) + 1;
      tries.set(address.address, n);
      if (address.address.startsWith('gone')) done(refusal(550, '5.1.1 no such user'));
      else if (address.address.startsWith('later') && n === 1) done(refusal(451, '4.7.1 greylisted'));
      else done();
    },
  });
  const world = await createWorld();
  const campaignId = newCampaignId();
  await world.campaign(campaignEvent(campaignId, { channel: 'smtp', template: 'Hallo {{name}} 👋' }));
  const prefix = (n: number) => (n % 10 === 0 ? 'gone' : n % 7 === 0 ? 'later' : 'ok');
  const messages = Array.from({ length: 100 }, (_, i) =>
    messageOf(campaignId, i + 1, {
      recipient: `${prefix(i + 1)}${i + 1}@example.org`,
      vars: JSON.stringify({ name: `Zoë ${i + 1}` }),
    }),
  );
  await world.messages(0, messages);
  const channel = createSmtpChannel({ url: server.url, connections: 4, deadlineMs: 5_000 });
  const d = await startDispatcher(world, { kind: 'smtp', channel, concurrency: 4 });
  await until(async () => (await world.committed())[0] === 100, 20_000);
  const kinds = Map.groupBy(
    (await world.events()).map(({ event }) => event),
    (e) => e.kind,
  );
  t.is(kinds.get('failed')?.length, 10);
  t.true(kinds.get('failed')?.every((e) => e.reason === 'recipient_refused' && e.detail.includes('5.1.1')));
  t.is(kinds.get('sent')?.length, 90);
  t.is(kinds.get('deferred')?.length, messages.filter((m) => m.recipient.startsWith('later')).length);
  t.deepEqual(
    server.mails.map((m) => m.to.join()).sort(),
    messages
      .map((m) => m.recipient)
      .filter((r) => !r.startsWith('gone'))
      .sort(),
  );
  t.true(server.state.most <= 4, `${server.state.most} connections`);
  const parsed = await PostalMime.parse(Buffer.from(server.mails[0]?.raw ?? '', 'latin1'));
  t.regex(parsed.text ?? '', /^Hallo Zoë \d+ 👋/);
  await d.stop();
});

test('line breaks in recipient, name or subject never reach the wire', async (t) => {
  const server = await mailServer(t);
  const world = await createWorld();
  const campaignId = newCampaignId();
  await world.campaign(campaignEvent(campaignId, { channel: 'smtp', subject: 'Hello {{ nick | default: "you" }}' }));
  const evil = '\r\nBcc: evil@x.org';
  await world.messages(0, [
    messageOf(campaignId, 1, { recipient: `a@x.org${evil}` }),
    messageOf(campaignId, 2, { vars: JSON.stringify({ name: `A${evil}` }) }),
    messageOf(campaignId, 3, { vars: JSON.stringify({ name: 'A', nick: `x${evil}` }) }),
    messageOf(campaignId, 4, { vars: JSON.stringify({ name: 'A', nick: 'x\n.\r\nMAIL FROM:<evil@x.org>' }) }),
    messageOf(campaignId, 5, { recipient: 'a@x.org>\r\nRCPT TO:<evil@x.org' }),
    messageOf(campaignId, 6, { vars: JSON.stringify({ name: 'Good' }) }),
  ]);
  const channel = createSmtpChannel({ url: server.url, connections: 2, deadlineMs: 5_000 });
  const d = await startDispatcher(world, { kind: 'smtp', channel });
  await until(async () => (await world.committed())[0] === 6);
  t.deepEqual(
    server.mails.map((m) => m.to),
    [['r6@example.org']],
  );
  t.false(server.mails.some((m) => m.raw.includes('evil')));
  const dead = (await world.events()).filter(({ event }) => event.kind === 'dead');
  t.deepEqual(
    dead.map(({ event }) => event.reason),
    Array(5).fill('header_injection'),
  );
  await d.stop();
});
