import { isUrl } from '../../core/destination.ts';
import type { Channel, Failure, OutgoingMessage, SendOutcome } from '../../ports.ts';
import { createCall } from './call.ts';
import { createGuard, type Guard } from './guard.ts';
import { createResolver, type Resolve } from './lookup.ts';
import { createPools } from './pools.ts';
import { signerOf } from './sign.ts';

export interface WebhookOptions {
  /** https://… or http://…, the provider's own; `recipient:` when each recipient is a URL. */
  readonly url: string;
  /** One or more `whsec_…`, separated by spaces; absent: not signed. */
  readonly secret?: string | undefined;
  /** Connections to one origin; the pipeline makes no more calls at the same time. */
  readonly connections: number;
  /** One send with everything: waiting, name, connecting, request, answer. */
  readonly deadlineMs: number;
  readonly now: () => number;
  /** Private hosts, host:port and CIDR ranges that recipients' URLs may name. */
  readonly allow?: readonly string[];
  readonly httpsOnly?: boolean;
  readonly onAllowed?: (entry: string, host: string) => void;
  readonly resolve?: Resolve;
  readonly maxOrigins?: number;
}

/** Origins whose connections are kept. */
const MAX_ORIGINS = 256;

const failureOf = (code: string, detail: string): Failure => ({ protocol: 'http', stage: 'connect', code, detail });
const refused = (failure: Failure): Promise<SendOutcome> => Promise.resolve({ ok: false, failure });

interface Target {
  readonly url: URL;
  /** Of a recipient, whose URL is guarded; the provider's own is not. */
  readonly guard: Guard | undefined;
}

/** Where a message goes, or why it goes nowhere: what can be said before anybody is asked. */
export function createTargets(
  o: Pick<WebhookOptions, 'url' | 'allow' | 'httpsOnly' | 'onAllowed'>,
): (message: OutgoingMessage) => Target | Failure {
  const own = o.url === 'recipient:' ? undefined : new URL(o.url);
  const guard = createGuard({
    allow: o.allow ?? [],
    httpsOnly: o.httpsOnly ?? false,
    onAllowed: o.onAllowed ?? (() => {}),
  });
  return ({ recipient }) => {
    const toRecipient = isUrl(recipient);
    const url = toRecipient ? URL.parse(recipient) : own;
    if (url === null || url === undefined)
      return failureOf('ERR_INVALID_URL', 'the recipient is no URL, and the provider has none');
    const refusal = toRecipient ? guard.refusalOf(url) : undefined;
    return refusal === undefined ? { url, guard: toRecipient ? guard : undefined } : failureOf('EBLOCKED', refusal);
  };
}

/**
 * HTTP POST with a Standard Webhooks signature, to the provider's `url` or to the recipient when that is a URL. The
 * operator wrote the one and is trusted with private addresses; the other comes from a contact list and is guarded.
 */
export function createWebhookChannel(options: WebhookOptions): Channel {
  const { deadlineMs, now } = options;
  const authorization = options.url === 'recipient:' ? undefined : authorizationOf(options.url);
  const sign = signerOf(options.secret);
  const targetOf = createTargets(options);
  const pools = createPools({
    connections: options.connections,
    maxOrigins: options.maxOrigins ?? MAX_ORIGINS,
    // Before the deadline: a server that was never reached is a known outcome, which the deadline's is not.
    connectMs: deadlineMs * 0.6,
    answerMs: deadlineMs,
    resolveAll: createResolver(options.resolve),
  });

  return {
    send(message, { attempt, signal }) {
      if (signal.aborted) return refused(failureOf('EABORT', 'given up'));
      const target = targetOf(message);
      if (!('url' in target)) return refused(target);
      const { url, guard } = target;

      const body = Buffer.from(bodyOf(message));
      const timestampS = Math.floor(now() / 1_000);
      const headers = [
        'content-type',
        'application/json',
        'user-agent',
        'volley',
        // What is not compressed cannot inflate.
        'accept-encoding',
        'identity',
        'webhook-id',
        message.messageId,
        'webhook-timestamp',
        String(timestampS),
        'webhook-attempt',
        String(attempt),
      ];
      if (sign !== undefined) headers.push('webhook-signature', sign(message.messageId, timestampS, body));
      if (guard === undefined && authorization !== undefined) headers.push('authorization', authorization);

      const { pool, release } = pools.take(url, guard);
      return new Promise((resolve) => {
        const done = (outcome: SendOutcome) => {
          release();
          resolve(outcome);
        };
        const path = `${url.pathname}${url.search}`;
        pool.dispatch({ path, method: 'POST', headers, body }, createCall({ deadlineMs, signal, now, done }));
      });
    },
    close: () => pools.close(),
  };
}

/** User and password of the provider's URL go into a header. */
function authorizationOf(text: string): string | undefined {
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new Error('the url of a webhook provider is https://…, http://… or recipient:');
  const user = decodeURIComponent(url.username);
  const password = decodeURIComponent(url.password);
  const basic = user === '' && password === '' ? undefined : Buffer.from(`${user}:${password}`).toString('base64');
  return basic === undefined ? undefined : `Basic ${basic}`;
}

/** The same bytes on each attempt: what changes is in the headers. */
const bodyOf = (m: OutgoingMessage): string =>
  JSON.stringify({
    type: 'message',
    message_id: m.messageId,
    campaign_id: m.campaignId,
    recipient: m.recipient,
    ...(m.subject === '' ? {} : { subject: m.subject }),
    content_type: m.contentType,
    body: m.body,
  });
