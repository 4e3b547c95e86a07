import net, { type AddressInfo, type Socket } from 'node:net';
import { createJournal, type Journal } from './journal.ts';
import type { Answer } from './script.ts';

export interface SmtpSink extends Journal {
  readonly port: number;
  /** For `url` of an smtp provider. */
  readonly url: string;
  close(): Promise<void>;
}

const MESSAGE_ID = /^x-volley-message-id:\s*(\S+)/im;
const REPLIES: Readonly<Partial<Record<Answer, string>>> = {
  accept: '250 2.0.0 taken',
  huge: '250 2.0.0 taken',
  transient: '451 4.3.0 not now',
  refuse: '550 5.1.1 no such mailbox',
  throttle: '454 4.7.0 Throttling failure: maximum sending rate exceeded',
  'throttle-date': '454 4.7.0 Throttling failure: maximum sending rate exceeded',
};
const DRIP_EVERY_MS = 1_000;

/**
 * A mail server on 127.0.0.1 that does with each mail what its recipient says, after the final dot, and writes it down before
 * it answers. The message is known by its `X-Volley-Message-Id`. It speaks as much of RFC 5321 as a sender needs.
 */
export async function startSmtpSink(): Promise<SmtpSink> {
  const journal = createJournal();
  const sockets = new Set<Socket>();
  const timers = new Set<NodeJS.Timeout>();
  const later = (ms: number, run: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      run();
    }, ms);
    timers.add(timer);
  };

  function delivered(socket: Socket, recipient: string, data: string): void {
    const messageId = MESSAGE_ID.exec(data.slice(0, data.indexOf('\r\n\r\n') + 2))?.[1] ?? '';
    const { answer, afterMs } = journal.take(messageId, recipient);
    const say = () => {
      journal.closed();
      if (answer === 'hang') return;
      if (answer === 'lost' || answer === 'reset') socket.resetAndDestroy();
      else if (answer === 'drip') drip(socket);
      else if (!socket.destroyed) socket.write(`${REPLIES[answer]}\r\n`);
    };
    if (afterMs === 0) say();
    else later(afterMs, say);
  }

  /** A line of an answer that never ends. */
  function drip(socket: Socket): void {
    if (socket.destroyed) return;
    socket.write('250-');
    later(DRIP_EVERY_MS, () => drip(socket));
  }

  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    const say = (line: string) => void socket.write(`${line}\r\n`);
    let rest = '';
    let recipient = '';
    let inData = false;
    say('220 sink ESMTP');

    function command(line: string): void {
      const verb = line.slice(0, 4).toUpperCase();
      if (verb === 'EHLO') socket.write('250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n');
      else if (verb === 'HELO') say('250 sink');
      else if (verb === 'MAIL' || verb === 'RSET') {
        recipient = '';
        say('250 2.0.0 ok');
      } else if (verb === 'RCPT') {
        recipient = /<([^>]*)>/.exec(line)?.[1] ?? '';
        say('250 2.1.5 ok');
      } else if (verb === 'DATA') {
        inData = true;
        journal.opened();
        say('354 go on');
      } else if (verb === 'QUIT') {
        say('221 2.0.0 bye');
        socket.end();
      } else say(verb === 'NOOP' ? '250 2.0.0 ok' : '500 5.5.1 what?');
    }

    socket.on('data', (chunk) => {
      rest += chunk.toString('latin1');
      for (;;) {
        const end = inData ? rest.indexOf('\r\n.\r\n') : rest.indexOf('\r\n');
        if (end < 0) return;
        const text = rest.slice(0, inData ? end + 2 : end);
        rest = rest.slice(end + (inData ? 5 : 2));
        if (inData) {
          inData = false;
          delivered(socket, recipient, text);
        } else command(text);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    ...journal,
    port,
    url: `smtp://127.0.0.1:${port}`,
    close() {
      for (const timer of timers) clearTimeout(timer);
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
