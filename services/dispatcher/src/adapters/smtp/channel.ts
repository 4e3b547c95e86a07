import type { Readable } from 'node:stream';
import nodemailer from 'nodemailer';
import type { Channel, OutgoingMessage, SendOutcome } from '../../ports.ts';
import { failureOf } from './failure.ts';

export interface SmtpOptions {
  /** smtp://user:password@host:port or smtps://…; nodemailer's options as query, such as ?ignoreTLS=true. */
  readonly url: string;
  /** Connections of the pool; the pipeline sends no more at the same time. */
  readonly connections: number;
  /** One send with everything: waiting for a connection, connecting, greeting, the whole conversation. */
  readonly deadlineMs: number;
}

/** After this many mails a connection is closed: servers limit it too, and a load balancer gets its chance. */
const MAILS_PER_CONNECTION = 1_000;
/** Below every server's own limit (RFC 5321 4.5.3.2.7: 5 minutes), so that it is we who close. */
const IDLE_MS = 60_000;

/**
 * SMTP through nodemailer's pool. Its timeouts bound each phase; a server that answers a byte a second passes all of
 * them, so one deadline for the whole send aborts it, which closes its connection and leaves the others alone.
 */
export function createSmtpChannel(options: SmtpOptions): Channel {
  const { deadlineMs } = options;
  const transport = nodemailer.createTransport({
    pool: true,
    url: options.url,
    maxConnections: options.connections,
    maxMessages: MAILS_PER_CONNECTION,
    // Only of a mail of which not a byte was sent, on a connection that the server had closed meanwhile.
    maxRequeues: 1,
    idleTimeout: IDLE_MS,
    // Before the deadline: a server that was never reached is a known outcome, which the deadline's is not.
    dnsTimeout: deadlineMs * 0.4,
    connectionTimeout: deadlineMs * 0.6,
    greetingTimeout: deadlineMs * 0.6,
    socketTimeout: deadlineMs,
    socketCloseTimeout: 1_000,
    // Content is text from a template; it must never name a file or an address to be fetched.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  // The pool reports its own connections' errors here as well; each send gets its own.
  transport.on('error', () => {});

  const bodies = new WeakMap<AbortSignal, Readable>();
  transport.use('stream', (mail, done) => {
    const { signal } = mail.data;
    const create = mail.message.createReadStream.bind(mail.message);
    mail.message.createReadStream = (streamOptions) => {
      const body = create(streamOptions);
      if (signal) bodies.set(signal, body);
      return body;
    };
    done();
  });

  return {
    async send(message, { signal }): Promise<SendOutcome> {
      const { mail } = message;
      if (mail === undefined) throw new Error('a message without checked mail headers came to the SMTP channel');
      if (signal.aborted)
        return { ok: false, failure: { protocol: 'smtp', code: 'EABORT', stage: 'connect', detail: 'given up' } };
      const controller = new AbortController();
      const abort = () => controller.abort();
      const timer = setTimeout(abort, deadlineMs);
      signal.addEventListener('abort', abort, { once: true });
      try {
        const info = await transport.sendMail({ ...contentOf(message), ...mail, signal: controller.signal });
        return { ok: true, detail: info.response };
      } catch (error) {
        if (controller.signal.aborted) {
          const detail = `no answer within ${deadlineMs} ms`;
          return { ok: false, failure: { protocol: 'smtp', code: 'ETIMEDOUT', detail } };
        }
        return { ok: false, failure: failureOf(error, bodies.get(controller.signal)?.readableDidRead === true) };
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
      }
    },
    async close() {
      transport.close();
    },
  };
}

/** The id of a mail is the message's, on each attempt: a server or reader that sees it twice can tell. */
function contentOf({ messageId, mail, contentType, body }: OutgoingMessage) {
  const domain = mail?.from.address.split('@').pop() ?? 'volley.invalid';
  return {
    messageId: `<${messageId}@${domain}>`,
    headers: { 'X-Volley-Message-Id': messageId },
    envelope: { from: mail?.from.address ?? '', to: [mail?.to.address ?? ''] },
    ...(contentType === 'text/html' ? { html: body } : { text: body }),
  };
}
