import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { campaignIdFrom, messageIdOf } from '@volley/contract';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';
import { createSimulatedChannel } from '../src/adapters/simulated/channel.ts';
import { createSmtpChannel } from '../src/adapters/smtp/channel.ts';
import { createWebhookChannel } from '../src/adapters/webhook/channel.ts';
import type { OutgoingMessage } from '../src/ports.ts';
import { type Behaviour, channelConformance, type Start } from './channels-conformance.ts';
import { webhookServer } from './webhook-server.ts';

const CAMPAIGN = campaignIdFrom(Date.now(), Buffer.alloc(6));
const DEADLINE_MS = 20_000;

const messageTo = (recipient: string, n: number): OutgoingMessage => ({
  messageId: messageIdOf(CAMPAIGN, n + 1),
  campaignId: CAMPAIGN,
  recipient,
  contentType: 'text/plain',
  subject: 'Hello',
  body: 'Hi',
  mail: {
    to: { name: '', address: recipient },
    from: { name: 'Volley', address: 'news@volley.test' },
    replyTo: undefined,
    subject: 'Hello',
  },
});
const behaviourOf = (recipient: string) => recipient.slice(0, recipient.indexOf('@')) as Behaviour;

const simulated: Start = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'volley-channel-'));
  const journalPath = join(folder, 'journal');
  const channel = createSimulatedChannel({
    url: 'simulated:?min_ms=1&max_ms=3&transient=0&retry_after_ms=2000',
    journalPath,
    now: Date.now,
    monotonicMs: () => performance.now(),
  });
  const scripts: Readonly<Record<Behaviour, string>> = {
    accept: '',
    refuse: '+refuse',
    transient: '+always-transient',
    throttle: '+throttle',
    hang: '+timeout',
    reset: '+reset',
  };
  let hanging = 0;
  return {
    channel,
    message(behaviour, n) {
      if (behaviour === 'hang') hanging += 1;
      return messageTo(`r${n}${scripts[behaviour]}@example.org`, n);
    },
    taken: () =>
      readFileSync(journalPath, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split(' ')[0] ?? ''),
    hanging: () => hanging,
    async end() {
      await channel.close();
      rmSync(folder, { recursive: true });
    },
  };
};

/** What the servers of both network channels remember. */
function book() {
  const taken: string[] = [];
  const sockets = new Set<Socket>();
  const teardowns: (() => unknown)[] = [];
  return {
    taken,
    sockets,
    hanging: 0,
    /** Whether this reset is the first for its message. */
    isFirst: (id: string) => taken.filter((other) => other === id).length === 1,
    teardown: (end: () => unknown) => void teardowns.push(end),
    end: () => Promise.all(teardowns.map((end) => end())),
  };
}

const webhook: Start = async ({ connections }) => {
  const seen = book();
  const server = await webhookServer(seen, ({ body, headers }, response, socket) => {
    const behaviour = behaviourOf(JSON.parse(body).recipient);
    const id = String(headers['webhook-id']);
    if (behaviour === 'refuse') return void response.writeHead(410).end();
    if (behaviour === 'transient') return void response.writeHead(500).end();
    if (behaviour === 'throttle') return void response.writeHead(429, { 'retry-after': '2' }).end();
    if (behaviour === 'hang') return void seen.hanging++;
    seen.taken.push(id);
    if (behaviour === 'reset' && seen.isFirst(id)) socket.resetAndDestroy();
    else response.writeHead(200).end('thanks');
  });
  const channel = createWebhookChannel({ url: server.url, connections, deadlineMs: DEADLINE_MS, now: Date.now });
  return {
    channel,
    message: (behaviour, n) => messageTo(`${behaviour}@example.org`, n),
    taken: () => seen.taken,
    connections: () => server.sockets.size,
    hanging: () => seen.hanging,
    async end() {
      await channel.close();
      await seen.end();
    },
  };
};

const refusals = {
  refuse: [550, '5.1.1 no such user'],
  transient: [451, '4.7.1 later'],
  throttle: [451, '4.7.650 slow'],
};

const smtp: Start = async ({ connections }) => {
  const seen = book();
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onRcptTo({ address }, _session, done) {
      const refusal = refusals[behaviourOf(address) as keyof typeof refusals];
      if (refusal === undefined) done();
      else done(Object.assign(new Error(String(refusal[1])), { responseCode: Number(refusal[0]) }));
    },
    onData(stream, session, done) {
      let text = '';
      stream.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
      });
      stream.on('end', () => {
        const behaviour = behaviourOf(session.envelope.rcptTo[0]?.address ?? '');
        const id = /^x-volley-message-id: (\S+)/im.exec(text)?.[1] ?? '';
        if (behaviour === 'hang') return void seen.hanging++;
        seen.taken.push(id);
        if (behaviour === 'reset' && seen.isFirst(id)) cut(session);
        else done();
      });
    },
  });
  const cut = ({ id }: SMTPServerSession) => {
    for (const connection of server.connections as Set<{ id: string; _socket: Socket }>)
      if (connection.id === id) connection._socket.destroy();
  };
  server.on('error', () => {});
  server.server.on('connection', (socket: Socket) => {
    seen.sockets.add(socket);
    socket.on('close', () => seen.sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  const channel = createSmtpChannel({ url: `smtp://127.0.0.1:${port}`, connections, deadlineMs: DEADLINE_MS });
  return {
    channel,
    message: (behaviour, n) => messageTo(`${behaviour}@example.org`, n),
    taken: () => seen.taken,
    connections: () => seen.sockets.size,
    hanging: () => seen.hanging,
    async end() {
      await channel.close();
      for (const socket of seen.sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
};

channelConformance('simulated', simulated, { retryAfterMs: 2_000 });
channelConformance('webhook', webhook, { retryAfterMs: 2_000 });
channelConformance('smtp', smtp, { retryAfterMs: undefined });
